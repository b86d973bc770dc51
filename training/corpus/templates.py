"""Utterances with slots, filled from word lists: they teach words, where hand-written utterances teach ways of speaking.

    ja/templates/food.txt     {food}あるよ、食べる？
    ja/words/food.txt         まぐろ

A slot is `{name}`, and `<language>/words/<name>.txt` lists what may stand there. There is nothing else to the syntax.
"""

import re
from collections.abc import Mapping, Sequence
from random import Random

_SLOT = re.compile(r"\{([a-z_]+)\}")


def slots(template: str) -> list[str]:
    """The names of a template's slots, in order."""
    return _SLOT.findall(template)


def parts(template: str) -> list[str]:
    """What stands around the slots; one more than there are slots, empty ones included."""
    return _SLOT.split(template)[::2]


def fill(template: str, words: Mapping[str, Sequence[str]], rng: Random) -> str:
    """A template with a random word in each slot; raises KeyError for a slot without a list."""
    return _SLOT.sub(lambda slot: rng.choice(words[slot[1]]), template)
