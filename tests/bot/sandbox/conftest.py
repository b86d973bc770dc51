"""Fixtures of the sandbox's own tests: a running sandbox and clients that are connected to it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import yarl
from discord.gateway import DiscordWebSocket
from discord.http import Route

from bot.sandbox import Sandbox

from .clients import TIMEOUT, Api, CatLike, Connect, RawGateway, StartBot


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox() as running:
        yield running
        assert running.unknown_routes == []


@pytest.fixture
async def start_bot(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[StartBot]:
    """Start a bot on a sandbox and wait until it is ready; it is closed when the test ends."""
    bots: list[CatLike] = []

    async def start(
        sandbox: Sandbox, *, ready: bool = True, sync: bool = False, token: str | None = None, **options: Any
    ) -> CatLike:
        monkeypatch.setattr(Route, "BASE", sandbox.api_base)
        # discord.py goes back to this address when a session is invalid.
        monkeypatch.setattr(DiscordWebSocket, "DEFAULT_GATEWAY", yarl.URL(sandbox.gateway_url))
        bot = CatLike(**options)
        bots.append(bot)
        bot.runner = asyncio.create_task(bot.start(token or sandbox.token))
        if ready:
            await sandbox.wait_ready()
            await asyncio.wait_for(bot.wait_until_ready(), TIMEOUT)
        if sync:
            await bot.tree.sync()
        return bot

    yield start
    for bot in bots:
        await bot.close()
        if bot.runner is not None:
            with contextlib.suppress(Exception, asyncio.CancelledError):
                await asyncio.wait_for(bot.runner, TIMEOUT)


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
def raw_gateway(sandbox: Sandbox, http: aiohttp.ClientSession) -> Connect:
    async def connect(*, hello: bool = True, **query: str) -> RawGateway:
        url = yarl.URL(sandbox.gateway_url).with_query({"v": "10", "encoding": "json", **query})
        gateway = RawGateway(await http.ws_connect(url))
        if hello:
            assert (await gateway.read())["op"] == 10
        return gateway

    return connect


@pytest.fixture
def api(sandbox: Sandbox, http: aiohttp.ClientSession) -> Api:
    return Api(sandbox, http)
