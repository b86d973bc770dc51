"""The corpus itself, and the check that judges it."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from model.catspeak import LANGUAGES, MOODS, detect_language, is_catspeak
from model.prompt import clean_text
from training.corpus.check import MAX_UTTERANCE_CHARS, counts, problems
from training.corpus.reader import EVALUATION, Corpus, Line, read_corpus, read_lines


def changed(corpus: Corpus, *, utterances: tuple[Line, ...] = (), replies: tuple[Line, ...] = ()) -> Corpus:
    return Corpus([*corpus.utterances, *utterances], [*corpus.replies, *replies], corpus.dialogues)


def planted(text: str, language: str = "ja") -> Line:
    return Line(text, "food", "ja" if language == "ja" else "en", "", "planted.txt:1")


def test_corpus_is_sound(corpus: Corpus) -> None:
    assert problems(corpus) == []


@pytest.mark.parametrize("mood", MOODS)
@pytest.mark.parametrize(("language", "utterances", "replies"), [("ja", 60, 15), ("en", 25, 10)])
def test_every_mood_has_enough(corpus: Corpus, language: str, mood: str, utterances: int, replies: int) -> None:
    assert sum((line.language, line.mood) == (language, mood) for line in corpus.utterances) >= utterances
    assert sum((line.language, line.mood) == (language, mood) for line in corpus.replies) >= replies


def test_replies_are_short_enough_to_be_ideal(corpus: Corpus) -> None:
    lengths = sorted(len(line.text) for line in corpus.replies if line.language == "ja")
    assert 6 <= lengths[len(lengths) // 2] <= 16


def test_dialogues_are_of_their_language(corpus: Corpus) -> None:
    assert {dialogue.language for dialogue in corpus.dialogues} == set(LANGUAGES)
    for dialogue in corpus.dialogues:
        assert len(dialogue.texts) == len(dialogue.moods)
        assert Counter(map(detect_language, dialogue.texts)).most_common(1)[0][0] == dialogue.language


def test_most_utterances_are_detected_as_their_language(corpus: Corpus) -> None:
    for language, share in (("ja", 0.95), ("en", 0.95)):
        lines = [line for line in corpus.utterances if line.language == language]
        assert sum(detect_language(line.text) == language for line in lines) >= share * len(lines)


# --- the check finds what is planted ------------------------------------------------------------------------------


def test_duplicate_utterance(corpus: Corpus) -> None:
    first = corpus.utterances[0]
    found = problems(changed(corpus, utterances=(replace(first, where="planted.txt:1"),)))
    assert found == [f"planted.txt:1: the same utterance as {first.where}: {first.text}"]


def test_duplicate_in_other_writing(corpus: Corpus) -> None:
    first = next(line for line in corpus.utterances if line.language == "en")
    shouted = replace(first, text=f" {first.text.upper()}", where="planted.txt:1")
    assert len(problems(changed(corpus, utterances=(shouted,)))) == 1


def test_duplicate_reply(corpus: Corpus) -> None:
    found = problems(changed(corpus, replies=(replace(corpus.replies[0], where="planted.txt:1"),)))
    assert len(found) == 1
    assert "the same reply as" in found[0]


@pytest.mark.parametrize("text", ["ニャー！", "こんにちは", "Meow!", "ﾆｬｰ！（とてもとてもとてもとても長い動作）"])
def test_bad_reply(corpus: Corpus, text: str) -> None:
    assert problems(changed(corpus, replies=(planted(text),))) == [f"planted.txt:1: breaks the grammar: {text}"]


def test_too_long_utterance(corpus: Corpus) -> None:
    found = problems(changed(corpus, utterances=(planted("長い" * MAX_UTTERANCE_CHARS),)))
    assert found == [f"planted.txt:1: longer than {MAX_UTTERANCE_CHARS} characters"]


def test_overlap_with_an_evaluation_set(corpus: Corpus) -> None:
    held_out = next(read_lines(EVALUATION / "development" / "en", "en"))
    found = problems(changed(corpus, utterances=(planted(held_out.text.upper(), "en"),)))
    assert found == [f"planted.txt:1: stands in an evaluation set too: {held_out.text.upper()}"]


def test_conflicting_moods(corpus: Corpus) -> None:
    first = corpus.utterances[0]
    other = next(mood for mood in MOODS if mood != first.mood)
    assert len(problems(changed(corpus, utterances=(replace(first, mood=other, where="planted.txt:1"),)))) == 1


def test_counts(small_corpus: Corpus) -> None:
    rows = {(what, language, name): number for what, language, name, number in counts(small_corpus)}
    assert rows["utterances", "ja", "food"] == rows["replies", "en", "lonely"] == 4
    assert sum(number for (what, _, _), number in rows.items() if what == "dialogues") == len(small_corpus.dialogues)


# --- the evaluation sets and the reader ---------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
def test_evaluation_set_covers_all_moods_and_repeats_nothing(language: str) -> None:
    lines = list(read_lines(EVALUATION / "development" / language, "ja" if language == "ja" else "en"))
    assert {line.mood for line in lines} == set(MOODS)
    texts = Counter(clean_text(line.text) for line in lines)
    assert [text for text, number in texts.items() if number > 1] == []


def test_reading(tmp_path: Path) -> None:
    (tmp_path / "ja/utterances").mkdir(parents=True)
    (tmp_path / "ja/dialogues").mkdir()
    (tmp_path / "ja/utterances/food.txt").write_text("# note\n\n## slang more words\n ご飯 \n#タグ\n", "utf-8")
    (tmp_path / "ja/dialogues/a.txt").write_text(
        "human: a\ncat: food\nhuman: b\ncat: play\n\n# note\nhuman: c\ncat: angry\n", "utf-8"
    )
    read = read_corpus(tmp_path)
    assert read.utterances == [
        Line("ご飯", "food", "ja", "slang", "ja/utterances/food.txt:4"),
        Line("#タグ", "food", "ja", "slang", "ja/utterances/food.txt:5"),
    ]
    assert [(d.texts, d.moods) for d in read.dialogues] == [(("a", "b"), ("food", "play")), (("c",), ("angry",))]
    assert read.dialogues[1].where == "ja/dialogues/a.txt:6"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("human: a\n", r"a\.txt:1: a dialogue is pairs"),
        ("cat: food\nhuman: a\n", "a dialogue is pairs"),
        ("human: a\ncat: hungry\n", r"unknown mood \['hungry'\]"),
    ],
)
def test_dialogue_that_cannot_be_read(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "ja/dialogues").mkdir(parents=True)
    (tmp_path / "ja/dialogues/a.txt").write_text(text, "utf-8")
    with pytest.raises(ValueError, match=message):
        read_corpus(tmp_path)


def test_replies_are_of_their_language(corpus: Corpus) -> None:
    assert all(is_catspeak(line.text, line.language) for line in corpus.replies)
