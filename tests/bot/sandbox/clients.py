"""Clients for the sandbox's own tests: a small discord.py bot, a bare gateway socket, the bare HTTP API.

Owns how they speak. Does not know the bot of this project: the sandbox must serve any client.
"""

from __future__ import annotations

import asyncio
import json
import zlib
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import discord
import pytest
from discord import app_commands
from discord.ext import commands

from bot.sandbox import Sandbox

Json = dict[str, Any]
TIMEOUT = 10.0  # a bound for what should happen at once, never a pause


class CatLike(commands.AutoShardedBot):
    """A bot with one command of each kind; it answers whoever speaks to it and notes what it sees."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("intents", discord.Intents.default())
        super().__init__(command_prefix=commands.when_mentioned, guild_ready_timeout=0.1, **options)
        self.seen: list[discord.Message] = []
        self.errors: list[BaseException] = []
        self.runner: asyncio.Task[None] | None = None
        add_commands(self)

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """The library waits 5 s before a second IDENTIFY; these tests have no need to."""

    async def on_message(self, message: discord.Message) -> None:
        self.seen.append(message)
        assert self.user is not None
        if not message.author.bot and (message.guild is None or self.user in message.mentions):
            await message.reply(f"meow {message.content}")


def add_commands(bot: CatLike) -> None:
    tree = bot.tree

    @tree.command(description="answers at once")
    @app_commands.describe(message="what to say", times="how often")
    async def purr(interaction: discord.Interaction, message: str, times: int = 1) -> None:
        await interaction.response.send_message(message * times)

    @tree.command(description="thinks first")
    async def ponder(interaction: discord.Interaction) -> None:
        await interaction.response.defer(thinking=True)
        await interaction.followup.send("mrrp")
        await interaction.followup.send("prrr")

    @tree.command(description="tells only you")
    async def whisper(interaction: discord.Interaction) -> None:
        await interaction.response.send_message("psst", ephemeral=True)

    @tree.command(description="has suggestions")
    async def fetch(interaction: discord.Interaction, toy: str) -> None:
        await interaction.response.send_message(toy)

    @fetch.autocomplete("toy")
    async def toys(_: discord.Interaction, current: str) -> list[app_commands.Choice[str]]:
        known = ["mouse", "string", "box"]
        return [app_commands.Choice(name=toy, value=toy) for toy in known if toy.startswith(current)]

    @tree.command(description="answers twice")
    async def twice(interaction: discord.Interaction) -> None:
        await interaction.response.send_message("one")
        # A second response object forgets that the first one has answered.
        with pytest.raises(discord.HTTPException) as caught:
            await discord.InteractionResponse(interaction).send_message("two")
        bot.errors.append(caught.value)

    @tree.command(description="whose name is that")
    async def sniff(interaction: discord.Interaction, who: discord.Member) -> None:
        await interaction.response.send_message(f"{who.name} {who.resolved_permissions is not None}")

    @tree.command(description="shows a button")
    async def door(interaction: discord.Interaction) -> None:
        await interaction.response.send_message("open?", view=Door())

    admin = app_commands.Group(name="admin", description="for the staff", guild_only=True)
    admin.default_permissions = discord.Permissions(manage_guild=True)

    @admin.command(description="loads again")
    async def reload(interaction: discord.Interaction) -> None:
        await interaction.response.send_message("reloaded")

    tree.add_command(admin)

    @tree.context_menu(name="Pet this")
    async def pet(interaction: discord.Interaction, message: discord.Message) -> None:
        await interaction.response.send_message(f"purrs at {message.content}")


class Letter(discord.ui.Modal, title="Letter"):
    text: discord.ui.TextInput[Letter] = discord.ui.TextInput(label="Text", custom_id="text")

    async def on_submit(self, interaction: discord.Interaction, /) -> None:
        await interaction.response.send_message(f"read {self.text.value}")


class Door(discord.ui.View):
    @discord.ui.button(label="Open", custom_id="open")
    async def open(self, interaction: discord.Interaction, _: discord.ui.Button[Door]) -> None:
        await interaction.response.edit_message(content="opened", view=None)

    @discord.ui.button(label="Write", custom_id="write")
    async def write(self, interaction: discord.Interaction, _: discord.ui.Button[Door]) -> None:
        await interaction.response.send_modal(Letter())


class RawGateway:
    """A gateway socket without a library: `read` gives payloads, decompressed if need be."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        self.ws = ws
        self._inflate = zlib.decompressobj()

    async def send(self, operation: int, data: Any) -> None:
        await self.ws.send_json({"op": operation, "d": data})

    async def read(self) -> Json:
        frame = await self.ws.receive(TIMEOUT)
        if frame.type is aiohttp.WSMsgType.BINARY:
            assert frame.data.endswith(b"\x00\x00\xff\xff")
            payload: Json = json.loads(self._inflate.decompress(frame.data))
        else:
            assert frame.type is aiohttp.WSMsgType.TEXT, frame
            payload = json.loads(frame.data)
        return payload

    async def until(self, name: str) -> Json:
        """The next event of that name; others are skipped."""
        while (payload := await self.read())["t"] != name:
            pass
        return payload

    async def closed(self) -> int | None:
        """Read until the server closes; its close code."""
        while (await self.ws.receive(TIMEOUT)).type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
            pass
        return self.ws.close_code

    async def identify(self, token: str = "sandbox.token", intents: int = 1 << 9 | 1 << 12, **more: Any) -> Json:
        await self.send(2, {"token": token, "intents": intents, "properties": {}, **more})
        return await self.until("READY")


class Api:
    """The HTTP API without a library: (status, body) of a request with the bot's token."""

    def __init__(self, sandbox: Sandbox, session: aiohttp.ClientSession) -> None:
        self.sandbox = sandbox
        self.session = session

    async def __call__(self, method: str, path: str, body: Any = None, *, token: str | None = None) -> tuple[int, Any]:
        headers = {"Authorization": f"Bot {token or self.sandbox.token}"}
        url = self.sandbox.api_base + path
        async with self.session.request(method, url, json=body, headers=headers) as response:
            text = await response.text()
            return response.status, json.loads(text) if text else None


StartBot = Callable[..., Awaitable[CatLike]]
Connect = Callable[..., Awaitable[RawGateway]]
