"""Messages: which ones are for the cat, and the way from one to its reply."""

import logging
from collections import OrderedDict

import discord
from discord.ext import commands

from model.errors import CatError

from ..client import CatBot
from ..errors import ASLEEP, SHRUG, report
from ..replies import CONNECTION_ERRORS, ChannelBusy, post, react, readable_text, typing_when_slow

log = logging.getLogger(__name__)

#: Message ids remembered so that one delivered twice (after a resume) is answered once.
_REMEMBERED = 2048


class Chat(commands.Cog):
    """Answers mentions, replies that ping, and direct messages."""

    def __init__(self, bot: CatBot) -> None:
        self.bot = bot
        self._seen: OrderedDict[int, None] = OrderedDict()

    @commands.Cog.listener()
    async def on_message(self, message: discord.Message) -> None:
        """One message, start to finish."""
        if self.is_for_the_cat(message) and self._is_new(message):
            await self.answer(message)

    def is_for_the_cat(self, message: discord.Message) -> bool:
        """A person mentions the cat, pings it with a reply, or writes to it in a direct message.

        Bots, webhooks, the cat itself and Discord's own notices (joins, pins, boosts) are not answered, and neither is
        @everyone: it is not in `mentions`.
        """
        if (
            message.author.bot
            or message.webhook_id
            or message.type not in (discord.MessageType.default, discord.MessageType.reply)
        ):
            return False
        if message.guild is None:
            return True
        return self.bot.user is not None and any(user.id == self.bot.user.id for user in message.mentions)

    def _is_new(self, message: discord.Message) -> bool:
        if message.id in self._seen:
            return False
        self._seen[message.id] = None
        if len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)
        return True

    async def answer(self, message: discord.Message) -> None:
        """Wait for the channel's turn, reply, remember. Whatever fails is a reaction here and a line in the log."""
        try:
            async with self.bot.replier.channel_turns.turn(message.channel.id):
                await self._reply(message)
        except ChannelBusy:
            await react(message, ASLEEP)
        except CatError as error:
            report(error, f"no reply to message {message.id} in channel {message.channel.id}")
            await react(message, SHRUG)
        except discord.Forbidden:
            log.info("not allowed to answer in channel %d", message.channel.id)
        except CONNECTION_ERRORS as error:
            report(error, f"the reply to message {message.id} in channel {message.channel.id} could not be posted")

    async def _reply(self, message: discord.Message) -> None:
        assert self.bot.user is not None
        text = readable_text(message, self.bot.user.id)
        async with typing_when_slow(message.channel):
            reply = await self.bot.replier.reply(message.channel.id, text, before=self._answered_cat_message(message))
        await post(message, reply.text)
        self.bot.replier.remember(message.channel.id, message.author.id, text, reply)

    def _answered_cat_message(self, message: discord.Message) -> str:
        """The text of the cat's own message that this one replies to, or ""."""
        answered = message.reference.resolved if message.reference else None
        if isinstance(answered, discord.Message) and self.bot.user and answered.author.id == self.bot.user.id:
            return answered.content
        return ""


async def setup(bot: CatBot) -> None:
    """Entry point of the extension."""
    await bot.add_cog(Chat(bot))
