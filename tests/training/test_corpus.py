"""The corpus itself, and the check that judges it."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from model.catspeak import LANGUAGES, MOODS, detect_language, is_catspeak
from model.prompt import clean_text
from training.corpus.check import KINDS, MAX_NEAR_DUPLICATES, MAX_UTTERANCE_CHARS, counts, near_duplicates, near_share, problems
from training.corpus.reader import Corpus, Dialogue, Line, read_corpus
from training.evaluation.items import DEVELOPMENT, HELDOUT, read_items


def changed(corpus: Corpus, *, utterances: tuple[Line, ...] = (), replies: tuple[Line, ...] = ()) -> Corpus:
    return Corpus([*corpus.utterances, *utterances], [*corpus.replies, *replies], corpus.dialogues)


def planted(text: str, language: str = "ja") -> Line:
    return Line(text, "food", "ja" if language == "ja" else "en", "direct", "planted.txt:1")


def test_corpus_is_sound(corpus: Corpus) -> None:
    assert problems(corpus) == []


@pytest.mark.parametrize("mood", MOODS)
@pytest.mark.parametrize(("language", "utterances", "replies"), [("ja", 700, 60), ("en", 400, 40)])
def test_every_mood_has_enough(corpus: Corpus, language: str, mood: str, utterances: int, replies: int) -> None:
    kinds = Counter(line.kind for line in corpus.utterances if (line.language, line.mood) == (language, mood))
    assert kinds.total() >= utterances
    assert kinds["indirect"] >= (kinds["direct"] + kinds["indirect"] + kinds["chat"]) / 3
    assert sum((line.language, line.mood) == (language, mood) for line in corpus.replies) >= replies


def test_corpus_is_large_enough(corpus: Corpus) -> None:
    languages = Counter(line.language for line in corpus.utterances)
    kinds = Counter(line.kind for line in corpus.utterances)
    assert languages["ja"] >= 8000
    assert languages["en"] >= 4000
    assert kinds["near-miss"] >= 1200
    assert kinds["out-of-scope"] >= 2000
    assert len(corpus.dialogues) >= 600
    assert all(2 <= len(dialogue.wordings) <= 4 for dialogue in corpus.dialogues)


def test_replies_are_short_enough_to_be_ideal(corpus: Corpus) -> None:
    lengths = sorted(len(line.text) for line in corpus.replies if line.language == "ja")
    assert 6 <= lengths[len(lengths) // 2] <= 16


def test_dialogues_are_of_their_language(corpus: Corpus) -> None:
    assert {dialogue.language for dialogue in corpus.dialogues} == set(LANGUAGES)
    for dialogue in corpus.dialogues:
        assert len(dialogue.wordings) == len(dialogue.moods)
        assert detect_language(" ".join(wordings[0] for wordings in dialogue.wordings)) == dialogue.language, dialogue.where


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


@pytest.mark.parametrize("folder", [HELDOUT, DEVELOPMENT])
def test_overlap_with_an_evaluation_set(corpus: Corpus, folder: Path) -> None:
    held_out = next(item for item in read_items(folder) if item.language == "en").texts[0]
    found = problems(changed(corpus, utterances=(planted(f"{held_out.upper()} !!", "en"),)))
    assert found == ["planted.txt:1: stands in an evaluation set too"]


@pytest.mark.parametrize("folder", [HELDOUT, DEVELOPMENT])
def test_overlap_of_a_dialogue_with_an_evaluation_set(corpus: Corpus, folder: Path) -> None:
    item = next(item for item in read_items(folder) if item.name == "multi-turn")
    wordings = tuple(("ほかの言い方", f"{text}〜") for text in item.texts)
    dialogue = Dialogue(wordings, (*item.moods, item.mood), item.language, "planted.txt:1")
    other = replace(dialogue, wordings=(("ほかの言い方",), *wordings[1:]), where="planted.txt:9")
    found = problems(replace(corpus, dialogues=[dialogue, other]))
    assert found == ["planted.txt:1: one of its wordings stands in an evaluation set too"]


def test_empty_wording(small_corpus: Corpus) -> None:
    dialogue = Dialogue((("ただいま", ""),), ("greet",), "ja", "planted.txt:1")
    found = problems(replace(small_corpus, dialogues=[dialogue]))
    assert "planted.txt:1: a wording is empty or longer than 160 characters" in found


def test_conflicting_moods(corpus: Corpus) -> None:
    first = next(line for line in corpus.utterances if line.text.isalpha() and len(line.text) > 4)
    other = next(mood for mood in MOODS if mood != first.mood)
    planted_line = replace(first, text=first.text + "〜", mood=other, kind="direct", where="planted.txt:1")
    found = problems(changed(corpus, utterances=(planted_line,)))
    assert found == [f"planted.txt:1: {planted_line.text} is {other} here, and {first.mood} at {first.where}"]


def test_an_action_belongs_to_one_mood(corpus: Corpus) -> None:
    first = next(line for line in corpus.replies if line.mood == "sleepy" and "（" in line.text)
    action = first.text[first.text.index("（") :]
    found = problems(changed(corpus, replies=(planted(f"ﾆｬｰ！{action}"),)))
    assert found == [f"planted.txt:1: the action {action[1:-1]} is food here, and sleepy at {first.where}"]


def test_unknown_section_and_wrong_mood_for_out_of_scope(corpus: Corpus) -> None:
    wrong = (replace(planted("量子力学のテスト"), kind="slang"), replace(planted("量子力学の問題"), kind="out-of-scope"))
    first, second = problems(changed(corpus, utterances=wrong))
    assert first.startswith("planted.txt:1: stands in no known section")
    assert second == "planted.txt:1: what is out of scope leaves a cat curious or aloof, not in food"


def test_near_duplicates_are_few(corpus: Corpus) -> None:
    assert near_share(near_duplicates(corpus.utterances), corpus.utterances) < MAX_NEAR_DUPLICATES


def test_near_duplicates_are_found() -> None:
    texts = [
        "今日はお魚を買ってきたよ",
        "今日はお魚を買ってきたの",
        "ただいま",
        "ただいまーー！",
        "全然ちがう長めの文章です",
        "ただいた",
    ]
    lines = [replace(planted(text), where=str(place)) for place, text in enumerate(texts)]
    assert {(near.line.where, near.earlier.where) for near in near_duplicates(lines)} == {("1", "0"), ("3", "2")}
    assert near_share(near_duplicates(lines), lines) == pytest.approx(2 / 6)


def test_counts(small_corpus: Corpus) -> None:
    rows = {(what, language, mood): kinds for what, language, mood, kinds in counts(small_corpus)}
    assert sum(rows["utterances", "ja", "food"].values()) == sum(rows["replies", "en", "lonely"].values()) == 4
    assert set(rows["utterances", "ja", "food"]) == set(KINDS)
    dialogues = sum(sum(kinds.values()) for (what, _, _), kinds in rows.items() if what == "dialogues")
    assert dialogues == len(small_corpus.dialogues)


# --- the evaluation sets and the reader ---------------------------------------------------------------------------


@pytest.mark.parametrize("folder", [HELDOUT, DEVELOPMENT])
def test_evaluation_sets_repeat_nothing(folder: Path) -> None:
    texts = Counter((item.language, *map(clean_text, item.texts)) for item in read_items(folder))
    assert [text for text, number in texts.items() if number > 1] == []


def test_held_out_sets_are_as_large_as_they_should_be() -> None:
    moods = Counter((item.name, item.language, item.mood) for item in read_items(HELDOUT))
    least = {("everyday", "ja"): 30, ("everyday", "en"): 15, ("indirect", "ja"): 15, ("indirect", "en"): 8}
    for (name, language), number in least.items():
        assert min(moods[name, language, mood] for mood in MOODS) >= number
    sets = Counter(item.name for item in read_items(HELDOUT))
    assert sets["negation"] >= 60
    assert sets["out-of-scope"] >= 80
    assert sets["multi-turn"] >= 80


def test_reading(tmp_path: Path) -> None:
    (tmp_path / "ja/utterances").mkdir(parents=True)
    (tmp_path / "ja/dialogues").mkdir()
    (tmp_path / "ja/utterances/food.txt").write_text("# note\n\n## slang more words\n ご飯 \n#タグ\n", "utf-8")
    (tmp_path / "ja/dialogues/a.txt").write_text(
        "human: a | A\ncat: food\nhuman: b\ncat: play\n\n# note\nhuman: c\ncat: angry\n", "utf-8"
    )
    read = read_corpus(tmp_path)
    assert read.utterances == [
        Line("ご飯", "food", "ja", "slang", "ja/utterances/food.txt:4"),
        Line("#タグ", "food", "ja", "slang", "ja/utterances/food.txt:5"),
    ]
    assert [(d.wordings, d.moods) for d in read.dialogues] == [((("a", "A"), ("b",)), ("food", "play")), ((("c",),), ("angry",))]
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
