"""The cat in a terminal: a conversation line by line, and JSON lines in and out for scripts.

Owns the two loops and their formats. The same replier as on Discord answers, so context and limits are the same.
"""

import asyncio
import json
import sys
import time
from collections.abc import Callable
from typing import Any, TextIO

from model.blocking import run_blocking
from model.errors import CatError
from model.service import CatModel

from .replies import Replier
from .settings import Settings

#: What ends a terminal chat, besides the end of input.
GOODBYES = frozenset({"終了", "exit", "quit"})

_LANGUAGES = ("auto", "ja", "en")


async def chat(settings: Settings, cat: CatModel, *, read: Callable[[], str], write: Callable[[str], None]) -> None:
    """Talk line by line. `read` blocks for a line and raises EOFError at the end of input."""
    replier = Replier(settings, _ready(cat))
    while True:
        try:
            text = (await run_blocking(read)).strip()
        except EOFError:
            return
        if text.lower() in GOODBYES:
            return
        try:
            reply = await replier.reply(0, text)
        except CatError as error:
            write(f"({error})")
            continue
        replier.remember(0, 0, text, reply)
        write(reply.text)


async def chat_jsonl(settings: Settings, cat: CatModel, source: TextIO, sink: TextIO, *, concurrency: int) -> None:
    """Answer JSON lines: {"channel", "text", "language"?} in, {"channel", "text", "reply", "mood"?, "ms"} out.

    Output keeps the order of the input; channels are answered side by side, up to `concurrency` at once, each with its
    own context. A bad line gets {"error": ..., "line": number} and the rest goes on.
    """
    session = _JsonLines(settings, cat, concurrency)
    pending: asyncio.Queue[asyncio.Task[dict[str, Any]] | None] = asyncio.Queue(concurrency * 4)

    async def feed() -> None:
        number = 0
        try:
            while line := await run_blocking(source.readline):
                number += 1
                if line.strip():
                    await pending.put(asyncio.create_task(session.answer(line, number)))
        finally:
            await pending.put(None)

    feeding = asyncio.create_task(feed())
    while task := await pending.get():
        print(_write_line(await task), file=sink, flush=True)
    await feeding


class _JsonLines:
    """The state of one run: which channel has which number, and who is in front of whom."""

    def __init__(self, settings: Settings, cat: CatModel, concurrency: int) -> None:
        # A file does not mind waiting: no line is refused because of those before it.
        patient = settings.model_copy(update={"catbot_channel_queue": 1 << 30, "catbot_reply_deadline": 600.0})
        self._replier = Replier(patient, _ready(cat))
        self._slots = asyncio.Semaphore(concurrency)
        self._channels: dict[str, int] = {}

    async def answer(self, line: str, number: int) -> dict[str, Any]:
        try:
            channel, text, language = _read_line(line)
        except ValueError as error:
            return {"error": str(error), "line": number}
        place = self._channels.setdefault(channel, len(self._channels))
        async with self._replier.channel_turns.turn(place), self._slots:
            started = time.perf_counter()
            try:
                reply = await self._replier.reply(place, text, wanted=language)
            except CatError as error:
                return {"channel": channel, "text": text, "error": str(error), "line": number}
            self._replier.remember(place, 0, text, reply)
        answer = {"channel": channel, "text": text, "reply": reply.text, "ms": round((time.perf_counter() - started) * 1000, 1)}
        return answer | ({"mood": reply.mood} if reply.mood else {})


def _read_line(line: str) -> tuple[str, str, Any]:
    """Channel, text and language of one line; raises ValueError that says what is wrong with it."""
    try:
        data = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"not JSON: {error}") from None
    if not isinstance(data, dict):
        raise ValueError("a line must be a JSON object with 'channel' and 'text'")
    channel, text, language = data.get("channel"), data.get("text"), data.get("language") or "auto"
    if isinstance(channel, bool) or not isinstance(channel, str | int):
        raise ValueError("'channel' must be a string or a number")
    if not isinstance(text, str):
        raise ValueError("'text' must be a string")
    if language not in _LANGUAGES:
        raise ValueError(f"'language' must be one of {', '.join(_LANGUAGES)}")
    return str(channel), text, language


def _write_line(answer: dict[str, Any]) -> str:
    """An answer as one line of JSON. Half a surrogate pair, which no encoding can write, makes it all ASCII."""
    line = json.dumps(answer, ensure_ascii=False)
    try:
        line.encode()
    except UnicodeEncodeError:
        return json.dumps(answer)
    return line


def _ready(cat: CatModel) -> Any:
    async def get() -> CatModel:
        return cat

    return get


def read_from_terminal() -> str:
    """A line from the keyboard; the prompt is shown only to people."""
    return input("> " if sys.stdin.isatty() else "")
