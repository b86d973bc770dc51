"""Tells a reply's mood from its own words, as a reader would: without the mood token and without the message.

A character n-gram regression over the hand-written replies. It knows only how replies look, so a checkpoint whose token
says one mood while its words say another is judged by the words.
"""

from collections.abc import Sequence
from typing import Any

from ..corpus.reader import Line


class MoodReader:
    """Fitted on the corpus's replies."""

    def __init__(self, replies: Sequence[Line]) -> None:
        self._model = _classifier()
        self._model.fit([reply.text for reply in replies], [reply.mood for reply in replies])

    def read(self, replies: Sequence[str]) -> list[str]:
        """The mood of each reply."""
        return [str(mood) for mood in self._model.predict(list(replies))] if replies else []


def cross_validated(replies: Sequence[Line]) -> list[str]:
    """Each reply's mood as read by a reader that never saw that reply (ten folds)."""
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    folds = StratifiedKFold(10, shuffle=True, random_state=0)
    texts, moods = [reply.text for reply in replies], [reply.mood for reply in replies]
    return [str(mood) for mood in cross_val_predict(_classifier(), texts, moods, cv=folds)]


def _classifier() -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    return make_pipeline(
        TfidfVectorizer(analyzer="char", ngram_range=(1, 5), sublinear_tf=True), LogisticRegression(C=100, max_iter=500)
    )
