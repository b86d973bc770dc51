"""Real discord.py objects without a connection, from payloads as Discord sends them; their HTTP client is a spec-bound mock."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any
from unittest.mock import AsyncMock, Mock, create_autospec

import discord
import pytest
from discord.http import HTTPClient, Route

from bot.client import COGS, CatBot
from bot.i18n import CatTranslator
from bot.settings import DISCORD_API_BASE, Settings

CAT_ID = 900
AUTHOR = {"id": "7", "username": "mika", "discriminator": "0", "avatar": None, "global_name": None}
CAT = {"id": str(CAT_ID), "username": "cat", "discriminator": "0", "avatar": None, "global_name": None, "bot": True}


class Channel:
    """A text channel of a server, or a direct message, and the mock that stands for Discord's HTTP API."""

    def __init__(self, *, direct: bool = False) -> None:
        self.client = discord.Client(intents=discord.Intents(guilds=True))
        state: Any = self.client._connection
        self.http = stand_in(self.client.http)
        state.http, state.loop = self.http, asyncio.get_running_loop()
        cat: Any = CAT
        state.user = discord.ClientUser(state=state, data=cat)
        self._state = state
        data: Any = {"id": "5", "type": 1, "recipients": [AUTHOR]}
        self.channel: discord.TextChannel | discord.DMChannel = discord.DMChannel(me=state.user, state=state, data=data)
        if not direct:
            home: Any = {"id": "3", "name": "home"}
            data = {"id": "5", "type": 0, "name": "sofa", "position": 0, "guild_id": "3", "permission_overwrites": []}
            self.channel = discord.TextChannel(state=state, guild=discord.Guild(data=home, state=state), data=data)

    def message(self, content: str = "", **more: Any) -> discord.Message:
        """A message in this channel; further fields as in Discord's payload."""
        data: Any = message_payload(content=content, **more)
        return discord.Message(state=self._state, channel=self.channel, data=data)


def stand_in(http: HTTPClient) -> Any:
    """A mock of the HTTP client with the signatures of the real one; it can post, type and react, and nothing else."""
    mock = Mock(spec=http)
    for name in ("send_message", "send_typing", "add_reaction"):
        done = AsyncMock(return_value=message_payload(id="1001", author=CAT) if name == "send_message" else None)
        setattr(mock, name, create_autospec(getattr(http, name), side_effect=done))
    return mock


def message_payload(**more: Any) -> dict[str, Any]:
    """A message as Discord sends it."""
    return {
        "id": "1000",
        "channel_id": "5",
        "author": AUTHOR,
        "content": "",
        "timestamp": "2025-01-01T00:00:00+00:00",
        "edited_timestamp": None,
        "tts": False,
        "mention_everyone": False,
        "mentions": [],
        "mention_roles": [],
        "attachments": [],
        "embeds": [],
        "pinned": False,
        "type": 0,
        **more,
    }


def attachment(filename: str, content_type: str | None = None) -> dict[str, Any]:
    """An attachment as Discord sends it."""
    data = {"id": "1", "filename": filename, "size": 1, "url": "https://cdn.test/1", "proxy_url": "https://cdn.test/1"}
    return data | ({"content_type": content_type} if content_type else {})


def sticker(name: str) -> dict[str, Any]:
    """A sticker as Discord sends it inside a message."""
    return {"id": "1", "name": name, "format_type": 1}


def http_error(kind: type[discord.HTTPException], status: int, text: str = "Missing Access") -> discord.HTTPException:
    """An error as discord.py raises it for a response with that status."""
    response: Any = SimpleNamespace(status=status, reason=text, headers={})
    return kind(response, {"code": 0, "message": text})


@asynccontextmanager
async def unconnected_bot(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[CatBot]:
    """The bot with its cogs and translations, never connected; its model never comes."""
    monkeypatch.setattr(Route, "BASE", DISCORD_API_BASE)  # the bot may set it; this puts it back
    async with CatBot(settings, asyncio.get_running_loop().create_future()) as bot:
        await bot.tree.set_translator(CatTranslator())
        for name in COGS:
            await bot.load_extension(name)
        yield bot
