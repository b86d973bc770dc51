"""Puts items to a checkpoint: through the bot's own engine, and once more with no grammar at all."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from model.catspeak import Language, is_catspeak
from model.checkpoint import Checkpoint
from model.engine.request import Reply, Request, Sampling
from model.engine.runner import Runner
from model.prompt import Turn

from .items import Item

_BATCH = 64
_ASKED_AGAIN = 5

#: Turns that end with the human, and the language to answer in.
Conversation = tuple[tuple[Turn, ...], Language]


@dataclass(frozen=True, slots=True)
class Answer:
    """An item, what the checkpoint replied, and the mood that a reader finds in the reply."""

    item: Item
    reply: str
    mood: str  # read from the words
    token: str | None  # the unspoken one; None for checkpoints without

    @property
    def fits(self) -> bool:
        return self.mood in self.item.fits

    @property
    def jars(self) -> bool:
        return self.mood in self.item.jars


def ask(runner: Runner, conversations: Sequence[Conversation], seed: int) -> list[Reply]:
    """A reply to each conversation at the sampling that the bot uses (temperature 0.7)."""
    replies: list[Reply] = []
    for start in range(0, len(conversations), _BATCH):
        requests = [
            Request(turns, language=language, sampling=Sampling(seed=seed + start + row))
            for row, (turns, language) in enumerate(conversations[start : start + _BATCH])
        ]
        batch = runner.start([runner.prepare(request) for request in requests])
        written: dict[int, Reply] = {}
        while len(batch):
            written |= {row.row: runner.read(row, queue_ms=0.0, total_ms=0.0) for row in batch.step()}
        replies += [written[row] for row in range(len(requests))]
    return replies


def ask_again(runner: Runner, items: Sequence[Item], seed: int, prompts: int = 20) -> list[str]:
    """Replies to the same prompts, spread evenly over the items' first messages, each asked five times."""
    chosen = [items[place * len(items) // prompts] for place in range(min(prompts, len(items)))]
    asked = [((Turn("user", item.texts[0]),), item.language) for item in chosen] * _ASKED_AGAIN
    return [reply.text for reply in ask(runner, asked, seed)]


def ask_freely(checkpoint: Checkpoint, runner: Runner, conversations: Sequence[Conversation]) -> list[bool]:
    """Whether each reply is cat speak when transformers' own `generate` writes it: no grammar, the whole vocabulary."""
    import torch
    from transformers import AutoModelForCausalLM

    torch.manual_seed(0)
    model: Any = AutoModelForCausalLM.from_pretrained(checkpoint.folder, dtype=torch.float32)
    model.eval()
    valid = []
    for start in range(0, len(conversations), _BATCH):
        part = conversations[start : start + _BATCH]
        prompts = [runner.prepare(Request(turns, language=language)).ids for turns, language in part]
        width = max(map(len, prompts))
        ids = torch.tensor([[0] * (width - len(prompt)) + prompt for prompt in prompts])
        mask = torch.tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts])
        written = model.generate(
            input_ids=ids,
            attention_mask=mask,
            do_sample=True,
            temperature=0.7,
            top_k=40,
            top_p=0.9,
            max_new_tokens=48,
            eos_token_id=runner.tokenizer.eos_id,
            pad_token_id=runner.tokenizer.eos_id,
        )[:, width:]
        for row, (_, language) in zip(written.tolist(), part, strict=True):
            valid.append(_is_reply(runner, row, language))
    return valid


def _is_reply(runner: Runner, tokens: list[int], language: Language) -> bool:
    end = runner.tokenizer.eos_id
    return end in tokens and is_catspeak(runner.spell(tokens[: tokens.index(end)], language), language)
