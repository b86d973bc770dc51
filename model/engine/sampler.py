"""From logits to the next token: grammar mask, temperature, top-k, top-p, draw. Batched tensor work, no loop over rows.

Owns the random numbers too: each row draws from its own seed and step, so a reply does not depend on what else is in the
batch. Knows nothing of requests or networks.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..automaton import DEAD, Automaton


class TokenMask:
    """An automaton's tables on a device."""

    def __init__(self, automaton: Automaton, device: torch.device) -> None:
        self.next_state = torch.from_numpy(automaton.next_state).to(device)
        # The extra last entry is what DEAD (-1) points at: too far for any budget.
        far = np.append(automaton.distance, np.int32(1 << 30))
        self._distance = torch.from_numpy(far).to(device)

    def allowed(self, states: Tensor, budgets: Tensor) -> Tensor:
        """[rows, columns] bool: tokens after which the reply can still be finished within the row's budget of tokens."""
        following = self.next_state[states]
        return (following != DEAD) & (self._distance[following] < budgets[:, None])


@dataclass(slots=True)
class Draw:
    """How each row draws, [rows] each. `greedy` rows take the most likely token."""

    temperature: Tensor
    top_k: Tensor
    top_p: Tensor
    greedy: Tensor

    def keep(self, rows: Tensor) -> None:
        """Drop all rows but these."""
        self.temperature, self.top_k = self.temperature[rows], self.top_k[rows]
        self.top_p, self.greedy = self.top_p[rows], self.greedy[rows]


def sample(logits: Tensor, allowed: Tensor, draw: Draw, uniform: Tensor) -> Tensor:
    """Columns drawn for each row, [rows] int64.

    logits [rows, columns] float32, allowed the same shape in bool, uniform [rows] in [0, 1). Top-k first, then top-p on
    what is left (Holtzman et al. 2020), by inverting the distribution function on the sorted probabilities.
    """
    scores = logits.masked_fill(~allowed, -torch.inf) / draw.temperature[:, None]
    ordered, columns = scores.sort(dim=1, descending=True)
    ranks = torch.arange(scores.shape[1], device=scores.device)
    ordered = ordered.masked_fill(ranks >= draw.top_k[:, None], -torch.inf)
    odds = ordered.softmax(dim=1)
    before = odds.cumsum(dim=1) - odds
    odds = odds.masked_fill(before >= draw.top_p[:, None], 0.0)
    total = odds.cumsum(dim=1)
    chosen = (total <= uniform[:, None] * total[:, -1:]).sum(dim=1)
    # Rounding may land one past the end; the last column with any odds is where it belongs.
    chosen = torch.minimum(chosen, (odds > 0).sum(dim=1) - 1)
    chosen = torch.where(draw.greedy, torch.zeros_like(chosen), chosen)
    return columns.gather(1, chosen[:, None]).squeeze(1)


def uniforms(seeds: NDArray[np.uint64], step: int) -> NDArray[np.float32]:
    """One number in [0, 1) for each seed at this step: splitmix64 (Steele et al. 2014) as a counter-based generator."""
    with np.errstate(over="ignore"):
        z = seeds + np.uint64(step + 1) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return (z >> np.uint64(40)).astype(np.float32) / np.float32(1 << 24)
