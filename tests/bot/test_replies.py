"""From a message to a reply: what the cat reads, whose turn it is, when typing shows, and how the answer is posted."""

import asyncio
from typing import Any
from unittest.mock import create_autospec

import discord
import pytest

import bot.replies
from bot.replies import ChannelBusy, ChannelTurns, Replier, is_picture, post, react, readable_text, typing_when_slow
from bot.settings import Settings
from model import Turn
from model.errors import Busy
from model.service import CatModel

from .discord_objects import CAT_ID, Channel, attachment, http_error, sticker
from .replies_of_a_cat import a_reply

ZALGO = "ね" + "\u0301\u0316\u0333" * 30 + "こ"

# --- what the cat reads -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "read"),
    [
        ("hello", "hello"),
        (f"<@{CAT_ID}> ご飯だよ", "ご飯だよ"),
        (f"<@!{CAT_ID}>ご飯だよ", "ご飯だよ"),
        (f"ねえ<@{CAT_ID}>ご飯", "ねえ ご飯"),
        (f"<@{CAT_ID}> <@{CAT_ID}> hi", "hi"),
        (f"<@{CAT_ID}> look at <@8> and <@!9>", "look at and"),
        (f"<@{CAT_ID}> <@&11> in <#12>!", "in !"),
        (f"<@{CAT_ID}>", ""),
        (f"  <@{CAT_ID}>\n", ""),
        ("", ""),
        ("a\n\n b\u3000c", "a b c"),
        ("<:neko:123> <t:1700000000> 3<4 <@x>", "<:neko:123> <t:1700000000> 3<4 <@x>"),
        ("あ" * 4000, "あ" * 4000),
        ("\ud83d", "\ud83d"),
        (ZALGO, ZALGO),
        ("\u202eمرحبا يا قطة", "\u202eمرحبا يا قطة"),
    ],
)
async def test_the_text_is_read_without_mentions(content: str, read: str) -> None:
    assert readable_text(Channel().message(content), CAT_ID) == read


@pytest.mark.parametrize(
    ("shown", "read"),
    [
        ({"sticker_items": [sticker("ねむい")]}, "（ねむい）"),
        ({"attachments": [attachment("a.bin", "image/png")]}, "（写真を見せる）"),
        ({"attachments": [attachment("a.bin", "video/mp4")]}, "（写真を見せる）"),
        ({"attachments": [attachment("A.JPG")]}, "（写真を見せる）"),
        ({"attachments": [attachment("a.pdf", "application/pdf")]}, "（何かを差し出す）"),
        ({"attachments": [attachment("voice.ogg", "audio/ogg")]}, "（何かを差し出す）"),
        ({"attachments": [attachment("a")]}, "（何かを差し出す）"),
        ({"sticker_items": [sticker("ねむい")], "attachments": [attachment("a.png")]}, "（ねむい）"),
    ],
)
async def test_what_is_shown_without_words_is_a_stage_direction(shown: dict[str, Any], read: str) -> None:
    assert readable_text(Channel().message(f"<@{CAT_ID}>", **shown), CAT_ID) == read


async def test_words_go_before_what_is_shown() -> None:
    message = Channel().message("見て", attachments=[attachment("a.png")])
    assert readable_text(message, CAT_ID) == "見て"


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.jpeg", "a.gif", "a.webp", "A.WebP"])
async def test_a_picture_is_known_by_its_name_when_its_type_is_missing(name: str) -> None:
    message = Channel().message(attachments=[attachment(name)])
    assert is_picture(message.attachments[0])


# --- whose turn it is -------------------------------------------------------------------------------------------


async def settle() -> None:
    """Let everything that can run, run."""
    for _ in range(20):
        await asyncio.sleep(0)


class Visitors:
    """Tasks that take turns in a channel; each is let go by hand."""

    def __init__(self, turns: ChannelTurns) -> None:
        self.turns = turns
        self.inside: list[str] = []
        self.entered: list[str] = []
        self._go: dict[str, asyncio.Event] = {}

    async def come(self, name: str, channel: int = 1) -> "asyncio.Task[None]":
        self._go[name] = asyncio.Event()
        task = asyncio.create_task(self._visit(name, channel))
        await settle()
        return task

    async def leave(self, name: str) -> None:
        self._go[name].set()
        await settle()

    async def _visit(self, name: str, channel: int) -> None:
        async with self.turns.turn(channel):
            self.entered.append(name)
            self.inside.append(name)
            try:
                await self._go[name].wait()
            finally:
                self.inside.remove(name)


async def test_one_at_a_time_in_the_order_of_coming() -> None:
    visitors = Visitors(ChannelTurns(waiting=8))
    names = ["a", "b", "c", "d"]
    for name in names:
        await visitors.come(name)
    for name in names:
        assert visitors.inside == [name]
        await visitors.leave(name)
    assert visitors.entered == names


