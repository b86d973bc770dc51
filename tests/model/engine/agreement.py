"""Compares a Network with the transformers model that it was made from, in prefill, in decode and after rows leave."""

from typing import Any

import torch
from torch import Tensor

from model.engine.network import Network

LENGTHS = (7, 1, 12, 4)
NEW_TOKENS = 5


@torch.inference_mode()
def their_logits(theirs: Any, sequences: list[Tensor]) -> Tensor:
    """The logits of the next token of each sequence, each computed alone and without a cache."""
    return torch.stack([theirs(input_ids=sequence[None]).logits[0, -1] for sequence in sequences])


def assert_agrees(ours: Network, theirs: Any, columns: Tensor, vocab_size: int) -> None:
    """Logits within 1e-4, for prompts of several lengths padded on the left, over several steps, with a row leaving."""
    generator = torch.Generator().manual_seed(0)

    def draw(number: int) -> Tensor:
        return torch.randint(vocab_size, (number,), generator=generator)

    sequences = [draw(length) for length in LENGTHS]
    width = max(LENGTHS)
    ids = torch.stack([torch.cat([torch.zeros(width - len(s), dtype=torch.long), s]) for s in sequences])
    mask = torch.arange(width) >= width - torch.tensor(LENGTHS)[:, None]
    logits, cache = ours.prefill(ids, mask, NEW_TOKENS)
    assert logits.dtype == torch.float32
    for step in range(NEW_TOKENS):
        expected = their_logits(theirs, sequences)[:, columns]
        assert logits.shape == expected.shape
        assert torch.allclose(logits, expected, atol=1e-4), f"step {step}: off by {(logits - expected).abs().max()}"
        if step == 2:
            cache.keep(torch.tensor([3, 0]))
            sequences = [sequences[3], sequences[0]]
        following = draw(len(sequences))
        sequences = [torch.cat([s, token[None]]) for s, token in zip(sequences, following, strict=True)]
        logits = ours.decode(following, cache)
