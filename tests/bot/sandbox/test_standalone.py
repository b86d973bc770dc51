"""`python -m bot.sandbox` as a process of its own."""

from __future__ import annotations

import asyncio
import re
import signal
import sys
from pathlib import Path

import aiohttp

from .clients import TIMEOUT

ROOT = Path(__file__).parents[3]


async def test_it_says_where_it_is_and_stops_on_interrupt(http: aiohttp.ClientSession) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bot.sandbox", "--port", "0", cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        page = (await asyncio.wait_for(process.stdout.readline(), TIMEOUT)).decode()
        settings = (await asyncio.wait_for(process.stdout.readline(), TIMEOUT)).decode()
        base = re.search(r"http://127\.0\.0\.1:\d+/api/v10", settings)
        assert base is not None
        assert page.startswith("Chat page: http://127.0.0.1:")
        async with http.get(base[0] + "/gateway") as response:
            assert (await response.json())["url"].startswith("ws://127.0.0.1:")
    finally:
        process.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(process.wait(), TIMEOUT) == 0
