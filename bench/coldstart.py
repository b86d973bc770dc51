"""From process start to the first reply, and the memory it takes: `python -m bench.coldstart [--runs 5] [--json FILE]`.

Two ways are measured: the terminal (`catbot chat --jsonl`) and the whole bot on the sandbox (login, gateway, model, a
mention, the posted reply). Each run is a fresh process; medians are shown. `--help` is timed beside them.
"""

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from bot.sandbox import Sandbox

from .table import show

_ENVIRONMENT = {**os.environ, "CATBOT_LOG_LEVEL": "ERROR"}


def time_terminal() -> tuple[float, float]:
    """Seconds to the first reply of `catbot chat --jsonl`, and its resident memory in MiB."""
    started = time.perf_counter()
    command = [sys.executable, "-m", "bot", "chat", "--jsonl"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=_ENVIRONMENT) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write('{"channel": "a", "text": "ご飯だよ"}\n')
        process.stdin.flush()
        assert "reply" in process.stdout.readline()
        seconds = time.perf_counter() - started
        memory = psutil.Process(process.pid).memory_info().rss / 2**20
        process.stdin.close()
    return seconds, memory


def time_bot() -> tuple[float, float]:
    """The same for `catbot run` against a sandbox in this process, with a mention waiting for the bot."""
    return asyncio.run(_time_bot())


async def _time_bot() -> tuple[float, float]:
    async with Sandbox() as sandbox:
        with tempfile.TemporaryDirectory() as data:
            place = {"DISCORD_API_BASE": sandbox.api_base, "DISCORD_TOKEN": sandbox.token, "CATBOT_DATA_DIR": data}
            started = time.perf_counter()
            process = await asyncio.create_subprocess_exec(sys.executable, "-m", "bot", "run", env={**_ENVIRONMENT, **place})
            await sandbox.wait_ready(timeout=60)
            message = await sandbox.say("general", "ご飯だよ", mention=True)
            await sandbox.next_reply("general", after=message, timeout=60)
            seconds = time.perf_counter() - started
            memory = psutil.Process(process.pid).memory_info().rss / 2**20
            process.terminate()
            await process.wait()
    return seconds, memory


def time_help() -> tuple[float, float]:
    """Seconds of `catbot --help`; its memory is not looked at."""
    started = time.perf_counter()
    subprocess.run([str(Path(sys.executable).parent / "catbot"), "--help"], check=True, capture_output=True)
    return time.perf_counter() - started, 0.0


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    ways: dict[str, Callable[[], tuple[float, float]]] = {
        "terminal": time_terminal,
        "bot on sandbox": time_bot,
        "--help": time_help,
    }
    rows = []
    for name, measure in ways.items():
        measure()  # the first run fills the disk cache
        runs = [measure() for _ in range(arguments.runs)]
        seconds, memory = (statistics.median(values) for values in zip(*runs, strict=True))
        rows.append(
            {
                "way": name,
                "seconds": round(seconds, 2),
                "slowest": round(max(r[0] for r in runs), 2),
                "resident_mib": round(memory),
            }
        )
    show(rows, arguments.json)


if __name__ == "__main__":
    main()
