"""What crosses the boundary between the asyncio face and the worker thread: frozen, validated, without torch."""

from dataclasses import dataclass, field
from typing import Literal

from ..catspeak import Language
from ..errors import RequestInvalid
from ..prompt import Turn


@dataclass(frozen=True, slots=True)
class Sampling:
    """How a reply is drawn. Top-k is applied before top-p; `temperature` 0 is greedy."""

    temperature: float = 0.7  # 0 to 5
    top_k: int = 40  # 1 or more
    top_p: float = 0.9  # above 0, up to 1
    seed: int | None = None  # the same seed gives the same reply, alone or in a batch
    max_new_tokens: int = 48  # mood and end of text included; raised to what the shortest reply needs

    def __post_init__(self) -> None:
        if not 0 <= self.temperature <= 5:
            raise RequestInvalid(f"temperature must be from 0 to 5, not {self.temperature}")
        if self.top_k < 1 or not 0 < self.top_p <= 1:
            raise RequestInvalid(f"top_k must be at least 1 and top_p above 0 and up to 1, not {self.top_k} and {self.top_p}")
        if self.max_new_tokens < 1:
            raise RequestInvalid(f"max_new_tokens must be at least 1, not {self.max_new_tokens}")


@dataclass(frozen=True, slots=True)
class Request:
    """One reply to make. Turns are text: they are encoded by whichever model is serving when the request is admitted."""

    turns: tuple[Turn, ...]
    channel: str = ""  # requests of one channel share one turn of the queue
    language: Language | Literal["auto"] = "auto"
    sampling: Sampling = field(default_factory=Sampling)
    deadline: float = float("inf")  # on the clock of time.monotonic(), seconds


@dataclass(frozen=True, slots=True)
class Usage:
    """What a reply cost. Times in milliseconds."""

    prompt_tokens: int
    new_tokens: int
    queue_ms: float
    total_ms: float


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply in canonical cat speak, taken apart. `mood` and its `confidence` (0 to 1) are None for prompt formats without
    moods. A curious cat of low confidence is one that did not understand."""

    text: str
    cries: tuple[str, ...]
    action: str | None
    language: Language
    mood: str | None
    confidence: float | None
    usage: Usage
