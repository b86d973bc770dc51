"""Reads corpus files into plain records. Judges nothing: `check` does."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from model.catspeak import LANGUAGES, MOODS, Language

CORPUS = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Line:
    """One utterance or reply, and where it stands. `kind` is the section it is under, or ""."""

    text: str
    mood: str
    language: Language
    kind: str
    where: str


@dataclass(frozen=True, slots=True)
class Dialogue:
    """What the user says at each turn, in one or more wordings, and the mood of the cat's answer to it."""

    wordings: tuple[tuple[str, ...], ...]  # any wording of a turn goes with any of the others
    moods: tuple[str, ...]  # one for each turn
    language: Language
    where: str

    def texts(self, rng: Random) -> tuple[str, ...]:
        """One wording of each turn."""
        return tuple(rng.choice(wordings) for wordings in self.wordings)


@dataclass(frozen=True, slots=True)
class Corpus:
    """Everything that the builder works with."""

    utterances: list[Line] = field(default_factory=list)
    replies: list[Line] = field(default_factory=list)
    dialogues: list[Dialogue] = field(default_factory=list)
    templates: list[Line] = field(default_factory=list)
    words: dict[str, dict[str, list[str]]] = field(default_factory=dict)  # by language, then by the slot's name


def read_corpus(folder: Path = CORPUS) -> Corpus:
    """All of the corpus; raises ValueError with file and line for a dialogue that cannot be read."""
    corpus = Corpus()
    for language in LANGUAGES:
        corpus.utterances.extend(read_lines(folder / language / "utterances", language))
        corpus.replies.extend(read_lines(folder / language / "replies", language))
        corpus.templates.extend(read_lines(folder / language / "templates", language))
        corpus.words[language] = {path.stem: read_words(path) for path in sorted((folder / language / "words").glob("*.txt"))}
        for path in sorted((folder / language / "dialogues").glob("*.txt")):
            corpus.dialogues.extend(_read_dialogues(path, language))
    return corpus


def read_lines(folder: Path, language: Language) -> Iterator[Line]:
    """The lines of `<folder>/<mood>.txt`, mood by mood."""
    for mood in MOODS:
        path = folder / f"{mood}.txt"
        kind = ""
        for number, raw in enumerate(path.read_text("utf-8").splitlines() if path.is_file() else (), 1):
            text = raw.strip()
            if text.startswith("## "):
                kind = text[3:].split()[0]
            elif text and not text.startswith("# "):
                yield Line(text, mood, language, kind, f"{language}/{folder.name}/{mood}.txt:{number}")


def read_words(path: Path) -> list[str]:
    """The words of a list."""
    lines = (line.strip() for line in path.read_text("utf-8").splitlines())
    return [line for line in lines if line and not line.startswith("# ")]


def by_mood(lines: Iterable[Line]) -> dict[tuple[str, str], list[Line]]:
    """Lines by (language, mood)."""
    grouped: dict[tuple[str, str], list[Line]] = defaultdict(list)
    for line in lines:
        grouped[line.language, line.mood].append(line)
    return dict(grouped)


def _read_dialogues(path: Path, language: Language) -> Iterator[Dialogue]:
    number = 1
    for block in path.read_text("utf-8").split("\n\n"):
        lines = [line.strip() for line in block.splitlines() if line.strip() and not line.startswith("#")]
        if lines:
            yield _read_dialogue(lines, language, f"{language}/dialogues/{path.name}:{number}")
        number += block.count("\n") + 2


def _read_dialogue(lines: list[str], language: Language, where: str) -> Dialogue:
    people, cats = lines[::2], lines[1::2]
    if (
        len(people) != len(cats)
        or any(not line.startswith("human:") for line in people)
        or any(not line.startswith("cat:") for line in cats)
    ):
        raise ValueError(f"{where}: a dialogue is pairs of 'human: ...' and 'cat: <mood>' lines")
    moods = tuple(line.removeprefix("cat:").strip() for line in cats)
    if unknown := set(moods) - set(MOODS):
        raise ValueError(f"{where}: unknown mood {sorted(unknown)}; the moods are {', '.join(MOODS)}")
    wordings = tuple(tuple(text.strip() for text in line.removeprefix("human:").split(" | ")) for line in people)
    return Dialogue(wordings, moods, language, where)
