"""From an exception to words: always cat speak, never the exception's own text, which the log has under a code."""

import logging
import re

import discord
import pytest

import model.errors
from bot.errors import ASLEEP, SHRUG, reason, report, shrug
from bot.replies import ChannelBusy
from model import LANGUAGES, Language
from model.catspeak import parse
from model.errors import Busy, CatError, CheckpointCorrupt, DeadlineExceeded, ServiceClosed, WorkerFailed

SECRET = "/home/mika/checkpoints token=MTIz.abc.def"

MODEL_ERRORS = [
    value for value in vars(model.errors).values() if isinstance(value, type) and issubclass(value, CatError)
]  # every class of the tree
OTHER_ERRORS = [ChannelBusy, RuntimeError, OSError, KeyError, discord.DiscordException]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", [*MODEL_ERRORS, *OTHER_ERRORS], ids=lambda kind: kind.__name__)
def test_every_shrug_is_cat_speak_without_the_exceptions_text(kind: type[Exception], language: Language) -> None:
    words = shrug(kind(SECRET), language)
    assert parse(words, language).cries
    assert not any(part in words for part in re.findall(r"\w{3,}", SECRET))


def test_the_tree_of_errors_was_found() -> None:
    assert len(MODEL_ERRORS) >= 15


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_busy_a_slow_and_a_puzzled_cat_are_told_apart(language: Language) -> None:
    busy, slow, lost = (shrug(kind(""), language) for kind in (Busy, DeadlineExceeded, WorkerFailed))
    assert len({busy, slow, lost}) == 3
    assert shrug(ChannelBusy(""), language) == busy
    assert shrug(ServiceClosed(""), language) == slow
    assert shrug(RuntimeError(""), language) == lost


def test_reactions_are_single_emoji() -> None:
    assert [len(ASLEEP), len(SHRUG)] == [1, 1]


@pytest.mark.parametrize("kind", [Busy, DeadlineExceeded, ServiceClosed])
def test_a_foreseen_error_takes_one_line_of_log(kind: type[CatError], caplog: pytest.LogCaptureFixture) -> None:
    code = report(kind("the queue is full"), "no reply to message 1")
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.exc_info is None
    assert record.getMessage() == f"[{code}] no reply to message 1: the queue is full"


@pytest.mark.parametrize("kind", [WorkerFailed, RuntimeError])
def test_an_unforeseen_error_is_logged_with_its_traceback(kind: type[Exception], caplog: pytest.LogCaptureFixture) -> None:
    try:
        raise kind("out of yarn")
    except kind as error:
        code = report(error, "no reply to message 1")
    assert caplog.records[0].levelno == logging.ERROR
    assert f"[{code}] no reply to message 1" in caplog.text
    assert "Traceback" in caplog.text
    assert "out of yarn" in caplog.text


def test_codes_are_short_and_differ() -> None:
    codes = {report(Busy(""), "x") for _ in range(20)}
    assert len(codes) == 20
    assert all(re.fullmatch(r"[0-9a-f]{6}", code) for code in codes)


def test_the_reason_for_an_operator_is_the_models_own() -> None:
    assert reason(CheckpointCorrupt("mike: config.json is not valid JSON")) == "mike: config.json is not valid JSON"
