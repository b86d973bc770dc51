"""`catbot doctor` and `catbot invite`: what is set up, what is missing, what to do next.

Owns the checks. Each gives one line, and a failed one says what to do.
"""

import base64
import binascii
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Literal

import aiohttp
import discord

from model.checkpoint import open_checkpoint
from model.errors import CatError

from .pointer import read_pointer, resolve
from .settings import Settings

#: Bits of an application's flags that say that the message-content intent is on (below and above 100 servers).
_MESSAGE_CONTENT_FLAGS = (1 << 18) | (1 << 19)


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report."""

    state: Literal["ok", "note", "bad"]
    text: str


def invite_url(application_id: int) -> str:
    """The address that adds the bot to a server with the least permissions that it needs."""
    needed = discord.Permissions(
        view_channel=True, send_messages=True, send_messages_in_threads=True, read_message_history=True, add_reactions=True
    )
    return discord.utils.oauth_url(application_id, permissions=needed, scopes=("bot", "applications.commands"))


def application_id_of(token: str) -> int | None:
    """The application's id as it stands in the first part of a bot token, or None. No network needed."""
    first = token.split(".")[0]
    try:
        text = base64.b64decode(first + "=" * (-len(first) % 4), altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        return None
    return int(text) if text.isdecimal() and len(text) <= 20 else None


async def examine(settings: Settings) -> AsyncIterator[Finding]:
    """Every check, in the order in which a newcomer meets them."""
    for finding in _checkpoint(settings):
        yield finding
    yield _device(settings)
    if not settings.token:
        yield Finding("note", "DISCORD_TOKEN is not set: `make run` opens the sandbox. For Discord, put the bot token into .env")
        return
    async for finding in _discord(settings, settings.token):
        yield finding


def _checkpoint(settings: Settings) -> list[Finding]:
    name = read_pointer(settings.catbot_data_dir, settings.catbot_checkpoint)
    try:
        checkpoint = open_checkpoint(resolve(name, settings.catbot_checkpoints_dir))
    except CatError as error:
        return [Finding("bad", f"checkpoint: {error}")]
    return [
        Finding("ok", f"checkpoint: {checkpoint.name} ({checkpoint.revision}), prompt format {checkpoint.manifest.prompt_format}")
    ]


def _device(settings: Settings) -> Finding:
    from model.engine.network import pick_device

    try:
        device = pick_device(settings.catbot_device)
    except CatError as error:
        return Finding("bad", f"device: {error}")
    return Finding("ok", f"device: {device}")


async def _discord(settings: Settings, token: str) -> AsyncIterator[Finding]:
    try:
        application = await _get_application(settings, token)
    except PermissionError:
        yield Finding(
            "bad", "token: Discord refuses it. Reset it in the Developer Portal (Bot > Reset Token) and copy it into .env"
        )
        return
    except (aiohttp.ClientError, OSError, ValueError) as error:
        yield Finding(
            "bad", f"Discord cannot be reached at {settings.discord_api_base} ({type(error).__name__}); check the network"
        )
        return
    yield Finding("ok", f"token: belongs to {application['name']} ({application['id']})")
    content = "on" if application.get("flags", 0) & _MESSAGE_CONTENT_FLAGS else "off"
    yield Finding("ok", f"intents: none of the privileged ones is needed (message content is {content})")
    if not application.get("bot_public", True):
        yield Finding("note", "the bot is not public: only you can invite it")
    yield Finding("note", f"next: open {invite_url(int(application['id']))} to invite the cat, then `make run`")


async def _get_application(settings: Settings, token: str) -> dict[str, Any]:
    """The application object; raises PermissionError for a refused token, ValueError for an answer that is not Discord's."""
    address = settings.discord_api_base.rstrip("/") + "/oauth2/applications/@me"
    timeout = aiohttp.ClientTimeout(total=15)
    async with (
        aiohttp.ClientSession(timeout=timeout, headers={"Authorization": f"Bot {token}"}) as session,
        session.get(address) as response,
    ):
        if response.status in (401, 403):
            raise PermissionError
        response.raise_for_status()
        found = await response.json()
    if not (isinstance(found, dict) and {"id", "name"} <= found.keys()):
        raise ValueError("what answered is not Discord")
    return found
