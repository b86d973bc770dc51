"""The stream of examples: within the limits, reproducible, grouped, and the answer never disturbed."""

from itertools import islice
from pathlib import Path

import torch

from model.catspeak import MOODS, is_catspeak
from model.prompt import CatbotPrompt, Example, Turn
from model.tokenizer import SPIECE, load_tokenizer
from training.corpus.builder import Conversation
from training.corpus.reader import Corpus
from training.dataset import ConversationDataset, Sample, SampledTokenizer, collate, encode, shown, until_mood
from training.recipe import Recipe
from training.teacher import Opinions

from .conftest import Trained


def examples(trained: Trained, corpus: Corpus, recipe: Recipe, seed: int, number: int = 200) -> list[Example]:
    dataset = ConversationDataset(corpus, trained.folder / SPIECE, recipe.training, seed)
    return [sample.example for sample in islice(dataset, number)]


def test_same_seed_same_stream(trained: Trained, small_corpus: Corpus, recipe: Recipe) -> None:
    first = examples(trained, small_corpus, recipe, 1)
    assert examples(trained, small_corpus, recipe, 1) == first
    assert examples(trained, small_corpus, recipe, 2) != first


def test_examples_end_with_an_undisturbed_answer(trained: Trained, small_corpus: Corpus, recipe: Recipe) -> None:
    tokenizer = load_tokenizer(trained.folder)
    moods = set(CatbotPrompt(tokenizer).mood_ids)
    for example in examples(trained, small_corpus, recipe, 3):
        assert len(example.ids) == len(example.weights) <= recipe.training.max_tokens
        reply_and_end = [token for token, weight in zip(example.ids, example.weights, strict=True) if weight == 1]
        *reply, end = reply_and_end
        place = len(example.ids) - len(reply_and_end) - 1
        assert example.ids[place] in moods
        assert example.weights[place] == recipe.training.mood_weight
        assert end == tokenizer.eos_id
        assert reply == tokenizer.encode(tokenizer.decode(reply))
        assert is_catspeak(tokenizer.decode(reply))


def test_batches_are_of_similar_length(trained: Trained, small_corpus: Corpus, recipe: Recipe) -> None:
    size = recipe.training.batch_size
    stream = [len(example.ids) for example in examples(trained, small_corpus, recipe, 3, size * 16)]
    padded = sum(size * max(stream[start : start + size]) for start in range(0, len(stream), size))
    assert padded < 1.25 * sum(stream)


def test_sampling_disturbs_the_question_only(trained: Trained, recipe: Recipe) -> None:
    tokenizer = SampledTokenizer(trained.folder / SPIECE, 0.1, 0)
    prompt = CatbotPrompt(tokenizer)
    conversation = Conversation(
        (Turn("user", "今日はとてもいい天気だからお散歩に行こうね"),), "ja", "play", "ﾆｬｰ！（飛び跳ねる）", ""
    )
    plain = encode(conversation, prompt, tokenizer, recipe.training, sampling=False)
    answer = sum(weight >= 1 for weight in plain.weights)
    seen = {encode(conversation, prompt, tokenizer, recipe.training, sampling=True).ids for _ in range(20)}
    assert len(seen) > 1
    assert {ids[-answer:] for ids in seen} == {plain.ids[-answer:]}
    assert len({tokenizer.decode(list(ids)) for ids in seen}) == 1
    assert not tokenizer.sampling


def test_without_sampling_ids_are_those_of_serving(
    trained: Trained, small_corpus: Corpus, recipe: Recipe, tmp_path: Path
) -> None:
    tokenizer = SampledTokenizer(trained.folder / SPIECE, 0.1, 0)
    served = load_tokenizer(trained.folder)
    for line in small_corpus.utterances:
        assert tokenizer.encode(line.text) == served.encode(line.text)


