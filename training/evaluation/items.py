"""Reads evaluation sets into plain records."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

from model.catspeak import LANGUAGES, MOODS, Language
from model.prompt import Turn

from ..corpus.reader import Line

HELDOUT = Path(__file__).parent / "heldout"
DEVELOPMENT = Path(__file__).parent / "development"
#: The sets, in the order of every table.
SETS = ("everyday", "indirect", "negation", "out-of-scope", "multi-turn")


@dataclass(frozen=True, slots=True)
class Item:
    """One conversation to answer: `texts` from the human, `moods` of the cat's answers between them (one fewer)."""

    name: str  # of its set
    language: Language
    texts: tuple[str, ...]
    moods: tuple[str, ...]
    fits: tuple[str, ...]  # the main one first
    jars: tuple[str, ...]
    where: str

    @property
    def mood(self) -> str:
        """The main mood."""
        return self.fits[0]

    def turns(self, replies: dict[tuple[str, str], list[Line]]) -> tuple[Turn, ...]:
        """The conversation with words for the cat's answers, always the same for the same item and replies."""
        rng = Random(self.where)
        turns = [Turn("user", self.texts[0])]
        for text, mood in zip(self.texts[1:], self.moods, strict=True):
            turns += [Turn("cat", rng.choice(replies[self.language, mood]).text), Turn("user", text)]
        return tuple(turns)


def read_items(folder: Path) -> list[Item]:
    """All items of a folder, set by set; raises ValueError with file and line for one that cannot be read."""
    return [
        item
        for name in SETS
        for language in LANGUAGES
        for item in _read_file(folder / f"{name}.{language}.jsonl", name, language)
    ]


def _read_file(path: Path, name: str, language: Language) -> Iterator[Item]:
    for number, line in enumerate(path.read_text("utf-8").splitlines() if path.is_file() else (), 1):
        where = f"{path.parent.name}/{path.name}:{number}"
        try:
            record = json.loads(line)
            turns, fits, jars = record["turns"], tuple(record["fits"]), tuple(record["jars"])
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{where}: an item is a JSON object with turns, fits and jars") from error
        item = Item(name, language, tuple(turns[::2]), tuple(turns[1::2]), fits, jars, where)
        if len(turns) % 2 == 0 or not fits or set(fits) & set(jars) or {*item.moods, *fits, *jars} - set(MOODS):
            raise ValueError(f"{where}: turns end with the human, fits is not empty, jars differ from it, moods are {MOODS}")
        yield item
