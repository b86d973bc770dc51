"""From a Discord message to a reply: what the cat reads, whose turn it is in a channel, and how the answer is posted.

Owns the rules "one reply in flight a channel, some waiting, the rest asleep", "typing only when it takes long" and "never
ping anybody". Does not decide which messages are for the cat (`cogs.chat`) and does not know how replies are made.
"""

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Literal

import aiohttp
import discord

from model import Language, Turn
from model.engine.request import Reply, Sampling
from model.errors import Busy
from model.service import CatModel

from .conversation import Conversations
from .settings import Settings

#: Typing is shown when a reply takes longer than this, in seconds.
TYPING_AFTER = 0.3

#: What a call to Discord can raise: its own refusals, and the network's.
CONNECTION_ERRORS = (discord.DiscordException, aiohttp.ClientError, OSError)

_MENTION = re.compile(r"<(?:@[!&]?|#)\d+>")


class ChannelBusy(Busy):
    """As many messages as may wait in this channel are waiting already."""


def readable_text(message: discord.Message, bot_id: int) -> str:
    """What a message says to the cat: its text without mentions, or what was shown instead, as a stage direction."""
    text = message.content.replace(f"<@{bot_id}>", " ").replace(f"<@!{bot_id}>", " ")
    text = " ".join(_MENTION.sub(" ", text).split())
    if text:
        return text
    if message.stickers:
        return f"（{message.stickers[0].name}）"
    if message.attachments:
        return "（写真を見せる）" if is_picture(message.attachments[0]) else "（何かを差し出す）"
    return ""


def is_picture(attachment: discord.Attachment) -> bool:
    """Whether an attachment is a picture or a film, by its media type or its name."""
    kind = attachment.content_type or ""
    return kind.startswith(("image/", "video/")) or attachment.filename.lower().endswith(
        (".png", ".jpg", ".jpeg", ".gif", ".webp")
    )


class ChannelTurns:
    """One reply in flight a channel, and up to `waiting` behind it, in the order in which they came."""

    def __init__(self, waiting: int) -> None:
        self._waiting = waiting
        self._channels: dict[int, tuple[asyncio.Lock, int]] = {}

    @asynccontextmanager
    async def turn(self, channel_id: int) -> AsyncIterator[None]:
        """Wait for this channel's turn; raises ChannelBusy at once when too many wait already."""
        lock, present = self._channels.get(channel_id, (asyncio.Lock(), 0))
        if present > self._waiting:
            raise ChannelBusy(f"{present} messages are waiting in channel {channel_id}")
        self._channels[channel_id] = lock, present + 1
        try:
            async with lock:
                yield
        finally:
            lock, present = self._channels[channel_id]
            if present == 1:
                del self._channels[channel_id]
            else:
                self._channels[channel_id] = lock, present - 1


class Replier:
    """Asks the model with a channel's context, and remembers what was said."""

    def __init__(self, settings: Settings, cat: Callable[[], Awaitable[CatModel]]) -> None:
        self._settings = settings
        self._cat = cat
        self.conversations = Conversations(
            turns=settings.catbot_context_turns,
            minutes=settings.catbot_context_minutes,
            channels=settings.catbot_context_channels,
        )
        self.channel_turns = ChannelTurns(settings.catbot_channel_queue)

    async def reply(
        self,
        channel_id: int,
        text: str,
        *,
        before: str = "",
        wanted: Language | Literal["auto"] = "auto",
        unsaid: Language | None = None,
    ) -> Reply:
        """The cat's reply to a text in a channel.

        `before` is the cat's message that is being answered; it stands in for a context that has expired. `wanted` goes
        before the setting; `unsaid` is the language for when there is no text to go by. Raises one of the CatError family.
        `remember` is the caller's, after posting.
        """
        turns = self.conversations.turns(channel_id, time.monotonic())
        if before and all(turn.text != before for turn in turns):
            turns = [*turns, Turn("cat", before)]
        language = self._settings.catbot_language if wanted == "auto" else wanted
        if language == "auto" and unsaid and not text:
            language = unsaid
        cat = await self._cat()
        return await cat.reply(
            [*turns, Turn("user", text)],
            channel=str(channel_id),
            language=language,
            deadline=self._settings.catbot_reply_deadline,
            sampling=Sampling(temperature=self._settings.catbot_temperature),
        )

    def remember(self, channel_id: int, author_id: int, text: str, reply: Reply) -> None:
        """Put a finished exchange into the channel's context."""
        said = (Turn("user", text),) if text else ()
        self.conversations.add(channel_id, author_id, time.monotonic(), *said, Turn("cat", reply.text))


#: Typing tasks that are still talking to Discord; held so that they are not collected.
_typing: set["asyncio.Task[None]"] = set()


@asynccontextmanager
async def typing_when_slow(channel: discord.abc.Messageable) -> AsyncIterator[None]:
    """Show typing while the block runs, but only once it has run for TYPING_AFTER seconds.

    A request under way is left to end by itself: discord.py 2.7 that is cancelled while it waits out a global rate limit
    never lets another request through.
    """
    done = asyncio.Event()

    async def show() -> None:
        wait = TYPING_AFTER
        # Typing is a courtesy: not being allowed to show it, or no answer to it, must not cost the reply.
        with contextlib.suppress(Exception):
            while not await _happens(done, wait):
                await channel.typing()
                wait = 8.0  # Discord shows it for ten seconds

    task = asyncio.create_task(show())
    _typing.add(task)
    task.add_done_callback(_typing.discard)
    try:
        yield
    finally:
        done.set()


async def _happens(event: asyncio.Event, seconds: float) -> bool:
    """Whether the event is set within so many seconds."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            return await event.wait()
    return False


async def post(message: discord.Message, reply: str) -> None:
    """Answer a message without pinging anybody. A message deleted meanwhile is answered without the reference.

    The nonce makes a retry after a lost response return the first post instead of a second one.
    """
    await message.channel.send(
        reply,
        reference=message.to_reference(fail_if_not_exists=False),
        mention_author=False,
        allowed_mentions=discord.AllowedMentions.none(),
        nonce=str(message.id),
    )


async def react(message: discord.Message, emoji: str) -> None:
    """React to a message. A reaction is a courtesy: where it is not allowed, or does not get through, nothing happens."""
    with contextlib.suppress(*CONNECTION_ERRORS):
        await message.add_reaction(emoji)
