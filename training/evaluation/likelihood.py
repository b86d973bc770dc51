"""What the network itself says about held-out text: the loss, and the odds that it gives each mood.

Runs on transformers' model of the checkpoint, not on the engine. Only for checkpoints in our own prompt format: the others
have no mood token.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoModelForCausalLM

from model.catspeak import MOODS
from model.checkpoint import Checkpoint
from model.engine.runner import Runner
from model.prompt import CatbotPrompt

from .answers import Conversation

_BATCH = 64


@dataclass(frozen=True, slots=True)
class Likelihood:
    """`logits` [conversations, moods] float64 of the mood tokens; `text_loss` nats a token of the humans' last messages."""

    logits: NDArray[np.float64]
    text_loss: float

    def odds(self, temperature: float = 1.0) -> NDArray[np.float64]:
        """[conversations, moods], each row adding up to 1."""
        scaled = self.logits / temperature
        raised = np.exp(scaled - scaled.max(axis=1, keepdims=True))
        return np.asarray(raised / raised.sum(axis=1, keepdims=True))

    def mood_loss(self, moods: Sequence[str], temperature: float = 1.0) -> float:
        """Mean nats that the expected moods cost."""
        columns = [MOODS.index(mood) for mood in moods]
        return float(-np.log(self.odds(temperature)[np.arange(len(columns)), columns]).mean())


@torch.inference_mode()
def measure(checkpoint: Checkpoint, runner: Runner, conversations: Sequence[Conversation]) -> Likelihood | None:
    """Loss and mood logits for conversations that end with the human; None without mood tokens."""
    if not runner.has_moods:
        return None
    prompt = CatbotPrompt(runner.tokenizer)
    model: Any = AutoModelForCausalLM.from_pretrained(checkpoint.folder, dtype=torch.float32)
    model.eval()
    moods: list[NDArray[np.float64]] = []
    loss, tokens = 0.0, 0
    for start in range(0, len(conversations), _BATCH):
        part = [
            prompt.encode(turns, language, runner.network.positions) for turns, language in conversations[start : start + _BATCH]
        ]
        width = max(map(len, part))
        ids = torch.tensor([row + [0] * (width - len(row)) for row in part])
        logits = model(
            input_ids=ids, attention_mask=torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in part])
        ).logits
        for row, known in enumerate(part):
            moods.append(logits[row, len(known) - 1, list(prompt.mood_ids)].double().numpy())
            said = prompt.last_message(known)
            costs = torch.nn.functional.cross_entropy(
                logits[row, said.start - 1 : said.stop - 1], ids[row, said.start : said.stop], reduction="sum"
            )
            loss, tokens = loss + float(costs), tokens + len(said)
    return Likelihood(np.stack(moods), loss / max(1, tokens))