async def test_channels_do_not_wait_for_each_other() -> None:
    visitors = Visitors(ChannelTurns(waiting=0))
    await visitors.come("a", channel=1)
    await visitors.come("b", channel=2)
    assert visitors.inside == ["a", "b"]
    await visitors.leave("a")
    await visitors.leave("b")


@pytest.mark.parametrize("waiting", [0, 1, 3])
async def test_one_more_than_may_wait_is_refused_at_once(waiting: int) -> None:
    visitors = Visitors(ChannelTurns(waiting))
    names = [str(number) for number in range(waiting + 1)]
    for name in names:
        await visitors.come(name)
    with pytest.raises(ChannelBusy) as caught:
        await (await visitors.come("one more"))
    assert isinstance(caught.value, Busy)
    for name in names:
        await visitors.leave(name)
    assert visitors.entered == names


async def test_a_refused_one_does_not_take_a_place() -> None:
    visitors = Visitors(ChannelTurns(waiting=1))
    await visitors.come("a")
    await visitors.come("b")
    for _ in range(3):
        with pytest.raises(ChannelBusy):
            await (await visitors.come("refused"))
    await visitors.leave("a")
    await visitors.come("c")
    await visitors.leave("b")
    await visitors.leave("c")
    assert visitors.entered == ["a", "b", "c"]


async def test_one_that_stops_waiting_gives_its_place_to_the_next() -> None:
    visitors = Visitors(ChannelTurns(waiting=1))
    await visitors.come("a")
    gone = await visitors.come("gone")
    gone.cancel()
    await settle()
    await visitors.come("b")
    await visitors.leave("a")
    await visitors.leave("b")
    assert gone.cancelled()
    assert visitors.entered == ["a", "b"]


async def test_one_that_is_cancelled_or_fails_inside_lets_the_next_one_in() -> None:
    turns = ChannelTurns(waiting=8)
    visitors = Visitors(turns)
    first = await visitors.come("a")
    await visitors.come("b")
    first.cancel()
    await settle()
    assert visitors.inside == ["b"]
    await visitors.leave("b")
    with pytest.raises(ZeroDivisionError):
        async with turns.turn(1):
            raise ZeroDivisionError
    async with turns.turn(1):
        pass


async def test_nothing_is_kept_about_channels_that_are_done() -> None:
    turns = ChannelTurns(waiting=8)
    visitors = Visitors(turns)
    tasks = [await visitors.come(f"{channel}{name}", channel) for channel in (1, 2, 3) for name in "abc"]
    tasks[0].cancel()  # inside
    tasks[4].cancel()  # waiting
    await settle()
    for channel in (1, 2, 3):
        for name in "abc":
            await visitors.leave(f"{channel}{name}")
    assert all(task.done() for task in tasks)
    assert turns._channels == {}


# --- asking the model -------------------------------------------------------------------------------------------


@pytest.fixture
def cat() -> Any:
    cat = create_autospec(CatModel, instance=True)
    cat.reply.return_value = a_reply("ﾆｬｰ")
    return cat


def replier_of(settings: Settings, cat: Any) -> Replier:
    async def ready() -> CatModel:
        model: CatModel = cat
        return model

    return Replier(settings, ready)


async def test_the_model_gets_the_context_and_the_settings(settings: Settings, cat: Any) -> None:
    changed = settings.model_copy(update={"catbot_reply_deadline": 3.0, "catbot_temperature": 0.1})
    replier = replier_of(changed, cat)
    reply = await replier.reply(5, "ご飯だよ")
    replier.remember(5, 7, "ご飯だよ", reply)
    await replier.reply(5, "おいしい？")
    asked = cat.reply.call_args
    assert asked.args == ([Turn("user", "ご飯だよ"), Turn("cat", "ﾆｬｰ"), Turn("user", "おいしい？")],)
    assert (asked.kwargs["channel"], asked.kwargs["deadline"], asked.kwargs["sampling"].temperature) == ("5", 3.0, 0.1)


async def test_channels_have_contexts_of_their_own(settings: Settings, cat: Any) -> None:
    replier = replier_of(settings, cat)
    replier.remember(5, 7, "ひみつ", a_reply("ﾆｬｰ"))
    await replier.reply(6, "hi")
    assert cat.reply.call_args.args == ([Turn("user", "hi")],)


async def test_without_words_only_the_cat_is_remembered(settings: Settings, cat: Any) -> None:
    replier = replier_of(settings, cat)
    replier.remember(5, 7, "", a_reply("ﾆｬｰ"))
    await replier.reply(5, "hi")
    assert cat.reply.call_args.args == ([Turn("cat", "ﾆｬｰ"), Turn("user", "hi")],)


