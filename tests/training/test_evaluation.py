"""The evaluation: what it reads, what it asks, and that its arithmetic is right."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model.catspeak import MOODS, is_catspeak
from model.checkpoint import open_checkpoint
from model.engine.runner import Runner
from model.prompt import CatbotPrompt, Turn
from tests.checkpoints import make_rinna_checkpoint
from training.calibrate import calibrate
from training.card import write_model_card
from training.corpus.reader import Corpus, by_mood
from training.evaluation import scores
from training.evaluation.answers import Answer, ask, ask_again, ask_freely
from training.evaluation.baselines import most_frequent_mood, ngram_regression
from training.evaluation.items import Item, read_items
from training.evaluation.likelihood import Likelihood, measure
from training.evaluation.reading import MoodReader, cross_validated
from training.evaluation.report import comparison, evaluate, table
from training.plots import draw_evaluation

from .conftest import Trained

ITEMS = {
    "everyday.ja": [
        {"turns": ["ご飯の時間ですよ"], "fits": ["food"], "jars": ["scared"]},
        {"turns": ["なでなでしてあげる"], "fits": ["affection", "sleepy"], "jars": ["angry"]},
        {"turns": ["また明日ね"], "fits": ["lonely"], "jars": ["food"]},
    ],
    "everyday.en": [{"turns": ["dinner time"], "fits": ["food"], "jars": ["scared"]}] * 2,
    "multi-turn.ja": [{"turns": ["おやつだよ", "food", "はいどうぞ"], "fits": ["food"], "jars": ["scared", "angry"]}],
}


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sets")
    for name, records in ITEMS.items():
        lines = [json.dumps(record, ensure_ascii=False) for record in records]
        (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
    return folder


@pytest.fixture(scope="module")
def items(sets: Path) -> list[Item]:
    return read_items(sets)


def an_answer(item: Item, mood: str, reply: str = "ﾆｬｰ！") -> Answer:
    return Answer(item, reply, mood, mood)


# --- reading ------------------------------------------------------------------------------------------------------


def test_items(items: list[Item], corpus: Corpus) -> None:
    assert [(item.name, item.language, item.mood) for item in items] == [
        ("everyday", "ja", "food"),
        ("everyday", "ja", "affection"),
        ("everyday", "ja", "lonely"),
        ("everyday", "en", "food"),
        ("everyday", "en", "food"),
        ("multi-turn", "ja", "food"),
    ]
    replies = by_mood(corpus.replies)
    first, answered, last = items[-1].turns(replies)
    assert (first, last) == (Turn("user", "おやつだよ"), Turn("user", "はいどうぞ"))
    assert answered.role == "cat"
    assert answered.text in {line.text for line in replies["ja", "food"]}
    assert items[-1].turns(replies) == (first, answered, last)


@pytest.mark.parametrize(
    "line",
    [
        "ご飯",
        "[]",
        '{"turns": ["a"], "fits": ["food"]}',
        '{"turns": ["a", "food"], "fits": ["food"], "jars": []}',
        '{"turns": ["a"], "fits": [], "jars": []}',
        '{"turns": ["a"], "fits": ["hungry"], "jars": []}',
        '{"turns": ["a"], "fits": ["food"], "jars": ["food"]}',
    ],
)
def test_an_item_that_cannot_be_read_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "everyday.ja.jsonl").write_text(line + "\n", "utf-8")
    with pytest.raises(ValueError, match=r"everyday\.ja\.jsonl:1: "):
        read_items(tmp_path)


def test_a_reader_tells_the_mood_from_words(corpus: Corpus) -> None:
    found = MoodReader(corpus.replies).read([reply.text for reply in corpus.replies])
    assert sum(mood == reply.mood for mood, reply in zip(found, corpus.replies, strict=True)) >= 0.99 * len(found)
    assert MoodReader(corpus.replies).read([]) == []


def test_hand_written_replies_are_told_apart_even_when_unseen(corpus: Corpus) -> None:
    found = cross_validated(corpus.replies)
    assert sum(mood == reply.mood for mood, reply in zip(found, corpus.replies, strict=True)) >= 0.5 * len(found)


# --- asking -------------------------------------------------------------------------------------------------------


def test_answers_are_reproducible_cat_speak(trained: Trained, items: list[Item], small_corpus: Corpus) -> None:
    runner = Runner(open_checkpoint(trained.folder), "cpu")
    replies = by_mood(small_corpus.replies)
    conversations = [(item.turns(replies), item.language) for item in items]
    first = [reply.text for reply in ask(runner, conversations, 0)]
    assert all(is_catspeak(text, item.language) for text, item in zip(first, items, strict=True))
    assert [reply.text for reply in ask(runner, conversations, 0)] == first
    assert len(ask_again(runner, items, 0, prompts=2)) == 10


def test_without_the_grammar_an_untrained_model_talks_nonsense(trained: Trained, items: list[Item], small_corpus: Corpus) -> None:
    checkpoint = open_checkpoint(trained.folder)
    replies = by_mood(small_corpus.replies)
    conversations = [(item.turns(replies), item.language) for item in items] * 5
    valid = ask_freely(checkpoint, Runner(checkpoint, "cpu"), conversations)
    assert len(valid) == len(conversations)
    assert not all(valid)


def test_likelihood_is_the_networks_own(trained: Trained, items: list[Item], small_corpus: Corpus) -> None:
    checkpoint = open_checkpoint(trained.folder)
    runner = Runner(checkpoint, "cpu")
    conversations = [(item.turns(by_mood(small_corpus.replies)), item.language) for item in items]
    found = measure(checkpoint, runner, conversations)
    assert found is not None
    assert found.logits.shape == (len(items), len(MOODS))
    for reply, odds in zip(ask(runner, conversations, 0), found.odds(), strict=True):
        assert reply.mood == MOODS[int(odds.argmax())]
        assert reply.confidence == pytest.approx(odds.max(), rel=0.05)
    alone = measure(checkpoint, runner, conversations[:1])
    assert alone is not None
    assert np.allclose(alone.logits[0], found.logits[0], atol=1e-4)
    assert 0 < found.text_loss < 20


# --- arithmetic ---------------------------------------------------------------------------------------------------


def test_share_has_wilsons_interval() -> None:
    # Newcombe (1998), table I: 81 of 263.
    assert scores.share(81, 263) == {"hits": 81, "share": 0.308, "low": 0.2553, "high": 0.3662}
    assert scores.share(0, 10)["low"] == 0
    assert scores.share(10, 10)["high"] == 1


def test_rows(items: list[Item]) -> None:
    moods = ["food", "angry", "lonely", "scared", "food", "greet"]
    answers = [an_answer(item, mood) for item, mood in zip(items, moods, strict=True)]
    rows = scores.by_row(answers, {"always_food": ["food"] * len(items)})
    assert list(rows) == ["everyday/ja", "everyday/en", "multi-turn", "multi-turn/ja"]
    assert (rows["everyday/ja"]["fits"]["hits"], rows["everyday/ja"]["jars"]["hits"]) == (2, 1)
    assert (rows["everyday/en"]["fits"]["share"], rows["everyday/en"]["jars"]["share"]) == (0.5, 0.5)
    assert rows["everyday/ja"]["always_food"] == pytest.approx(1 / 3, abs=1e-4)
    assert scores.by_mood(answers)["food"]["hits"] == 2
    assert scores.confusion(answers)[MOODS.index("affection")][MOODS.index("angry")] == 1
    assert sum(map(sum, scores.confusion(answers))) == len(items)


def test_shuffled_is_the_mean_over_all_other_replies(items: list[Item]) -> None:
    answers = [an_answer(item, item.mood) for item in items[:3]]
    assert scores.shuffled_fits(answers) == 0
    same = [an_answer(item, "food") for item in items[:3]]
    assert scores.shuffled_fits(same) == pytest.approx(1 / 3)


def test_variety() -> None:
    found = scores.variety(["Meow! (sits)", "Meow! (runs)"], ["a", "b", "a", "a"], "en")
    assert found == {"distinct_1": 0.75, "distinct_2": 1.0, "distinct_in_100": 50, "mean_characters": 12.0}
    assert scores.variety(["ﾆｬｰ", "ﾆｬｰ"], ["ﾆｬｰ"], "ja")["distinct_1"] == 0.5


def test_calibration(items: list[Item]) -> None:
    logits = np.full((len(items), len(MOODS)), -50.0)
    logits[:, MOODS.index("food")] = 0.0
    found = scores.calibration(Likelihood(logits, 1.0), items, 1.0)
    assert found["bins"] == [{"items": 6, "confidence": 1.0, "fits": round(4 / 6, 4)}]
    assert found["expected_calibration_error"] == pytest.approx(2 / 6, abs=1e-3)


def test_an_overconfident_model_is_cooled_and_made_curious(items: list[Item]) -> None:
    """It is sure and right of four, less sure and jarring of two."""
    logits = np.zeros((len(items), len(MOODS)))
    for row, item in enumerate(items):
        logits[row, MOODS.index(item.mood)] = 12.0
    for row, wrong in ((1, "angry"), (2, "food")):
        logits[row] = 0.0
        logits[row, MOODS.index(wrong)] = 9.0
    found = calibrate(Likelihood(logits, 1.0), items)
    odds = Likelihood(logits, 1.0).odds(found.temperature).max(axis=1)
    assert found.temperature > 1.5
    assert max(odds[1], odds[2]) < found.floor <= min(odds[0], odds[3])


def test_baselines(corpus: Corpus, small_corpus: Corpus, items: list[Item]) -> None:
    assert set(most_frequent_mood(corpus, items)) == {"curious"}
    known = [
        replace(items[0], language=line.language, texts=(line.text,), moods=(), fits=(line.mood,))
        for line in small_corpus.utterances
    ]
    found = ngram_regression(small_corpus, known)
    assert sum(mood == item.mood for mood, item in zip(found, known, strict=True)) > 0.9 * len(known)


# --- the whole ----------------------------------------------------------------------------------------------------


def test_evaluation_as_data_table_picture_and_card(trained: Trained, sets: Path, small_corpus: Corpus, tmp_path: Path) -> None:
    record, answers = evaluate(trained.folder, small_corpus, sets)
    assert json.loads(json.dumps(record)) == record
    assert record["valid"]["grammar_on"]["share"] == 1
    assert record["token_agrees"]["hits"] == sum(answer.token == answer.mood for answer in answers)
    text = table(record)
    for word in ("everyday/ja", "shuffled", "n-gram", "grammar off", "distinct in 100", "calibration error"):
        assert word in text
    draw_evaluation(record, tmp_path / "evaluation.png")
    assert (tmp_path / "evaluation.png").read_bytes().startswith(b"\x89PNG")
    write_model_card(tmp_path / "README.md", trained.manifest, record)
    card = (tmp_path / "README.md").read_text("utf-8")
    assert "| everyday/ja | 3 |" in card
    assert "catbot-train run tiny" in card
    again, _ = evaluate(trained.folder, small_corpus, sets)
    assert again == record


def test_a_checkpoint_of_another_make_is_evaluated_too(tmp_path: Path, sets: Path, small_corpus: Corpus) -> None:
    record, answers = evaluate(make_rinna_checkpoint(tmp_path / "rinna"), small_corpus, sets)
    assert {answer.item.language for answer in answers} == {"ja"}
    assert "calibration" not in record
    assert "everyday/en" not in record["rows"]
    assert "loss:" not in table(record)
    draw_evaluation(record, tmp_path / "evaluation.svg")
    assert (tmp_path / "evaluation.svg").stat().st_size > 1000


def test_comparison_counts_where_two_differ(items: list[Item]) -> None:
    first = [an_answer(item, item.mood) for item in items]
    second = [an_answer(item, "greet") for item in items]
    lines = comparison(first, second, ("one", "two")).splitlines()
    assert lines[1].split() == ["everyday/ja", "100.0%", "0.0%", "3", "0", "0.250"]
    assert lines[1].startswith("everyday/ja")


def test_last_message_is_where_the_last_text_stands(trained: Trained) -> None:
    tokenizer = Runner(open_checkpoint(trained.folder), "cpu").tokenizer
    prompt = CatbotPrompt(tokenizer)
    ids = prompt.encode([Turn("user", "ねこ"), Turn("cat", "ﾆｬ"), Turn("user", "ご飯だよ")], "ja", 100)
    said = prompt.last_message(ids)
    assert tokenizer.decode(ids[said.start : said.stop]) == "ご飯だよ"
    silent = prompt.encode([Turn("user", "")], "ja", 100)
    assert len(prompt.last_message(silent)) == 0
