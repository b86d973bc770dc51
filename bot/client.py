"""The discord.py client: intents, cogs, and commands that are synchronised only when they changed.

Owns the connection's settings and the wait for a model that is still loading. What the bot does is in `cogs`.
"""

import asyncio
import contextlib
import hashlib
import json
import logging
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import discord
import yarl
from discord import app_commands
from discord.ext import commands
from discord.gateway import DiscordWebSocket

from model.service import CatModel

from .errors import report, shrug
from .i18n import CatTranslator, language_of
from .replies import CONNECTION_ERRORS, Replier
from .settings import DISCORD_API_BASE, Settings

log = logging.getLogger(__name__)

#: Cogs in the order of loading. One that fails is logged, and the others run.
COGS = ("bot.cogs.chat", "bot.cogs.cat", "bot.cogs.admin")


def catbot_intents() -> discord.Intents:
    """No privileged intent: mentions, direct messages and replies that ping carry their text without one."""
    return discord.Intents(guilds=True, guild_messages=True, dm_messages=True)


class CatTree(app_commands.CommandTree["CatBot"]):
    """The application commands. Whatever one of them raises, the member sees the cat, and the log has the cause."""

    async def on_error(self, interaction: discord.Interaction["CatBot"], error: app_commands.AppCommandError, /) -> None:
        """See discord.py's CommandTree.on_error. A failed check has answered already."""
        if isinstance(error, app_commands.CheckFailure):
            return
        cause = error.original if isinstance(error, app_commands.CommandInvokeError) else error
        name = interaction.command.qualified_name if interaction.command else "?"
        report(cause, f"/{name} {interaction.id}")
        words = shrug(cause, language_of(interaction.locale))
        with contextlib.suppress(*CONNECTION_ERRORS):
            if interaction.response.type is discord.InteractionResponseType.deferred_channel_message:
                await interaction.edit_original_response(content=words)
            elif interaction.response.is_done():
                await interaction.followup.send(words, ephemeral=True)
            else:
                await interaction.response.send_message(words, ephemeral=True)


class CatBot(commands.AutoShardedBot):
    """The bot. `cat` is the loading of the model, which runs beside the login."""

    def __init__(self, settings: Settings, cat: "asyncio.Future[CatModel]") -> None:
        if settings.discord_api_base != DISCORD_API_BASE:
            discord.http.Route.BASE = settings.discord_api_base.rstrip("/")
        super().__init__(
            command_prefix=commands.when_mentioned,
            tree_cls=CatTree,
            help_command=None,
            intents=catbot_intents(),
            allowed_mentions=discord.AllowedMentions.none(),
            # A cat needs to know nobody: no member cache, few messages.
            member_cache_flags=discord.MemberCacheFlags.none(),
            chunk_guilds_at_startup=False,
            max_messages=1000,
        )
        self.settings = settings
        self._cat = cat
        self.replier = Replier(settings, self.cat)

    def cat(self) -> Awaitable[CatModel]:
        """The model, waited for if it is still loading; safe to cancel."""
        return asyncio.shield(self._cat)

    @property
    def cat_is_loading(self) -> bool:
        """Whether the model is not there yet."""
        return not self._cat.done()

    async def is_operator(self, user: discord.abc.User) -> bool:
        """Whether somebody may use /admin: the application's owner or team, or an id in the settings."""
        return user.id in self.settings.catbot_operator_ids or await self.is_owner(user)

    async def setup_hook(self) -> None:
        """Between login and gateway: cogs, the gateway's address, then the commands."""
        await self.tree.set_translator(CatTranslator())
        for name in COGS:
            try:
                await self.load_extension(name)
            except commands.ExtensionError:
                log.exception("%s could not be loaded; the rest of the bot runs without it", name)
        await self._find_gateway()
        try:
            await self.sync_commands()
        except discord.DiscordException:
            log.exception("the commands could not be synchronised; mentions are answered, and the next start tries again")

    async def _find_gateway(self) -> None:
        """Ask for the gateway's address and the number of shards.

        discord.py asks too, but after some disconnects it goes back to the address that is built into it: the one that
        was given here must be that one.
        """
        self.shard_count, url, limit = await self.http.get_bot_gateway()
        DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(url)
        if limit["remaining"] < self.shard_count:
            log.warning("%d of %d identifies are left today; shards wait for the reset", limit["remaining"], limit["total"])

    async def sync_commands(self, *, force: bool = False) -> bool:
        """Send the command definitions to Discord if they changed since the last time; returns whether they were sent."""
        admin = discord.Object(self.settings.admin_guild_id) if self.settings.admin_guild_id else None
        sent = False
        for guild in (None, admin) if admin else (None,):
            if force or await self._commands_changed(guild):
                await self.tree.sync(guild=guild)
                self._write_hash(guild, await self._commands_hash(guild))
                sent = True
        return sent

    async def _commands_changed(self, guild: discord.Object | None) -> bool:
        """By the hash of what was sent last, and by the names that Discord has: it may have lost or reset them."""
        try:
            last = self._hash_path(guild).read_text("ascii")
        except (OSError, ValueError):
            return True
        if last != await self._commands_hash(guild):
            return True
        there = {command.name for command in await self.tree.fetch_commands(guild=guild)}
        return there != {command.name for command in self.tree.get_commands(guild=guild)}

    async def _commands_hash(self, guild: discord.Object | None) -> str:
        payloads = await self.command_payloads(guild)
        return hashlib.sha256(json.dumps(payloads, sort_keys=True, ensure_ascii=False).encode()).hexdigest()

    async def command_payloads(self, guild: discord.Object | None = None) -> list[dict[str, Any]]:
        """The command definitions exactly as they are sent to Discord."""
        translator = self.tree.translator
        found = self.tree.get_commands(guild=guild)
        if translator is None:
            return [command.to_dict(self.tree) for command in found]
        return [await command.get_translated_payload(self.tree, translator) for command in found]

    def _hash_path(self, guild: discord.Object | None) -> Path:
        name = f"commands-{self.application_id}-{guild.id if guild else 'global'}.sha256"
        return self.settings.catbot_data_dir / name

    def _write_hash(self, guild: discord.Object | None, value: str) -> None:
        try:
            self.settings.catbot_data_dir.mkdir(parents=True, exist_ok=True)
            self._hash_path(guild).write_text(value, "ascii")
        except OSError as error:
            log.warning("the data folder cannot be written (%s); the commands will be sent again at the next start", error)

    async def on_ready(self) -> None:
        """Say once more in the log who and where the bot is. Nothing else: this event comes on every reconnect."""
        log.info("connected as %s to %d servers", self.user, len(self.guilds))

    async def on_message(self, message: discord.Message, /) -> None:
        """Text commands are not used: a mention is talk, and `cogs.chat` listens to it."""

    async def on_error(self, event_method: str, /, *args: Any, **kwargs: Any) -> None:
        """An exception in an event handler ends that event, not the bot."""
        log.error("an error in %s", event_method, exc_info=True)  # noqa: LOG014 - discord.py calls this in its handler
