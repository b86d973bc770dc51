"""A second opinion on what people say: how likely a simpler reader finds each mood.

Distillation (Hinton et al. 2015): beside the one right mood, the network learns the odds of all of them from a regression
over characters and words. That reader generalises better from little text, and knows which moods are alike. Its opinion of
an utterance comes from folds that the utterance is not in, because of what it was fitted on it is merely sure.

Crossings, the beginning of one utterance and the end of another, have no right mood at all; the teacher alone says what
they sound like. There is no end of them, so they teach the network what the teacher makes of every piece of text.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from model.catspeak import LANGUAGES, MOODS, Language

from .corpus.japanese import morphemes
from .corpus.reader import Corpus
from .corpus.templates import fill
from .evaluation.baselines import joined

_FOLDS = 5
#: How often each template is filled for the teacher.
_FILLED = 10
_ENGLISH_WORD = re.compile(r"[a-z']+|[^\sa-z']")

#: How likely each mood is, in the order of MOODS.
Odds = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Opinions:
    """The teacher's odds of (language, text), and the texts of each language that are crossings."""

    odds: dict[tuple[str, str], Odds] = field(default_factory=dict)
    crossings: dict[str, list[str]] = field(default_factory=dict)


def ask_teacher(corpus: Corpus, *, crossings: int, seed: int) -> Opinions:
    """Opinions on every utterance, and on so many crossings of each language."""
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    opinions, rng = Opinions(), Random(seed)
    for language in LANGUAGES:
        texts = [line.text for line in corpus.utterances if line.language == language]
        moods = [line.mood for line in corpus.utterances if line.language == language]
        if set(moods) != set(MOODS):
            continue
        folds = StratifiedKFold(_FOLDS, shuffle=True, random_state=0)
        found = cross_val_predict(_regression(language), texts, moods, cv=folds, method="predict_proba", n_jobs=-1)
        _note(opinions, language, texts, found)
        if crossings:
            crossed = [_cross(rng.choice(texts), rng.choice(texts), rng) for _ in range(crossings)]
            opinions.crossings[language] = crossed
            model = _regression(language).fit(*_with_templates(corpus, language, texts, moods, rng))
            _note(opinions, language, crossed, model.predict_proba(crossed))
    return opinions


def _note(opinions: Opinions, language: Language, texts: list[str], found: Any) -> None:
    columns = [sorted(MOODS).index(mood) for mood in MOODS]
    for text, row in zip(texts, found, strict=True):
        opinions.odds[language, text] = tuple(float(row[column]) for column in columns)


def _with_templates(
    corpus: Corpus, language: Language, texts: list[str], moods: list[str], rng: Random
) -> tuple[list[str], list[str]]:
    """Texts and moods with each template filled some times: the words of the lists are news to the utterances."""
    templates = [line for line in corpus.templates if line.language == language]
    filled = [fill(line.text, corpus.words[language], rng) for line in templates for _ in range(_FILLED)]
    return texts + filled, moods + [line.mood for line in templates for _ in range(_FILLED)]


def _cross(first: str, second: str, rng: Random) -> str:
    """The beginning of one text and the end of another, cut at a space where there is one."""
    head, tail = first[: _cut(first, rng)], second[_cut(second, rng) :]
    return (head + tail).strip() or first


def _cut(text: str, rng: Random) -> int:
    spaces = [place for place, char in enumerate(text) if char == " "]
    return rng.choice(spaces) if spaces else rng.randint(0, len(text))


def _regression(language: Language) -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline, make_union

    words = _japanese_words if language == "ja" else _english_words
    return make_pipeline(
        make_union(
            TfidfVectorizer(preprocessor=_plain, analyzer="char", ngram_range=(1, 5), sublinear_tf=True),
            TfidfVectorizer(preprocessor=_plain, tokenizer=words, token_pattern=None, ngram_range=(1, 3), sublinear_tf=True),
        ),
        LogisticRegression(C=10, max_iter=100),
    )


def _plain(text: str) -> str:
    return joined([text])


def _japanese_words(text: str) -> Sequence[str]:
    return [word.normalized_form() for word in morphemes(text)]


def _english_words(text: str) -> Sequence[str]:
    return _ENGLISH_WORD.findall(text)
