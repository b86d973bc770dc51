"""What anybody could do without a model of their own: the figures that a checkpoint has to beat."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from random import Random
from typing import Any

from model.catspeak import Language
from model.prompt import clean_text

from ..corpus.reader import Corpus
from ..corpus.templates import fill
from .items import Item

#: How often each template is filled for the regression, and each dialogue worded.
_FILLED = 5


def most_frequent_mood(corpus: Corpus, items: Sequence[Item]) -> list[str]:
    """Always the mood that has the most utterances in the item's language."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for line in corpus.utterances:
        counts[line.language][line.mood] += 1
    return [counts[item.language].most_common(1)[0][0] for item in items]


def ngram_regression(corpus: Corpus, items: Sequence[Item]) -> list[str]:
    """Logistic regression on TF-IDF of character 1- to 4-grams, one for each language, trained on the corpus's text.

    Of a conversation it reads all that the human said, in training and here: that does better than the last message alone.
    """
    moods: dict[int, str] = {}
    for language in sorted({item.language for item in items}):
        places = [place for place, item in enumerate(items) if item.language == language]
        model = _fitted(corpus, language)
        found = model.predict([joined(items[place].texts) for place in places])
        moods |= dict(zip(places, map(str, found), strict=True))
    return [moods[place] for place in range(len(items))]


def _fitted(corpus: Corpus, language: Language) -> Any:
    texts = [joined([line.text]) for line in corpus.utterances if line.language == language]
    moods = [line.mood for line in corpus.utterances if line.language == language]
    rng = Random(0)
    for line in corpus.templates:
        if line.language == language:
            texts += [joined([fill(line.text, corpus.words[language], rng)]) for _ in range(_FILLED)]
            moods += [line.mood] * _FILLED
    for dialogue in corpus.dialogues:
        if dialogue.language == language:
            worded = dict.fromkeys(joined(dialogue.texts(rng)) for _ in range(_FILLED))
            texts += worded
            moods += [dialogue.moods[-1]] * len(worded)
    return new_regression().fit(texts, moods)


def new_regression() -> Any:
    """The regression, not fitted yet."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    return make_pipeline(
        TfidfVectorizer(analyzer="char", ngram_range=(1, 4), sublinear_tf=True), LogisticRegression(C=10, max_iter=300)
    )


def joined(texts: Sequence[str]) -> str:
    """What the regression reads of a conversation."""
    return "\n".join(clean_text(text) for text in texts)
