"""From an exception to words: what a member sees is the cat's, what an operator reads says the cause.

Member-visible words are cat speak without exception (a test parses them). Exception texts, paths and tokens never reach a
channel; they go to the log, with a short code that ties the two together.
"""

import logging
import secrets

from model import Language
from model.errors import Busy, CatError, DeadlineExceeded, ServiceClosed

log = logging.getLogger(__name__)

_BUSY: dict[Language, str] = {"ja": "ﾌﾜｧ...（丸くなる）", "en": "Mrr... (curls up)"}
_SLOW: dict[Language, str] = {"ja": "ﾑﾆｬ...（まだ眠そう）", "en": "Mmm... (still sleepy)"}
_LOST: dict[Language, str] = {"ja": "ﾆｬ？（首をかしげる）", "en": "Mrrp? (tilts head)"}

#: Reactions instead of answers: the channel's queue is full; something went wrong.
ASLEEP = "💤"
SHRUG = "😿"


def shrug(error: BaseException, language: Language) -> str:
    """What the cat says when it cannot answer: cat speak, always."""
    if isinstance(error, Busy):
        return _BUSY[language]
    if isinstance(error, DeadlineExceeded | ServiceClosed):
        return _SLOW[language]
    return _LOST[language]


def report(error: BaseException, what: str) -> str:
    """Log an error for the operator and return its reference code. Foreseen errors take one line, others a traceback."""
    code = secrets.token_hex(3)
    if isinstance(error, Busy | DeadlineExceeded | ServiceClosed):
        log.warning("[%s] %s: %s", code, what, error)
    else:
        log.error("[%s] %s", code, what, exc_info=error)
    return code


def reason(error: CatError) -> str:
    """A model error in words for an operator: the message that the model side wrote, which names no secret."""
    return str(error)
