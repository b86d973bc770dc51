"""The teacher: it judges what it has not seen, and every crossing."""

import pytest

from model.catspeak import MOODS, Language
from training.corpus.reader import Corpus, Line
from training.teacher import Opinions, ask_teacher


def lines(language: Language) -> list[Line]:
    around = ("の時間だよ", "しようか") if language == "ja" else (" time", " now please")
    return [
        Line(f"{mood} {number}{end}", mood, language, "direct", "") for mood in MOODS for number in range(5) for end in around
    ]


def test_opinions_on_what_it_has_not_seen() -> None:
    planted = Line("play 9 time", "food", "en", "direct", "")
    opinions = ask_teacher(Corpus([*lines("ja"), *lines("en"), planted]), crossings=0, seed=0)
    assert len(opinions.odds) == len(lines("ja")) + len(lines("en")) + 1
    assert all(sum(row) == pytest.approx(1) and len(row) == len(MOODS) for row in opinions.odds.values())
    of_planted = dict(zip(MOODS, opinions.odds["en", "play 9 time"], strict=True))
    assert of_planted["play"] > 0.5 > of_planted["food"]
    assert opinions.crossings == {}


def test_crossings_have_odds_and_are_reproducible() -> None:
    corpus = Corpus(
        lines("en"), templates=[Line("{thing} please", "food", "en", "direct", "")], words={"en": {"thing": ["tuna"]}}
    )
    first = ask_teacher(corpus, crossings=50, seed=3)
    assert len(first.crossings["en"]) == 50
    known = {line.text for line in corpus.utterances}
    assert sum(text not in known for text in first.crossings["en"]) > 15
    assert all(("en", text) in first.odds and text for text in first.crossings["en"])
    assert ask_teacher(corpus, crossings=50, seed=3) == first
    assert ask_teacher(corpus, crossings=50, seed=4).crossings != first.crossings


def test_a_corpus_without_some_moods_has_no_teacher() -> None:
    assert ask_teacher(Corpus([Line("ご飯", "food", "ja", "direct", "")]), crossings=5, seed=0) == Opinions()
