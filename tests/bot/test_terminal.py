"""The cat in a terminal: a conversation line by line, and JSON lines that stay in order while channels run side by side."""

import asyncio
import io
import json
from collections.abc import Callable, Sequence
from typing import Any
from unittest.mock import create_autospec

import pytest

from bot.settings import Settings
from bot.terminal import chat, chat_jsonl
from model import Turn
from model.engine.request import Reply
from model.errors import Busy, RequestInvalid
from model.service import CatModel

from .replies_of_a_cat import a_reply


class ScriptedCat:
    """Answers "ﾆｬｰ", or what was scripted for a text; keeps what it was asked and how many it answered at once."""

    def __init__(self, **scripted: Reply | Exception) -> None:
        self.scripted = scripted
        self.asked: list[list[Turn]] = []
        self.languages: list[str] = []
        self.at_once = self.most_at_once = 0
        self.held: dict[str, asyncio.Event] = {}
        self.face: Any = create_autospec(CatModel, instance=True)
        self.face.reply.side_effect = self._reply

    async def _reply(self, turns: Sequence[Turn], *, language: str, **_: Any) -> Reply:
        self.asked.append(list(turns))
        self.languages.append(language)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        text = turns[-1].text
        try:
            await asyncio.sleep(0)
            if text in self.held:
                await self.held[text].wait()
        finally:
            self.at_once -= 1
        outcome = self.scripted.get(text, a_reply("ﾆｬｰ"))
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


# --- line by line -----------------------------------------------------------------------------------------------


async def talk(settings: Settings, cat: ScriptedCat, *lines: str) -> tuple[list[str], list[str]]:
    """What the cat wrote, and the lines that were left unread when the chat ended."""
    left, written = list(lines), list[str]()

    def read() -> str:
        if not left:
            raise EOFError
        return left.pop(0)

    async with asyncio.timeout(10):
        await chat(settings, cat.face, read=read, write=written.append)
    return written, left


@pytest.mark.parametrize("goodbye", ["終了", "exit", "quit", "EXIT", "  quit  "])
async def test_a_goodbye_ends_the_chat(goodbye: str, settings: Settings) -> None:
    assert await talk(settings, ScriptedCat(), "hi", goodbye, "more") == (["ﾆｬｰ"], ["more"])


async def test_the_end_of_input_ends_the_chat(settings: Settings) -> None:
    assert await talk(settings, ScriptedCat(), "hi", "hi") == (["ﾆｬｰ", "ﾆｬｰ"], [])


async def test_a_goodbye_inside_a_sentence_is_talk(settings: Settings) -> None:
    written, _ = await talk(settings, ScriptedCat(), "don't quit")
    assert written == ["ﾆｬｰ"]


async def test_the_chat_keeps_its_context(settings: Settings) -> None:
    cat = ScriptedCat()
    await talk(settings, cat, "ご飯だよ", "おいしい？")
    assert cat.asked[1] == [Turn("user", "ご飯だよ"), Turn("cat", "ﾆｬｰ"), Turn("user", "おいしい？")]


async def test_an_error_is_said_and_the_chat_goes_on(settings: Settings) -> None:
    cat = ScriptedCat(boom=Busy("the queue is full"))
    written, _ = await talk(settings, cat, "boom", "hi")
    assert written == ["(the queue is full)", "ﾆｬｰ"]
    assert cat.asked[1] == [Turn("user", "hi")]


# --- JSON lines -------------------------------------------------------------------------------------------------


