"""The stream of examples: within the limits, reproducible, grouped, and the answer never disturbed."""

from dataclasses import replace
from itertools import islice
from pathlib import Path

import torch

from model.catspeak import is_catspeak
from model.prompt import CatbotPrompt, Example, Turn
from model.tokenizer import SPIECE, load_tokenizer
from training.corpus.builder import Conversation
from training.corpus.reader import Corpus
from training.dataset import ConversationDataset, SampledTokenizer, collate, encode
from training.recipe import Recipe

from .conftest import Trained


def examples(trained: Trained, corpus: Corpus, recipe: Recipe, seed: int, number: int = 200) -> list[Example]:
    return list(islice(ConversationDataset(corpus, trained.folder / SPIECE, recipe.training, seed), number))


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
        (Turn("user", "今日はとてもいい天気だからお散歩に行こうね"),), "ja", "play", "ﾆｬｰ！（飛び跳ねる）"
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
    batch = collate([Example((5, 6, 7), (0.0, 0.5, 1.0)), replace(Example((8,), (1.0,)))])
    assert batch["input_ids"].tolist() == [[5, 6, 7], [8, 0, 0]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1], [1, 0, 0]]
    assert batch["weights"].tolist() == [[0.0, 0.5, 1.0], [1.0, 0.0, 0.0]]
    assert {name: tensor.dtype for name, tensor in batch.items()} == {
        "input_ids": torch.int64,
        "attention_mask": torch.int64,
        "weights": torch.float32,
    }
