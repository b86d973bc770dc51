"""From conversations to tensors: the stream that the trainer reads, and its batches.

All token and mask decisions are `model.prompt`'s. What is owned here is subword sampling and padding.
"""

from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from random import Random

import sentencepiece
import torch
from torch.utils.data import IterableDataset

from model.prompt import CatbotPrompt, Example
from model.tokenizer import SentencePieceTokenizer

from .corpus.builder import Builder, Conversation
from .corpus.reader import Corpus
from .recipe import TrainingRecipe


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


class ConversationDataset(IterableDataset[Example]):
    """Endless examples from a corpus, grouped by length; the same seed gives the same stream.

    Every `batch_size` consecutive examples are of similar length: padding costs a third of the time otherwise.
    """

    _GROUPED_BATCHES = 16

    def __init__(self, corpus: Corpus, spiece: Path, plan: TrainingRecipe, seed: int) -> None:
        self._corpus, self._spiece, self._plan, self._seed = corpus, spiece, plan, seed

    def __iter__(self) -> Iterator[Example]:
        rng, size = Random(self._seed), self._plan.batch_size
        examples = self._examples()
        while pool := sorted(islice(examples, size * self._GROUPED_BATCHES), key=lambda example: len(example.ids)):
            batches = [pool[start : start + size] for start in range(0, len(pool), size)]
            rng.shuffle(batches)
            yield from chain.from_iterable(batches)

    def _examples(self) -> Iterator[Example]:
        plan = self._plan
        tokenizer = SampledTokenizer(self._spiece, plan.sampling_alpha, self._seed)
        prompt = CatbotPrompt(tokenizer)
        rng = Random(self._seed + 1)
        for conversation in Builder(self._corpus, self._seed).stream():
            yield encode(conversation, prompt, tokenizer, plan, sampling=rng.random() < plan.sampling_share)


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


def collate(examples: list[Example]) -> dict[str, torch.Tensor]:
    """Pad on the right: input_ids and attention_mask [rows, width] int64, weights [rows, width] float32."""
    width = max(len(example.ids) for example in examples)
    ids = torch.zeros(len(examples), width, dtype=torch.long)
    mask = torch.zeros(len(examples), width, dtype=torch.long)
    weights = torch.zeros(len(examples), width)
    for row, example in enumerate(examples):
        length = len(example.ids)
        ids[row, :length] = torch.tensor(example.ids)
        mask[row, :length] = 1
        weights[row, :length] = torch.tensor(example.weights)
    return {"input_ids": ids, "attention_mask": mask, "weights": weights}
