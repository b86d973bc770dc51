"""Logging: no token in any line, whoever wrote it, and a level that the settings choose."""

import io
import logging
from collections.abc import Iterator

import pytest

from bot.logs import RedactToken, set_up_logging
from bot.settings import Settings, load_settings

TOKEN = "MTIzNDU2.Gabcde.not-a-real-token"


@pytest.fixture
def log() -> Iterator[logging.Logger]:
    """A logger of its own; `lines` reads what it wrote."""
    logger = logging.Logger("test", logging.DEBUG)  # noqa: LOG001 - outside the tree on purpose
    handler = logging.StreamHandler(io.StringIO())
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    handler.addFilter(RedactToken(TOKEN))
    logger.addHandler(handler)
    yield logger
    handler.close()


def lines(log: logging.Logger) -> str:
    (handler,) = log.handlers
    assert isinstance(handler, logging.StreamHandler)
    text: str = handler.stream.getvalue()
    return text


@pytest.mark.parametrize(
    ("message", "args"),
    [
        (f"token {TOKEN}", ()),
        ("token %s", (TOKEN,)),
        ("headers %r", ({"Authorization": f"Bot {TOKEN}"},)),
        ("%s and %s", (TOKEN, TOKEN)),
        ("%(a)s", ({"a": TOKEN},)),
    ],
)
def test_the_token_is_replaced_in_messages_and_arguments(message: str, args: tuple[object, ...], log: logging.Logger) -> None:
    log.info(message, *args)
    assert TOKEN not in lines(log)
    assert "[token]" in lines(log)


def test_the_token_is_replaced_in_tracebacks_and_their_causes(log: logging.Logger) -> None:
    try:
        try:
            raise ValueError(f"bad header: Bot {TOKEN}")
        except ValueError as error:
            raise RuntimeError(f"no login with {TOKEN}") from error
    except RuntimeError:
        log.exception("login")
    assert TOKEN not in lines(log)
    assert lines(log).count("[token]") == 2
    assert "RuntimeError: no login with" in lines(log)


def test_a_traceback_that_another_handler_has_formatted_is_cleaned_too(log: logging.Logger) -> None:
    first = logging.StreamHandler(io.StringIO())
    log.handlers.insert(0, first)
    try:
        raise RuntimeError(TOKEN)
    except RuntimeError:
        log.exception("login")
    log.removeHandler(first)
    assert TOKEN not in lines(log)


def test_other_lines_stay_as_they_are(log: logging.Logger) -> None:
    log.info("100%% of %d cats (%s)", 3, "ﾆｬｰ")
    log.info("50% off")
    assert lines(log) == "INFO 100% of 3 cats (ﾆｬｰ)\nINFO 50% off\n"


@pytest.mark.parametrize(("message", "args"), [("%d cats", (TOKEN,)), ("%s %s", (TOKEN,)), ("no place", (TOKEN,))])
def test_a_call_with_wrong_arguments_neither_raises_nor_shows_the_token(
    message: str, args: tuple[object, ...], log: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    log.info(message, *args)
    assert TOKEN not in lines(log) + capsys.readouterr().err
    assert "[token]" in lines(log)


# --- set_up_logging ---------------------------------------------------------------------------------------------


@pytest.fixture
def _own_root() -> Iterator[None]:
    root = logging.getLogger()
    before, level, filters = root.handlers[:], root.level, logging.getLogger("discord.client").filters[:]
    root.handlers[:] = []
    yield
    root.handlers[:] = before
    root.setLevel(level)
    logging.getLogger("discord.client").filters[:] = filters


@pytest.mark.usefixtures("_own_root")
@pytest.mark.parametrize(
    ("quiet", "level", "shown"),
    [
        (False, "INFO", ["info", "warning"]),
        (False, "DEBUG", ["debug", "info", "warning"]),
        (False, "ERROR", []),
        (True, "INFO", ["warning"]),
    ],
)
def test_the_level_of_the_settings_counts_and_quiet_shows_warnings(
    quiet: bool, level: str, shown: list[str], settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    set_up_logging(settings.model_copy(update={"catbot_log_level": level}), quiet=quiet)
    for name in ("debug", "info", "warning"):
        getattr(logging.getLogger("bot.test"), name)(name)
    output = capsys.readouterr()
    assert output.out == ""
    assert [line.rpartition(" ")[2] for line in output.err.splitlines()] == shown


@pytest.mark.usefixtures("_own_root")
def test_the_token_of_the_settings_is_kept_out_of_every_log(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging(load_settings(None, discord_token=TOKEN))
    logging.getLogger("discord.http").warning("Bot %s was refused", TOKEN)
    assert capsys.readouterr().err.endswith("discord.http: Bot [token] was refused\n")


@pytest.mark.usefixtures("_own_root")
def test_the_librarys_advice_about_voice_is_left_out(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging(settings)
    logging.getLogger("discord.client").warning("PyNaCl is not installed, voice will NOT be supported")
    logging.getLogger("discord.client").warning("something else")
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("something else")
