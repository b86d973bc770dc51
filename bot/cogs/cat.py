"""/meow: talk to the cat from anywhere, or hear it meow of its own accord."""

import asyncio

import discord
from discord import app_commands
from discord.ext import commands

from model.catspeak import detect_language
from model.errors import CatError

from ..client import CatBot
from ..errors import report, shrug
from ..i18n import language_of

#: Discord drops an interaction that is not answered within 3 s; past this many, the answer is announced instead.
DEFER_AFTER = 1.5


class Cat(commands.Cog):
    """The commands for everyone."""

    def __init__(self, bot: CatBot) -> None:
        self.bot = bot

    @app_commands.command(name="meow", description="Talk to the cat, or just hear it meow")
    @app_commands.describe(message="What to say to the cat", private="Only you see the answer")
    @app_commands.allowed_installs(guilds=True, users=True)
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
    async def meow(
        self, interaction: discord.Interaction[CatBot], message: app_commands.Range[str, 0, 2000] = "", private: bool = False
    ) -> None:
        """Answer at once if the model is quick, and announce the answer if it is not."""
        text = " ".join(message.split())
        work = asyncio.create_task(self._answer(interaction, text, private))
        try:
            await asyncio.wait({work}, timeout=DEFER_AFTER)
            if not work.done():
                await interaction.response.defer(ephemeral=private, thinking=True)
            said = await work
        finally:
            work.cancel()
        if interaction.response.is_done():
            # Editing what was announced can be repeated after a lost answer; a follow-up would be a second message.
            await interaction.edit_original_response(content=said, allowed_mentions=discord.AllowedMentions.none())
        else:
            await interaction.response.send_message(said, ephemeral=private)

    async def _answer(self, interaction: discord.Interaction[CatBot], text: str, private: bool) -> str:
        """The cat's answer, or its shrug. A private one leaves no trace in the channel's context and takes none from it."""
        place = interaction.id if private else (interaction.channel_id or interaction.user.id)
        here = language_of(interaction.locale)
        replier = self.bot.replier
        try:
            async with replier.channel_turns.turn(place):
                reply = await replier.reply(place, text, unsaid=here)
                if not private:
                    replier.remember(place, interaction.user.id, text, reply)
        except CatError as error:
            report(error, f"no reply to /meow {interaction.id}")
            return shrug(error, detect_language(text) if text else here)
        return reply.text


async def setup(bot: CatBot) -> None:
    """Entry point of the extension."""
    await bot.add_cog(Cat(bot))
