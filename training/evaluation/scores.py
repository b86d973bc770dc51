"""The arithmetic: from answers to shares with intervals, variety, calibration and confusion. All of it is plain data."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from model.catspeak import MOODS, Language

from .answers import Answer
from .items import SETS, Item
from .likelihood import Likelihood


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the table: a set, in one language or in both (None)."""

    name: str
    language: Language | None

    def holds(self, item: Item) -> bool:
        return item.name == self.name and self.language in (None, item.language)

    def __str__(self) -> str:
        return self.name if self.language is None else f"{self.name}/{self.language}"


ROWS = tuple(Row(name, language) for name in SETS for language in ((None, "ja", "en") if name != "everyday" else ("ja", "en")))


def share(hits: int, number: int) -> dict[str, float | int]:
    """hits of number, with Wilson's 95% interval."""
    interval = binomtest(hits, number).proportion_ci(method="wilson")
    low, high = max(0.0, float(interval.low)), min(1.0, float(interval.high))
    return {"hits": hits, "share": round(hits / number, 4), "low": round(low, 4), "high": round(high, 4)}


def by_row(answers: Sequence[Answer], others: dict[str, list[str]]) -> dict[str, Any]:
    """For each row that has items: fits and jars of the checkpoint, and the fits of each of `others` (a mood for each item)."""
    table = {}
    for row in ROWS:
        places = [place for place, answer in enumerate(answers) if row.holds(answer.item)]
        if not places:
            continue
        mine = [answers[place] for place in places]
        table[str(row)] = {
            "items": len(mine),
            "fits": share(sum(answer.fits for answer in mine), len(mine)),
            "jars": share(sum(answer.jars for answer in mine), len(mine)),
            "shuffled": round(shuffled_fits(mine), 4),
            **{
                name: round(sum(moods[place] in answers[place].item.fits for place in places) / len(places), 4)
                for name, moods in others.items()
            },
        }
    return table


def shuffled_fits(answers: Sequence[Answer]) -> float:
    """The share that would fit if each item got the reply to another item of its language, the mean over all of them."""
    counts: dict[str, Counter[str]] = {}
    for answer in answers:
        counts.setdefault(answer.item.language, Counter())[answer.mood] += 1
    total = 0.0
    for answer in answers:
        drawn = counts[answer.item.language]
        hits = sum(drawn[mood] for mood in set(answer.item.fits)) - answer.fits
        total += hits / max(1, drawn.total() - 1)
    return total / len(answers)


def by_mood(answers: Sequence[Answer]) -> dict[str, dict[str, float | int]]:
    """Fits on the everyday set by main mood, both languages."""
    everyday = [answer for answer in answers if answer.item.name == "everyday"]
    grouped = {mood: [answer.fits for answer in everyday if answer.item.mood == mood] for mood in MOODS}
    return {mood: share(sum(fits), len(fits)) for mood, fits in grouped.items() if fits}


def confusion(answers: Sequence[Answer]) -> list[list[int]]:
    """[main mood of the item][mood read from the reply] counts over all sets, in the order of MOODS."""
    counts = Counter((answer.item.mood, answer.mood) for answer in answers)
    return [[counts[expected, read] for read in MOODS] for expected in MOODS]


def variety(replies: Sequence[str], again: Sequence[str], language: Language) -> dict[str, float | int]:
    """Distinct-1 and distinct-2 (Li et al. 2016) over characters (ja) or words (en); distinct replies among `again`."""
    units = [list(reply) if language == "ja" else reply.split() for reply in replies]
    ones = [unit for reply in units for unit in reply]
    pairs = [pair for reply in units for pair in pairwise(reply)]
    return {
        "distinct_1": round(len(set(ones)) / max(1, len(ones)), 4),
        "distinct_2": round(len(set(pairs)) / max(1, len(pairs)), 4),
        "distinct_in_100": round(100 * len(set(again)) / max(1, len(again))),
        "mean_characters": round(sum(map(len, replies)) / max(1, len(replies)), 2),
    }


def calibration(likelihood: Likelihood, items: Sequence[Item], temperature: float, bins: int = 10) -> dict[str, Any]:
    """Reliability of the mood token: in each bin of confidence, its mean and the share of moods that fit; and the expected
    calibration error (Guo et al. 2017)."""
    odds = likelihood.odds(temperature)
    confidence = odds.max(axis=1)
    right: NDArray[np.float64] = np.array(
        [MOODS[mood] in item.fits for mood, item in zip(odds.argmax(axis=1), items, strict=True)], dtype=np.float64
    )
    places = np.minimum((confidence * bins).astype(int), bins - 1)
    rows = [
        {
            "items": int((places == number).sum()),
            "confidence": round(float(confidence[places == number].mean()), 4),
            "fits": round(float(right[places == number].mean()), 4),
        }
        for number in range(bins)
        if (places == number).any()
    ]
    error = sum(row["items"] * abs(row["confidence"] - row["fits"]) for row in rows) / len(items)
    return {"expected_calibration_error": round(error, 4), "bins": rows}