async def lines(settings: Settings, cat: ScriptedCat, *given: Any, concurrency: int = 16) -> list[dict[str, Any]]:
    """The answers to lines; what is not text already is written as JSON."""
    source = io.StringIO("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in given))
    written = io.BytesIO()
    sink = io.TextIOWrapper(written, "utf-8", write_through=True)  # as strict as a real output
    async with asyncio.timeout(10):
        await chat_jsonl(settings, cat.face, source, sink, concurrency=concurrency)
    return [json.loads(line) for line in written.getvalue().splitlines()]


def line(channel: object, text: object, **more: object) -> dict[str, object]:
    return {"channel": channel, "text": text, **more}


async def test_an_answer_has_what_was_asked_and_what_was_said(settings: Settings) -> None:
    cat = ScriptedCat(ご飯=a_reply("ﾆｬｰ！（飛び跳ねる）", mood="food"), plain=a_reply("Meow!", mood=None))
    first, second = await lines(settings, cat, line("a", "ご飯"), line(7, "plain"))
    assert first.pop("ms") >= 0
    assert second.pop("ms") >= 0
    assert first == {"channel": "a", "text": "ご飯", "reply": "ﾆｬｰ！（飛び跳ねる）", "mood": "food"}
    assert second == {"channel": "7", "text": "plain", "reply": "Meow!"}


async def test_answers_keep_the_order_of_the_lines_although_later_ones_are_ready_first(settings: Settings) -> None:
    cat = ScriptedCat()
    cat.held["slow"] = asyncio.Event()
    running = asyncio.create_task(lines(settings, cat, line("a", "slow"), line("b", "1"), line("c", "2"), line("b", "3")))
    await until(lambda: len(cat.asked) == 4)
    cat.held["slow"].set()
    assert [answer["text"] for answer in await running] == ["slow", "1", "2", "3"]


async def test_each_channel_has_its_own_context_and_its_lines_wait_for_each_other(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.terminal.run_blocking", in_this_thread)
    cat = ScriptedCat()
    given = [line(channel, f"{channel}{number}") for number in range(3) for channel in "ab"]
    await lines(settings, cat, *given)
    last = {turns[-1].text: [turn.text for turn in turns] for turns in cat.asked}
    for channel in "ab":
        assert last[f"{channel}2"] == [f"{channel}0", "ﾆｬｰ", f"{channel}1", "ﾆｬｰ", f"{channel}2"]


@pytest.mark.parametrize(("concurrency", "at_once"), [(1, 1), (3, 3), (50, 20)])
async def test_no_more_channels_at_once_than_asked(
    concurrency: int, at_once: int, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.terminal.run_blocking", in_this_thread)
    cat = ScriptedCat()
    cat.held = {"hi": asyncio.Event()}
    running = asyncio.create_task(lines(settings, cat, *(line(n, "hi") for n in range(20)), concurrency=concurrency))
    await until(lambda: cat.at_once == at_once)
    for _ in range(200):
        await asyncio.sleep(0)
    cat.held["hi"].set()
    assert len(await running) == 20
    assert cat.most_at_once == at_once


async def test_a_script_may_write_more_lines_to_a_channel_than_people_may(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.terminal.run_blocking", in_this_thread)
    few = settings.model_copy(update={"catbot_channel_queue": 0})
    answers = await lines(few, ScriptedCat(), *(line("a", str(number)) for number in range(30)))
    assert all("reply" in answer for answer in answers)


@pytest.mark.parametrize(
    "bad",
    [
        "not json",
        '{"channel": "a"',
        "[]",
        '"hi"',
        "null",
        {"text": "hi"},
        {"channel": "a"},
        line(True, "hi"),
        line(1.5, "hi"),
        line(None, "hi"),
        line("a", 5),
        line("a", None),
        line("a", "hi", language="fr"),
        line("a", "hi", language=["ja"]),
        "[" * 100_000,
        "1" * 10_000,
    ],
    ids=lambda bad: str(bad)[:30],
)
async def test_a_bad_line_is_answered_with_its_number_and_the_rest_goes_on(bad: object, settings: Settings) -> None:
    cat = ScriptedCat()
    first, error, last = await lines(settings, cat, line("a", "1"), bad, line("a", "2"))
    assert set(error) == {"error", "line"}
    assert error["line"] == 2
    assert error["error"]
    assert (first["text"], last["text"]) == ("1", "2")
    assert len(cat.asked) == 2


async def test_a_model_error_is_an_answer_and_leaves_no_trace_in_the_context(settings: Settings) -> None:
    cat = ScriptedCat(boom=RequestInvalid("it cannot be turned into tokens"))
    error, after = await lines(settings, cat, line("a", "boom"), line("a", "hi"))
    assert error == {"channel": "a", "text": "boom", "error": "it cannot be turned into tokens", "line": 1}
    assert "reply" in after
    assert cat.asked[1] == [Turn("user", "hi")]


async def test_the_language_of_a_line_goes_before_the_setting(settings: Settings) -> None:
    cat = ScriptedCat()
    japanese = settings.model_copy(update={"catbot_language": "ja"})
    await lines(japanese, cat, line("a", "1"), line("a", "2", language="en"), line("a", "3", language="auto"))
    assert cat.languages == ["ja", "en", "ja"]


async def test_blank_lines_are_skipped_but_counted(settings: Settings) -> None:
    answers = await lines(settings, ScriptedCat(), "", line("a", "hi"), "   ", "\t", "oops")
    assert [answer.get("text", answer.get("line")) for answer in answers] == ["hi", 5]


async def test_no_lines_no_answers(settings: Settings) -> None:
    assert await lines(settings, ScriptedCat()) == []


@pytest.mark.parametrize("text", ["\ud83d", "a\udc00b", "🐟", "\u2028", ""])
async def test_any_text_that_json_can_hold_comes_back(text: str, settings: Settings) -> None:
    answer, after = await lines(settings, ScriptedCat(), line("a", text), line("a", "hi"))
    assert answer["text"] == text
    assert "reply" in after


async def test_input_that_breaks_off_ends_the_run_with_its_error(settings: Settings) -> None:
    source, sink = create_autospec(io.StringIO, instance=True), io.StringIO()
    source.readline.side_effect = ['{"channel": 1, "text": "hi"}\n', OSError("the pipe is gone")]
    with pytest.raises(OSError, match="the pipe is gone"):
        async with asyncio.timeout(10):
            await chat_jsonl(settings, ScriptedCat().face, source, sink, concurrency=1)
    assert json.loads(sink.getvalue())["text"] == "hi"


async def test_japanese_is_written_as_it_is(settings: Settings) -> None:
    source, sink = io.StringIO('{"channel": "居間", "text": "ご飯"}\n'), io.StringIO()
    await chat_jsonl(settings, ScriptedCat().face, source, sink, concurrency=1)
    assert '"channel": "居間", "text": "ご飯", "reply": "ﾆｬｰ"' in sink.getvalue()


async def in_this_thread(function: Callable[..., Any], *arguments: Any) -> Any:
    """Instead of run_blocking: all lines are there before the first answer is, whatever this machine is busy with."""
    return function(*arguments)


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not true():  # noqa: ASYNC110 - what is waited for is inside the code under test
            await asyncio.sleep(0)
