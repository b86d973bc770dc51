"""Logging of the process: one line an event on standard error, and never a token in it."""

import logging

from .settings import Settings


class RedactToken(logging.Filter):
    """Replaces the token wherever it would be written. Nothing logs it on purpose; this is for what nobody thought of."""

    def __init__(self, token: str) -> None:
        super().__init__()
        self._token = token

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite the record if it holds the token."""
        try:
            message = record.getMessage()
        except Exception:  # a call with the wrong arguments: logging would print them, and must not raise from here
            message = f"{record.msg} {record.args}"
            record.msg, record.args = message, ()
        if self._token in message:
            record.msg, record.args = message.replace(self._token, "[token]"), ()
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = record.exc_text.replace(self._token, "[token]")
        return True


def set_up_logging(settings: Settings, *, quiet: bool = False) -> None:
    """Log to standard error at the level of the settings; `quiet` shows warnings only, for commands that talk themselves."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s", "%H:%M:%S"))
    if settings.token:
        handler.addFilter(RedactToken(settings.token))
    level = logging.WARNING if quiet else getattr(logging, settings.catbot_log_level)
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # discord.py warns about voice, which this bot has no use for.
    logging.getLogger("discord.client").addFilter(
        lambda record: "PyNaCl" not in record.getMessage() and "davey" not in record.getMessage()
    )
