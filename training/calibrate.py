"""Makes the mood token's confidence mean what it says, and finds below which confidence the cat had better tilt its head.

Temperature scaling (Guo et al. 2017, "On Calibration of Modern Neural Networks") on the development sets; the held-out
sets have no part in it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from model.catspeak import MOODS

from .evaluation.items import Item
from .evaluation.likelihood import Likelihood

_TEMPERATURES = np.round(np.arange(0.6, 4.01, 0.05), 2)
_FLOORS = np.round(np.arange(0.0, 0.71, 0.02), 2)
#: How much a reaction that jars weighs against one that fits.
_JAR_WEIGHT = 1.0


@dataclass(frozen=True, slots=True)
class Calibration:
    """`temperature` divides the mood logits; below `floor` the cat is curious."""

    temperature: float
    floor: float


def calibrate(likelihood: Likelihood, items: Sequence[Item]) -> Calibration:
    """The temperature with the least loss on the items' main moods, and the floor with the most fits less jars."""
    moods = [item.mood for item in items]
    temperature = min(_TEMPERATURES, key=lambda candidate: likelihood.mood_loss(moods, float(candidate)))
    odds = likelihood.odds(float(temperature))
    confidence, chosen = odds.max(axis=1), [MOODS[column] for column in odds.argmax(axis=1)]

    def worth(floor: float) -> float:
        served = [mood if sure >= floor else "curious" for mood, sure in zip(chosen, confidence, strict=True)]
        return sum((mood in item.fits) - _JAR_WEIGHT * (mood in item.jars) for mood, item in zip(served, items, strict=True))

    return Calibration(float(temperature), float(max(_FLOORS, key=lambda floor: worth(float(floor)))))
