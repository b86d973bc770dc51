"""The whole bot in one process: the sandbox, the real discord.py client and the bundled checkpoint."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import pytest

from bot.app import StartFailed, run_bot
from bot.client import CatBot
from bot.sandbox import Sandbox
from bot.settings import Settings, load_settings
from model.service import CatModel


@dataclass
class Live:
    """A bot that runs on a sandbox. `asked` holds the turns of every request that reached the model."""

    sandbox: Sandbox
    settings: Settings
    bot: CatBot
    running: "asyncio.Task[None]"
    asked: list[tuple[str, ...]] = field(default_factory=list)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def stop(self) -> None:
        """Stop the bot, as Ctrl-C does."""
        self.running.cancel()
        with contextlib.suppress(asyncio.CancelledError, StartFailed):
            await self.running


@dataclass
class Gate:
    """Holds the model back while it is shut."""

    open: asyncio.Event
    waiting: int = 0


Start = Callable[..., Awaitable[Live]]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """The turns of every request, as the model service got them; the requests themselves go through unchanged."""
    seen: list[tuple[str, ...]] = []
    answer = CatModel.reply

    async def reply(self: CatModel, turns: Any, **options: Any) -> Any:
        seen.append(tuple(turn.text for turn in turns))
        return await answer(self, turns, **options)

    monkeypatch.setattr(CatModel, "reply", reply)
    return seen


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Gate:
    """A door in front of the model, open at first."""
    door = Gate(asyncio.Event())
    door.open.set()
    answer = CatModel.reply

    async def reply(self: CatModel, turns: Any, **options: Any) -> Any:
        door.waiting += 1
        await door.open.wait()
        door.waiting -= 1
        return await answer(self, turns, **options)

    monkeypatch.setattr(CatModel, "reply", reply)
    return door


@pytest.fixture
async def start(tmp_path: Path, asked: list[tuple[str, ...]]) -> AsyncIterator[Start]:
    """Start a sandbox (or use a given one) and the bot on it; everything is stopped when the test ends."""
    async with AsyncExitStack() as stack:

        async def begin(
            *,
            sandbox: Sandbox | None = None,
            token: str | None = None,
            ready: bool = True,
            world: dict[str, Any] | None = None,
            **settings: Any,
        ) -> Live:
            if sandbox is None:
                sandbox = await stack.enter_async_context(Sandbox(**(world or {})))
            merged = {"discord_api_base": sandbox.api_base, "catbot_data_dir": tmp_path / "data"} | settings
            loaded = load_settings(None, **merged)
            started: asyncio.Future[CatBot] = asyncio.get_running_loop().create_future()
            running = asyncio.create_task(run_bot(loaded, token or sandbox.token, started=started.set_result))
            live = Live(sandbox, loaded, await started, running, asked)
            await stack.enter_async_context(live)
            if ready:
                await sandbox.wait_ready()
                await live.bot.cat()
            return live

        yield begin


@pytest.fixture
async def live(start: Start) -> AsyncIterator[Live]:
    """A bot with the default settings. The sandbox must know every route that it used."""
    running = await start()
    yield running
    assert running.sandbox.unknown_routes == []
