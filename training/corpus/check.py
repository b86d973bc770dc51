"""Judges the corpus: counts, duplicates, lines that break the grammar, conflicts, overlap with the evaluation sets."""

from collections import Counter, defaultdict

from model.catspeak import LANGUAGES, is_catspeak
from model.prompt import clean_text

from .reader import EVALUATION, Corpus, Line, read_lines

#: Longest utterance, in characters.
MAX_UTTERANCE_CHARS = 160


def problems(corpus: Corpus) -> list[str]:
    """One sentence for each thing that is wrong, with its place; an empty list is a sound corpus."""
    found = [
        f"{line.where}: breaks the grammar: {line.text}" for line in corpus.replies if not is_catspeak(line.text, line.language)
    ]
    found += [
        f"{line.where}: longer than {MAX_UTTERANCE_CHARS} characters"
        for line in corpus.utterances
        if len(line.text) > MAX_UTTERANCE_CHARS
    ]
    found += _repeated(corpus.utterances, "utterance") + _repeated(corpus.replies, "reply")
    held_out = {
        clean_text(line.text)
        for name in ("development",)
        for code in LANGUAGES
        for line in read_lines(EVALUATION / name / code, code)
    }
    found += [
        f"{line.where}: stands in an evaluation set too: {line.text}"
        for line in corpus.utterances
        if clean_text(line.text) in held_out
    ]
    return found


def _repeated(lines: list[Line], what: str) -> list[str]:
    places: dict[tuple[str, str], list[Line]] = defaultdict(list)
    for line in lines:
        places[line.language, clean_text(line.text) if what == "utterance" else line.text].append(line)
    return [f"{same[1].where}: the same {what} as {same[0].where}: {same[1].text}" for same in places.values() if len(same) > 1]


def counts(corpus: Corpus) -> list[tuple[str, str, str, int]]:
    """(what, language, mood or kind, number) rows."""
    rows: Counter[tuple[str, str, str]] = Counter()
    for line in corpus.utterances:
        rows["utterances", line.language, line.mood] += 1
        rows["kinds", line.language, line.kind or "-"] += 1
    for line in corpus.replies:
        rows["replies", line.language, line.mood] += 1
    for dialogue in corpus.dialogues:
        rows["dialogues", dialogue.language, dialogue.moods[-1]] += 1
    return [(*key, number) for key, number in sorted(rows.items())]
