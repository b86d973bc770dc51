"""Judges the corpus: counts, lines that break the grammar, repeats and near-repeats, conflicts, overlap with the evaluation."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from model.catspeak import LANGUAGES, MOODS, is_catspeak, parse
from model.prompt import clean_text

from ..evaluation.items import DEVELOPMENT, HELDOUT, read_items
from .reader import Corpus, Line
from .templates import parts, slots

#: Longest utterance, in characters.
MAX_UTTERANCE_CHARS = 160
#: What a section of an utterance file may be called; `corpus/__init__` says what each holds.
KINDS = ("direct", "indirect", "near-miss", "chat", "out-of-scope")
#: Most near-duplicates among the utterances, as a share.
MAX_NEAR_DUPLICATES = 0.03
#: Two utterances of this many characters or more are near-duplicates from this similarity on (0 to 100).
_NEAR_CHARS, _NEAR = 8, 85.0

_MARKS = re.compile(r"[\W_ーw]+")


def problems(corpus: Corpus) -> list[str]:
    """One sentence for each thing that is wrong, with its place; an empty list is a sound corpus."""
    return [
        *_broken(corpus),
        *_repeated(corpus.utterances, "utterance"),
        *_repeated(corpus.replies, "reply"),
        *_conflicts(corpus.utterances),
        *_shared_actions(corpus.replies),
        *_templates(corpus),
        *_overlap(corpus),
    ]


def plain(text: str) -> str:
    """A text without what people type differently from one time to the next: width, case, marks, spaces, long vowels."""
    cleaned = clean_text(text)
    return _MARKS.sub("", cleaned) or cleaned


def _broken(corpus: Corpus) -> Iterator[str]:
    for dialogue in corpus.dialogues:
        if any(not 0 < len(text) <= MAX_UTTERANCE_CHARS for wordings in dialogue.wordings for text in wordings):
            yield f"{dialogue.where}: a wording is empty or longer than {MAX_UTTERANCE_CHARS} characters"
    for line in corpus.replies:
        if not is_catspeak(line.text, line.language):
            yield f"{line.where}: breaks the grammar: {line.text}"
    for line in corpus.utterances:
        if len(line.text) > MAX_UTTERANCE_CHARS:
            yield f"{line.where}: longer than {MAX_UTTERANCE_CHARS} characters"
        if line.kind not in KINDS:
            yield f"{line.where}: stands in no known section ({', '.join(KINDS)}), but in {line.kind!r}"
        if line.kind == "out-of-scope" and line.mood not in ("curious", "aloof"):
            yield f"{line.where}: what is out of scope leaves a cat curious or aloof, not in {line.mood}"


def _repeated(lines: list[Line], what: str) -> Iterator[str]:
    places: dict[tuple[str, str], list[Line]] = defaultdict(list)
    for line in lines:
        places[line.language, clean_text(line.text) if what == "utterance" else line.text].append(line)
    for same in places.values():
        for line in same[1:]:
            yield f"{line.where}: the same {what} as {same[0].where}: {line.text}"


def _conflicts(utterances: list[Line]) -> Iterator[str]:
    """Texts that differ in marks only and are said to put the cat in different moods.

    A question mark makes another sentence, and so do emoji alone, which have no letters to compare.
    """
    places: dict[tuple[str, str, bool], Line] = {}
    for line in utterances:
        key = (line.language, plain(line.text), "?" in clean_text(line.text))
        first = places.setdefault(key, line)
        if first.mood != line.mood:
            yield f"{line.where}: {line.text} is {line.mood} here, and {first.mood} at {first.where}"


def _shared_actions(replies: list[Line]) -> Iterator[str]:
    """A reader must be able to tell the mood from the action."""
    first: dict[tuple[str, str], Line] = {}
    for line in replies:
        if not is_catspeak(line.text, line.language):
            continue
        action = parse(line.text, line.language).action
        if action is not None and (other := first.setdefault((line.language, action), line)).mood != line.mood:
            yield f"{line.where}: the action {action} is {line.mood} here, and {other.mood} at {other.where}"


def _templates(corpus: Corpus) -> Iterator[str]:
    used = {(line.language, name) for line in corpus.templates for name in slots(line.text)}
    for line in corpus.templates:
        unknown = set(slots(line.text)) - set(corpus.words.get(line.language, {}))
        if unknown or not slots(line.text):
            yield f"{line.where}: {'no word list ' + ', '.join(sorted(unknown)) if unknown else 'no slot'}: {line.text}"
    yield from _repeated(corpus.templates, "template")
    for language, lists in corpus.words.items():
        for name, words in lists.items():
            if (language, name) not in used:
                yield f"{language}/words/{name}.txt: no template uses it"
            for word, number in Counter(words).items():
                if number > 1:
                    yield f"{language}/words/{name}.txt: {word} stands there {number} times"


def _overlap(corpus: Corpus) -> Iterator[str]:
    """What is trained on must not be what is asked: not as an utterance, nor as any filling of a template."""
    held: dict[str, set[str]] = defaultdict(set)
    spoken: dict[str, list[tuple[str, ...]]] = defaultdict(list)
    for item in (item for folder in (HELDOUT, DEVELOPMENT) for item in read_items(folder)):
        if len(item.texts) == 1:
            held[item.language].add(plain(item.texts[0]))
        else:
            spoken[item.language].append(tuple(map(plain, item.texts)))
    for line in corpus.utterances:
        if plain(line.text) in held[line.language]:
            yield f"{line.where}: stands in an evaluation set too"
    for line in corpus.templates:
        pattern = _pattern(line, corpus.words.get(line.language, {}))
        if any(pattern.fullmatch(text) for text in held[line.language]):
            yield f"{line.where}: one of its fillings stands in an evaluation set too"
    for dialogue in corpus.dialogues:
        turns = [set(map(plain, wordings)) for wordings in dialogue.wordings]
        for texts in spoken[dialogue.language]:
            if len(texts) == len(turns) and all(text in wordings for text, wordings in zip(texts, turns, strict=True)):
                yield f"{dialogue.where}: one of its wordings stands in an evaluation set too"


def _pattern(template: Line, words: dict[str, list[str]]) -> re.Pattern[str]:
    around = [re.escape(_MARKS.sub("", clean_text(part))) for part in parts(template.text)]
    choices = ["|".join(re.escape(plain(word)) for word in words.get(name, [])) for name in slots(template.text)]
    return re.compile(around[0] + "".join(f"(?:{choice}){part}" for choice, part in zip(choices, around[1:], strict=True)))


@dataclass(frozen=True, slots=True)
class NearDuplicate:
    """An utterance, one before it that it resembles, and how much (0 to 100)."""

    line: Line
    earlier: Line
    similarity: float


def near_duplicates(utterances: Iterable[Line]) -> list[NearDuplicate]:
    """Utterances that are nearly an earlier one of their language: the same but for marks, or, from eight characters on,
    at least 85% alike by the longest common subsequence (rapidfuzz's `ratio`)."""
    found: list[NearDuplicate] = []
    for language in LANGUAGES:
        lines = [line for line in utterances if line.language == language]
        found += _near_in(lines)
    return found


def _near_in(lines: list[Line], rows: int = 512) -> Iterator[NearDuplicate]:
    import numpy as np
    from rapidfuzz import fuzz, process

    texts = [plain(line.text) for line in lines]
    first: dict[str, int] = {}
    for place, text in enumerate(texts):
        if (earlier := first.setdefault(text, place)) != place:
            yield NearDuplicate(lines[place], lines[earlier], 100.0)
    # Sorted by length, so that each block is compared only with texts that can be similar enough.
    order = sorted((place for text, place in first.items() if len(text) >= _NEAR_CHARS), key=lambda place: len(texts[place]))
    lengths = np.array([len(texts[place]) for place in order])
    least = _NEAR / (200 - _NEAR)
    for start in range(0, len(order), rows):
        block = order[start : start + rows]
        begin = int(np.searchsorted(lengths, lengths[start] * least)) if len(block) else 0
        others = order[begin : start + len(block)]
        alike = process.cdist(
            [texts[place] for place in block], [texts[place] for place in others], scorer=fuzz.ratio, score_cutoff=_NEAR
        )
        for row, column in zip(*np.nonzero(alike), strict=True):
            if begin + column < start + row:
                one, two = sorted((block[row], others[column]))
                yield NearDuplicate(lines[two], lines[one], float(alike[row, column]))


def near_share(found: list[NearDuplicate], utterances: list[Line]) -> float:
    """The share of utterances that are nearly an earlier one."""
    return len({near.line.where for near in found}) / max(1, len(utterances))


def counts(corpus: Corpus) -> list[tuple[str, str, str, dict[str, int]]]:
    """(what, language, mood, number of each kind) rows, in the order of MOODS; dialogues by the mood of their last answer."""
    utterances = Counter((line.language, line.mood, line.kind) for line in corpus.utterances)
    replies = Counter((line.language, line.mood) for line in corpus.replies)
    dialogues = Counter((dialogue.language, dialogue.moods[-1]) for dialogue in corpus.dialogues)
    rows: list[tuple[str, str, str, dict[str, int]]] = []
    for language in LANGUAGES:
        for mood in MOODS:
            kinds = {kind: utterances[language, mood, kind] for kind in KINDS}
            rows.append(("utterances", language, mood, kinds))
        templates = Counter(line.mood for line in corpus.templates if line.language == language)
        rows += [("templates", language, mood, {"all": templates[mood]}) for mood in MOODS]
        rows += [("replies", language, mood, {"all": replies[language, mood]}) for mood in MOODS]
        rows += [("dialogues", language, mood, {"all": dialogues[language, mood]}) for mood in MOODS]
    return rows
