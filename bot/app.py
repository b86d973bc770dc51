"""Puts the bot together and runs it until it is told to stop: model and gateway side by side, or the sandbox instead.

Owns the order of starting and closing, and what a failed start says. Used by the command line and by end-to-end tests.
"""

import asyncio
import logging
import signal
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
import discord

from model.errors import CatError
from model.service import CatModel

from .client import CatBot
from .pointer import read_pointer, resolve
from .replies import CONNECTION_ERRORS
from .settings import Settings

log = logging.getLogger(__name__)


class StartFailed(Exception):
    """The bot cannot run; the message says what to do."""


@asynccontextmanager
async def open_cat(settings: Settings) -> AsyncIterator[CatModel]:
    """The model that the settings, or the last reload, ask for. A remembered reload that fails gives way to the setting."""
    configured = settings.catbot_checkpoint
    remembered = read_pointer(settings.catbot_data_dir, configured)
    async with AsyncExitStack() as stack:
        try:
            cat = await stack.enter_async_context(_open(settings, remembered))
        except CatError as error:
            if remembered == configured:
                raise
            log.error("the last reload, %s, cannot be served (%s); going back to %s", remembered, error, configured)
            cat = await stack.enter_async_context(_open(settings, configured))
        log.info("serving %s (%s)", cat.checkpoint.name, cat.checkpoint.revision)
        yield cat


def _open(settings: Settings, name: str) -> AbstractAsyncContextManager[CatModel]:
    source = resolve(name, settings.catbot_checkpoints_dir)
    return CatModel.open(source, device=settings.catbot_device, max_batch=settings.catbot_max_batch)


async def run_bot(settings: Settings, token: str, *, started: Callable[[CatBot], None] = lambda _: None) -> None:
    """Log in and load the model at the same time; run until cancelled. Raises StartFailed with words for the operator."""
    async with AsyncExitStack() as stack:
        loading = asyncio.ensure_future(stack.enter_async_context(open_cat(settings)))
        # Someone who asks for the model gets its error; nobody asking must not be a warning at exit.
        loading.add_done_callback(lambda done: done.cancelled() or done.exception())
        bot = CatBot(settings, loading)
        started(bot)
        running = asyncio.ensure_future(bot.start(token))
        try:
            await asyncio.wait({running, loading}, return_when=asyncio.FIRST_EXCEPTION)
            _raise_model_error(loading)
            await running
        except CONNECTION_ERRORS as error:
            raise StartFailed(_connection_advice(error)) from error
        finally:
            await bot.close()
            for task in (running, loading):
                task.cancel()
                with suppress(asyncio.CancelledError, Exception):
                    await task


def _raise_model_error(loading: "asyncio.Future[CatModel]") -> None:
    if loading.done() and not loading.cancelled() and (error := loading.exception()):
        if isinstance(error, CatError):
            raise StartFailed(f"the checkpoint cannot be served: {error}") from error
        raise error


def _connection_advice(error: BaseException) -> str:
    if isinstance(error, discord.LoginFailure) or getattr(error, "code", None) == 4004:
        return "Discord refuses the token. Copy it again from the Developer Portal (Bot > Reset Token) into DISCORD_TOKEN in .env"
    if isinstance(error, discord.PrivilegedIntentsRequired) or getattr(error, "code", None) in (4013, 4014):
        return "Discord refuses an intent. Switch it on in the Developer Portal (Bot > Privileged Gateway Intents)"
    if isinstance(error, aiohttp.ClientError | OSError | discord.GatewayNotFound):
        return f"Discord cannot be reached ({type(error).__name__}). Check the network and DISCORD_API_BASE, then start again"
    return (
        f"Discord ended the connection ({type(error).__name__}: {error}). Start again; if it stays so, look at discordstatus.com"
    )


async def run_sandboxed(settings: Settings, announce: Callable[[str], None]) -> None:
    """The very same bot, connected to the sandbox on this machine; `announce` gets the address of the page."""
    from .sandbox import Sandbox

    async with AsyncExitStack() as stack:
        try:
            sandbox = await stack.enter_async_context(Sandbox(port=settings.catbot_sandbox_port))
        except OSError:
            sandbox = await stack.enter_async_context(Sandbox(port=0))
        data = stack.enter_context(tempfile.TemporaryDirectory(prefix="catbot-sandbox-"))
        local = settings.model_copy(update={"discord_api_base": sandbox.api_base, "catbot_data_dir": Path(data)})
        announce(sandbox.page_url)
        await run_bot(local, sandbox.token)


def run_until_stopped(work: Callable[[], Coroutine[Any, Any, None]]) -> bool:
    """Run a coroutine function until it ends (true), or until Ctrl-C or SIGTERM cancels it (false); both are a clean end."""

    async def main() -> bool:
        task = asyncio.create_task(work())
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            with suppress(NotImplementedError):
                loop.add_signal_handler(number, task.cancel)
        with suppress(asyncio.CancelledError):
            await task
            return True
        return False

    return asyncio.run(main())