async def test_the_answered_message_stands_in_for_a_lost_context_and_is_not_doubled(settings: Settings, cat: Any) -> None:
    replier = replier_of(settings, cat)
    await replier.reply(5, "なに？", before="ﾌｰｯ")
    assert cat.reply.call_args.args == ([Turn("cat", "ﾌｰｯ"), Turn("user", "なに？")],)
    replier.remember(5, 7, "尻尾", a_reply("ﾌｰｯ"))
    await replier.reply(5, "なに？", before="ﾌｰｯ")
    assert cat.reply.call_args.args == ([Turn("user", "尻尾"), Turn("cat", "ﾌｰｯ"), Turn("user", "なに？")],)


@pytest.mark.parametrize(
    ("setting", "text", "asked", "used"),
    [
        ("auto", "", {}, "auto"),
        ("ja", "", {}, "ja"),
        ("ja", "", {"wanted": "en"}, "en"),
        ("auto", "", {"unsaid": "en"}, "en"),
        ("ja", "", {"unsaid": "en"}, "ja"),
        ("auto", "hi", {"unsaid": "ja"}, "auto"),
    ],
)
async def test_the_language_of_a_reply(
    setting: str, text: str, asked: dict[str, Any], used: str, settings: Settings, cat: Any
) -> None:
    replier = replier_of(settings.model_copy(update={"catbot_language": setting}), cat)
    await replier.reply(5, text, **asked)
    assert cat.reply.call_args.kwargs["language"] == used


# --- typing -----------------------------------------------------------------------------------------------------


async def test_a_quick_reply_shows_no_typing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bot.replies, "TYPING_AFTER", 3600.0)
    here = Channel()
    async with typing_when_slow(here.channel):
        await settle()
    await settle()  # the task ends by itself, at the next turn of the loop
    here.http.send_typing.assert_not_called()
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_slow_reply_shows_typing_until_it_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bot.replies, "TYPING_AFTER", 0.0)
    here = Channel()
    async with typing_when_slow(here.channel):
        await until_called(here.http.send_typing)
    await settle()
    here.http.send_typing.assert_called_once_with(here.channel.id)
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.parametrize(
    "error",
    [http_error(discord.Forbidden, 403), http_error(discord.DiscordServerError, 500), ConnectionResetError(), TimeoutError()],
    ids=lambda error: type(error).__name__,
)
async def test_typing_that_fails_does_not_cost_the_reply(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bot.replies, "TYPING_AFTER", 0.0)
    here = Channel()
    here.http.send_typing.side_effect = error
    async with typing_when_slow(here.channel):
        await until_called(here.http.send_typing)
        await settle()
        reply = "ﾆｬｰ"
    assert reply == "ﾆｬｰ"


async def test_what_the_block_raises_comes_through_and_typing_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bot.replies, "TYPING_AFTER", 0.0)
    here = Channel()

    async def fail() -> None:
        async with typing_when_slow(here.channel):
            await until_called(here.http.send_typing)
            raise Busy("the queue is full")

    with pytest.raises(Busy):
        await fail()
    await settle()
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def until_called(mock: Any) -> None:
    async with asyncio.timeout(10):
        while not mock.called:  # noqa: ASYNC110 - a mock has no event
            await asyncio.sleep(0)


# --- posting ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("direct", [False, True], ids=["server", "direct message"])
async def test_the_answer_refers_to_the_message_and_pings_nobody(direct: bool) -> None:
    here = Channel(direct=direct)
    await post(here.message("ご飯だよ", id="1234"), "ﾆｬｰ！")
    here.http.send_message.assert_called_once()
    sent = here.http.send_message.call_args.kwargs["params"].payload
    assert sent["content"] == "ﾆｬｰ！"
    assert sent["allowed_mentions"] == {"parse": [], "replied_user": False}
    assert int(sent["message_reference"]["message_id"]) == 1234
    assert sent["message_reference"]["fail_if_not_exists"] is False
    assert (sent["nonce"], sent["enforce_nonce"]) == ("1234", True)


async def test_a_post_that_fails_says_so() -> None:
    here = Channel()
    here.http.send_message.side_effect = http_error(discord.Forbidden, 403)
    with pytest.raises(discord.Forbidden):
        await post(here.message(), "ﾆｬｰ")


async def test_a_reaction_is_sent() -> None:
    here = Channel()
    await react(here.message(id="1234"), "💤")
    here.http.add_reaction.assert_called_once_with(5, 1234, "💤")


@pytest.mark.parametrize("error", [http_error(discord.Forbidden, 403), http_error(discord.NotFound, 404)])
async def test_a_reaction_that_is_not_allowed_or_too_late_is_left_out(error: Exception) -> None:
    here = Channel()
    here.http.add_reaction.side_effect = error
    await react(here.message(), "💤")
    here.http.add_reaction.assert_called_once()