def test_collate_pads_on_the_right() -> None:
    odds = tuple(1 / len(MOODS) for _ in MOODS)
    long, short = (
        Example((1, 2, 9, 3, 4, 7, 8), (0, 0, 0.5, 0, 0, 4, 1), range(2, 3)),
        Example((1, 2, 3, 4, 7), (0,) * 5, range(2, 2)),
    )
    batch = collate([Sample(long, odds), Sample(short, odds)])
    assert batch["input_ids"].tolist() == [[1, 2, 9, 3, 4, 7, 8], [1, 2, 3, 4, 7, 0, 0]]
    assert batch["attention_mask"].tolist() == [[1] * 7, [1] * 5 + [0] * 2]
    assert batch["weights"].tolist() == [[0, 0, 0.5, 0, 0, 4, 1], [0] * 7]
    assert batch["said"].tolist() == [[0, 0, 1, 0, 0, 0, 0], [0] * 7]
    assert batch["mood_places"].tolist() == [5, 4]
    assert batch["odds"].shape == (2, len(MOODS))
    assert {name: tensor.dtype for name, tensor in batch.items()} == {
        "input_ids": torch.int64,
        "attention_mask": torch.int64,
        "weights": torch.float32,
        "said": torch.float32,
        "mood_places": torch.int64,
        "odds": torch.float32,
    }


def test_mood_is_where_the_example_says(trained: Trained, small_corpus: Corpus, recipe: Recipe) -> None:
    moods = set(CatbotPrompt(load_tokenizer(trained.folder)).mood_ids)
    for example in examples(trained, small_corpus, recipe, 5):
        assert example.ids[example.mood_place] in moods
        cut = until_mood(example)
        assert (cut.ids, cut.weights) == (example.ids[: len(cut.ids)], example.weights[: len(cut.ids)])
        assert cut.ids[-1] in moods


def test_a_share_of_the_examples_has_a_reply(trained: Trained, small_corpus: Corpus, recipe: Recipe) -> None:
    few = recipe.model_copy(update={"training": recipe.training.model_copy(update={"reply_share": 0.25})})
    end = load_tokenizer(trained.folder).eos_id
    replies = sum(example.ids[-1] == end for example in examples(trained, small_corpus, few, 5, 400))
    assert 70 < replies < 130


def test_second_opinion_is_the_teachers_for_what_is_said_out_of_the_blue(
    trained: Trained, small_corpus: Corpus, recipe: Recipe
) -> None:
    opinion = tuple(0.5 if mood in ("food", "play") else 0.0 for mood in MOODS)
    odds = {(line.language, line.text): opinion for line in small_corpus.utterances if line.language == "ja"}
    dataset = ConversationDataset(small_corpus, trained.folder / SPIECE, recipe.training, 1, Opinions(odds))
    moods = CatbotPrompt(load_tokenizer(trained.folder)).mood_ids
    seen = 0
    for sample in islice(dataset, 300):
        if sample.odds == opinion:
            seen += 1
        else:
            assert sample.example.ids[sample.example.mood_place] == moods[sample.odds.index(1.0)]
            assert sum(sample.odds) == 1
    assert 60 < seen < 200


def test_crossings_end_with_a_mood_drawn_from_their_odds(trained: Trained, small_corpus: Corpus, recipe: Recipe) -> None:
    opinion = tuple(0.5 if mood in ("food", "play") else 0.0 for mood in MOODS)
    crossed: dict[str, list[str]] = {"ja": ["掃除だよ"], "en": ["hello vacuum"]}
    odds = {(language, text): opinion for language, texts in crossed.items() for text in texts}
    dataset = ConversationDataset(small_corpus, trained.folder / SPIECE, recipe.training, 1, Opinions(odds, crossed))
    moods = CatbotPrompt(load_tokenizer(trained.folder)).mood_ids
    ends = [sample.example.ids[-1] for sample in islice(dataset, 400) if sample.odds == opinion]
    assert 60 < len(ends) < 140
    assert set(ends) == {moods[MOODS.index("food")], moods[MOODS.index("play")]}


def test_shown_prints_pieces_with_their_weights(trained: Trained, small_corpus: Corpus, recipe: Recipe) -> None:
    lines = list(shown(small_corpus, trained.folder, recipe.training, seed=0, mood="food", number=4))
    assert len(lines) == 4
    for line in lines:
        assert line.startswith("<s> <human> ")
        assert f"<mood:food>·{recipe.training.mood_weight:g}" in line
        assert line.endswith("</s>·1")
