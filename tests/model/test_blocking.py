"""Blocking calls beside the event loop: results, errors, and nobody waits for one that was given up."""

import asyncio
import subprocess
import sys
import threading

import pytest

from model.blocking import run_blocking


async def test_result_and_arguments() -> None:
    assert await run_blocking(max, 3, 7) == 7


async def test_error_is_raised_here() -> None:
    def fail() -> None:
        raise OSError("no network")

    with pytest.raises(OSError, match="no network"):
        await run_blocking(fail)


async def test_the_loop_goes_on_meanwhile() -> None:
    go = threading.Event()
    waiting = asyncio.create_task(run_blocking(go.wait))
    await asyncio.sleep(0)
    go.set()
    assert await waiting is True


def test_neither_the_loop_nor_python_waits_for_a_call_that_was_given_up() -> None:
    code = """
import asyncio, threading
from model.blocking import run_blocking

async def main():
    task = asyncio.create_task(run_blocking(threading.Event().wait))
    await asyncio.sleep(0.05)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        print("cancelled")

asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert (done.stdout, done.stderr) == ("cancelled\n", "")
