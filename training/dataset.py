"""From conversations to tensors: the stream that the trainer reads, and its batches.

All token and mask decisions are `model.prompt`'s. What is owned here is subword sampling and padding.
"""

from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from random import Random
from typing import NamedTuple

import sentencepiece
import torch
from torch.utils.data import IterableDataset

from model.catspeak import MOODS
from model.prompt import CatbotPrompt, Example
from model.tokenizer import SPIECE, SentencePieceTokenizer

from .corpus.builder import Builder, Conversation
from .corpus.reader import Corpus
from .recipe import TrainingRecipe
from .teacher import Odds, Opinions


class SampledTokenizer(SentencePieceTokenizer):
    """The same tokenizer, but with subword sampling (Kudo 2018): another segmentation of the same text each time."""

    def __init__(self, path: Path, alpha: float, seed: int) -> None:
        super().__init__(path, {})
        self.alpha = alpha
        self.sampling = False
        sentencepiece.set_random_generator_seed(seed)

    def encode(self, text: str) -> list[int]:
        """Sampled ids while `sampling` is on, the usual ones otherwise."""
        if not self.sampling or not text:
            return super().encode(text)
        ids: list[int] = self._processor.encode(text, enable_sampling=True, alpha=self.alpha, nbest_size=-1)
        return ids

    def piece(self, token: int) -> str:
        """The piece of an id, as sentencepiece spells it (▁ is a space)."""
        return str(self._processor.id_to_piece(token))


class Sample(NamedTuple):
    """What the trainer is fed: an example, and the odds of each mood in a second opinion, in the order of MOODS."""

    example: Example
    odds: Odds


class ConversationDataset(IterableDataset[Sample]):
    """Endless examples from a corpus, grouped by length; the same seed gives the same stream.

    Every `batch_size` consecutive examples are of similar length: padding costs a third of the time otherwise.
    """

    _GROUPED_BATCHES = 16

    def __init__(self, corpus: Corpus, spiece: Path, plan: TrainingRecipe, seed: int, opinions: Opinions | None = None) -> None:
        self._corpus, self._spiece, self._plan, self._seed, self._opinions = corpus, spiece, plan, seed, opinions or Opinions()

    def __iter__(self) -> Iterator[Sample]:
        rng, size = Random(self._seed), self._plan.batch_size
        examples = self._examples()
        while pool := sorted(islice(examples, size * self._GROUPED_BATCHES), key=lambda sample: len(sample.example.ids)):
            batches = [pool[start : start + size] for start in range(0, len(pool), size)]
            rng.shuffle(batches)
            yield from chain.from_iterable(batches)

    def _examples(self) -> Iterator[Sample]:
        plan = self._plan
        tokenizer = SampledTokenizer(self._spiece, plan.sampling_alpha, self._seed)
        prompt = CatbotPrompt(tokenizer)
        rng = Random(self._seed + 1)
        for conversation in Builder(self._corpus, self._seed, self._opinions).stream():
            example = encode(conversation, prompt, tokenizer, plan, sampling=rng.random() < plan.sampling_share)
            if conversation.crossed or rng.random() >= plan.reply_share:
                example = until_mood(example)
            yield Sample(example, self._opinion(conversation))

    def _opinion(self, conversation: Conversation) -> Odds:
        """The teacher's odds, or certainty where it has none: what is said in a dialogue depends on what was said before."""
        known = self._opinions.odds.get((conversation.language, conversation.said)) if len(conversation.turns) == 1 else None
        return known or tuple(float(mood == conversation.mood) for mood in MOODS)


def encode(
    conversation: Conversation, prompt: CatbotPrompt, tokenizer: SampledTokenizer, plan: TrainingRecipe, *, sampling: bool
) -> Example:
    """One conversation as ids and weights. Questions are segmented at random, the answer never: it is what gets printed."""
    answer = prompt.answer(conversation.mood, conversation.reply)
    tokenizer.sampling = sampling
    try:
        ids = prompt.encode(conversation.turns, conversation.language, plan.max_tokens - len(answer))
    finally:
        tokenizer.sampling = False
    return prompt.example(ids, answer, plan.text_weight, plan.mood_weight)


def until_mood(example: Example) -> Example:
    """The example up to its mood, without the reply. Which words go with a mood is learned soon; which mood goes with a
    message is what takes the examples, and they are half as long without a reply."""
    end = example.mood_place + 1
    return Example(example.ids[:end], example.weights[:end], example.said)


def shown(corpus: Corpus, folder: Path, plan: TrainingRecipe, *, seed: int, mood: str, number: int) -> Iterator[str]:
    """Examples as lines of pieces, each with its weight: what the model is fed, subword sampling and disturbance included."""
    tokenizer = SampledTokenizer(folder / SPIECE, plan.sampling_alpha, seed)
    prompt = CatbotPrompt(tokenizer)
    rng = Random(seed + 1)
    stream = (conversation for conversation in Builder(corpus, seed).stream() if mood in ("", conversation.mood))
    for conversation in islice(stream, number):
        example = encode(conversation, prompt, tokenizer, plan, sampling=rng.random() < plan.sampling_share)
        yield " ".join(
            f"{tokenizer.piece(token)}·{weight:g}" if weight else tokenizer.piece(token)
            for token, weight in zip(example.ids, example.weights, strict=True)
        )


def collate(samples: list[Sample]) -> dict[str, torch.Tensor]:
    """Pad on the right: input_ids and attention_mask [rows, width] int64, weights and said [rows, width] float32 (`said`
    is 1 on the last user text); mood_places [rows] int64, where the mood token stands; odds [rows, moods] float32."""
    examples = [sample.example for sample in samples]
    width = max(len(example.ids) for example in examples)
    ids = torch.zeros(len(examples), width, dtype=torch.long)
    mask = torch.zeros(len(examples), width, dtype=torch.long)
    weights, said = torch.zeros(len(examples), width), torch.zeros(len(examples), width)
    for row, example in enumerate(examples):
        length = len(example.ids)
        ids[row, :length] = torch.tensor(example.ids)
        mask[row, :length] = 1
        weights[row, :length] = torch.tensor(example.weights)
        said[row, example.said.start : example.said.stop] = 1
    return {
        "input_ids": ids,
        "attention_mask": mask,
        "weights": weights,
        "said": said,
        "mood_places": torch.tensor([example.mood_place for example in examples]),
        "odds": torch.tensor([sample.odds for sample in samples]),
    }
