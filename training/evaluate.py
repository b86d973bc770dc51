"""Scores a checkpoint on messages that it never saw: does its mood fit, and is every reply cat speak?

Owns the sets' reading and the arithmetic; the checkpoint is served by the same engine as in the bot.
"""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from model.catspeak import LANGUAGES
from model.checkpoint import open_checkpoint
from model.engine.request import Request, Sampling
from model.engine.runner import Runner
from model.prompt import Turn

from .corpus.reader import EVALUATION, Line, read_lines

_BATCH = 64


@dataclass(frozen=True, slots=True)
class Answer:
    """An item of a set, and what the checkpoint answered."""

    item: Line
    mood: str | None
    reply: str

    @property
    def fits(self) -> bool:
        """Whether the cat's mood is the one that was expected."""
        return self.mood == self.item.mood


def evaluate(checkpoint: str | Path, folder: Path = EVALUATION / "development", *, seed: int = 0) -> list[Answer]:
    """The checkpoint's answer to every item of a set, at the sampling that the bot uses. Invalid replies raise."""
    runner = Runner(open_checkpoint(checkpoint))
    items = [line for language in LANGUAGES for line in read_lines(folder / language, language)]
    answers: list[Answer] = []
    for start in range(0, len(items), _BATCH):
        answers += _answer(runner, items[start : start + _BATCH], seed + start)
    return answers


def _answer(runner: Runner, items: list[Line], seed: int) -> list[Answer]:
    requests = [
        Request((Turn("user", item.text),), language=item.language, sampling=Sampling(seed=seed + place))
        for place, item in enumerate(items)
    ]
    batch = runner.start([runner.prepare(request) for request in requests])
    replies = {}
    while len(batch):
        for written in batch.step():
            replies[written.row] = runner.read(written, queue_ms=0.0, total_ms=0.0)
    return [Answer(item, replies[place].mood, replies[place].text) for place, item in enumerate(items)]


def scores(answers: list[Answer]) -> dict[str, float]:
    """Share of fitting moods by language and kind ("ja/everyday"), and the share of distinct replies."""
    total, fitting = Counter[str](), Counter[str]()
    for answer in answers:
        key = f"{answer.item.language}/{answer.item.kind}"
        total[key] += 1
        fitting[key] += answer.fits
    shares = {key: round(fitting[key] / total[key], 3) for key in sorted(total)}
    return shares | {"distinct_replies": round(len({answer.reply for answer in answers}) / max(1, len(answers)), 3)}
