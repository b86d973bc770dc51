"""/admin: what the operator can do while the bot runs. Never by server permission, always by who owns the bot."""

import logging
import math
import time
from datetime import timedelta

import discord
import psutil
from discord import app_commands
from discord.ext import commands

from model.errors import CatError

from ..client import CatBot
from ..errors import reason, report
from ..i18n import operator_text
from ..pointer import local_checkpoints, resolve, write_pointer

log = logging.getLogger(__name__)


class Admin(commands.GroupCog, group_name="admin", group_description="For the operator of this bot"):
    """Reload and status."""

    def __init__(self, bot: CatBot) -> None:
        self.bot = bot
        super().__init__()

    async def interaction_check(self, interaction: discord.Interaction[CatBot], /) -> bool:  # type: ignore[override]
        """Only the operator; everybody else reads so, alone."""
        if await self.bot.is_operator(interaction.user):
            return True
        if interaction.type is not discord.InteractionType.autocomplete:
            await interaction.response.send_message(operator_text("not_operator", interaction.locale), ephemeral=True)
        return False

    @app_commands.command(description="Serve another checkpoint without a restart")
    @app_commands.describe(checkpoint="A local checkpoint, or a hub id such as user/name@revision")
    async def reload(self, interaction: discord.Interaction[CatBot], checkpoint: app_commands.Range[str, 1, 200]) -> None:
        """Verify, load beside the old model, swap; on any failure say why and change nothing."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        log.info("reload of %r asked by user %d", checkpoint, interaction.user.id)
        started = time.monotonic()
        try:
            settings = self.bot.settings
            cat = await self.bot.cat()
            serving = await cat.swap(resolve(checkpoint, settings.catbot_checkpoints_dir))
            write_pointer(settings.catbot_data_dir, source=checkpoint, configured=settings.catbot_checkpoint)
        except CatError as error:
            log.warning("reload of %r failed: %s", checkpoint, error)
            text = operator_text("reload_failed", interaction.locale, reason=reason(error))
        except Exception as error:
            code = report(error, f"reload of {checkpoint!r}")
            text = operator_text(
                "reload_failed", interaction.locale, reason=operator_text("unknown", interaction.locale, code=code)
            )
        else:
            log.info("reload of %r done: %s (%s)", checkpoint, serving.name, serving.revision)
            seconds = time.monotonic() - started
            values = {"name": serving.name, "revision": serving.revision, "seconds": seconds}
            text = operator_text("reload_done", interaction.locale, **values)
        await interaction.edit_original_response(content=text, allowed_mentions=discord.AllowedMentions.none())

    @reload.autocomplete("checkpoint")
    async def _checkpoints(self, interaction: discord.Interaction[CatBot], current: str) -> list[app_commands.Choice[str]]:
        if not await self.bot.is_operator(interaction.user):  # discord.py runs no interaction_check for autocomplete
            return []
        names = local_checkpoints(self.bot.settings.catbot_checkpoints_dir)
        return [app_commands.Choice(name=name[:100], value=name[:100]) for name in names if current.lower() in name.lower()][:25]

    @app_commands.command(description="What serves, and how it is doing")
    async def status(self, interaction: discord.Interaction[CatBot]) -> None:
        """One screen of facts."""
        if self.bot.cat_is_loading:
            await interaction.response.send_message(operator_text("loading", interaction.locale), ephemeral=True)
            return
        status = (await self.bot.cat()).status()
        text = operator_text(
            "status",
            interaction.locale,
            name=status.checkpoint.name,
            revision=status.checkpoint.revision,
            device=status.device,
            uptime=str(timedelta(seconds=round(status.uptime_s))),
            replies=status.replies,
            errors=status.errors,
            waiting=status.waiting,
            p50=_milliseconds(status.p50_ms),
            p95=_milliseconds(status.p95_ms),
            memory=psutil.Process().memory_info().rss >> 20,
            guilds=len(self.bot.guilds),
            shards=self.bot.shard_count or 1,
        )
        await interaction.response.send_message(text, ephemeral=True)


def _milliseconds(value: float) -> str:
    """A latency in words; there is none before the first reply."""
    return "–" if math.isnan(value) else f"{value:.0f} ms"


async def setup(bot: CatBot) -> None:
    """Entry point of the extension. With ADMIN_GUILD_ID the commands exist in that server only."""
    guild = bot.settings.admin_guild_id
    await bot.add_cog(Admin(bot), guilds=[discord.Object(guild)] if guild else [])
