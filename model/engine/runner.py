"""A checkpoint ready to answer, and a batch of replies on their way.

Ties tokenizer, prompt, automaton, network and sampler together: `Runner.prepare` encodes one request, `Runner.start`
reads a batch of prompts, `Batch.step` adds one token to each reply. Knows no queue, no thread and no waiting caller.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from ..automaton import compile_automaton
from ..catspeak import MOODS, Language, canonical, parse, reply_patterns
from ..checkpoint import Checkpoint
from ..errors import CheckpointUnsupported, WorkerFailed
from ..prompt import Turn, open_prompt, reply_language
from ..tokenizer import Tokenizer, load_tokenizer
from .network import Cache, Network, load_network, pick_device
from .request import Reply, Request, Sampling, Usage
from .sampler import Draw, TokenMask, sample, uniforms


@dataclass(frozen=True, slots=True)
class Prepared:
    """An encoded request: prompt ids, the language that was settled, how to draw, and whether nothing was said."""

    ids: list[int]
    language: Language
    sampling: Sampling
    idle: bool = False


@dataclass(slots=True)
class Written:
    """The tokens that a row has got so far, as columns of the automaton; `row` is its place in the batch's `start`.

    `confidence` is the probability of the likeliest mood, 1 before it was drawn.
    """

    row: int
    prepared: Prepared
    columns: list[int] = field(default_factory=list)
    confidence: float = 1.0


class Runner:
    """One checkpoint on one device. Blocking, and for one thread at a time."""

    def __init__(self, checkpoint: Checkpoint, device: str = "auto") -> None:
        """Load everything; raises one of the CheckpointError family, or NotEnoughMemory."""
        self.checkpoint = checkpoint
        self.device = pick_device(device)
        self.tokenizer = load_tokenizer(checkpoint.folder)
        self._prompt = open_prompt(checkpoint.manifest.prompt_format, self.tokenizer)
        self._moods = dict(zip(self._prompt.mood_ids, MOODS, strict=False))
        patterns = reply_patterns(
            checkpoint.manifest.languages, tokenizer_spelling=self.tokenizer.normalises, leading_space=not self._moods
        )
        openings = dict.fromkeys(patterns, self._prompt.mood_ids)
        self.automaton = compile_automaton(
            patterns, _vocabulary(self.tokenizer, checkpoint), self.tokenizer.eos_id, openings=openings
        )
        self.mask = TokenMask(self.automaton, self.device)
        self.token_ids = torch.from_numpy(self.automaton.token_ids).to(self.device)
        self.curious = self._column_of_curious()
        self.network: Network = load_network(checkpoint, self.device, self.token_ids, self.tokenizer.size)

    def _column_of_curious(self) -> int:
        ids = [token for token, mood in self._moods.items() if mood == "curious"]
        return self.automaton.token_ids.tolist().index(ids[0]) if ids else -1

    @property
    def has_moods(self) -> bool:
        """Whether replies open with an unspoken mood."""
        return bool(self._moods)

    def prepare(self, request: Request) -> Prepared:
        """Encode one request; raises RequestInvalid for one that cannot be."""
        language = reply_language(request.turns, request.language)
        if language not in self.automaton.starts:
            language = next(iter(self.checkpoint.manifest.languages))
        budget = self._budget(request.sampling)
        ids = self._prompt.encode(request.turns, language, self.network.positions - budget)
        return Prepared(ids, language, request.sampling, idle=_is_idle(request.turns))

    def _budget(self, sampling: Sampling) -> int:
        return max(sampling.max_new_tokens, self.automaton.longest_shortest)

    def start(self, prepared: Sequence[Prepared]) -> "Batch":
        """Read the prompts of a batch and stand ready to draw each row's first token."""
        width = max(len(item.ids) for item in prepared)
        ids = torch.tensor([[0] * (width - len(item.ids)) + item.ids for item in prepared], device=self.device)
        lengths = torch.tensor([len(item.ids) for item in prepared], device=self.device)
        mask = torch.arange(width, device=self.device) >= width - lengths[:, None]
        budgets = [self._budget(item.sampling) for item in prepared]
        logits, cache = self.network.prefill(ids, mask, max(budgets))
        return Batch(self, prepared, budgets, logits, cache)

    def read(self, written: Written, *, queue_ms: float, total_ms: float) -> Reply:
        """A finished row as a reply. The grammar makes it valid; should it not be, that is a defect and raises WorkerFailed."""
        tokens = [int(self.automaton.token_ids[column]) for column in written.columns]
        mood = self._moods.get(tokens[0])
        text = self.spell(tokens[:-1], written.prepared.language)
        try:
            said = parse(text, written.prepared.language)
        except ValueError as error:
            raise WorkerFailed(f"the grammar let through {text!r}") from error
        usage = Usage(len(written.prepared.ids), len(tokens), queue_ms, total_ms)
        confidence = written.confidence if mood else None
        return Reply(said.text, said.cries, said.action, said.language, mood, confidence, usage)

    def spell(self, tokens: Sequence[int], language: Language) -> str:
        """Generated ids, mood first where there is one, as canonical text. Whether it is cat speak is not looked at."""
        text = self.tokenizer.decode(list(tokens[1:] if self._moods else tokens)).strip()
        return canonical(text) if self.tokenizer.normalises and language == "ja" else text


class Batch:
    """Replies that are written side by side. Rows leave when they are finished or dropped."""

    def __init__(
        self, runner: Runner, prepared: Sequence[Prepared], budgets: list[int], logits: torch.Tensor, cache: Cache
    ) -> None:
        device = runner.device
        self._runner = runner
        self.rows = [Written(row, item) for row, item in enumerate(prepared)]
        self._logits: torch.Tensor | None = logits
        self._cache = cache
        self._last = torch.zeros(len(prepared), dtype=torch.long, device=device)
        self._states = torch.tensor([runner.automaton.starts[item.language] for item in prepared], device=device)
        self._budgets = torch.tensor(budgets, device=device)
        self._seeds = np.array([_seed(item.sampling) for item in prepared], dtype=np.uint64)
        self._draw = _draw([item.sampling for item in prepared], device)
        self._steps = 0

    def __len__(self) -> int:
        return len(self.rows)

    @torch.inference_mode()
    def step(self) -> list[Written]:
        """Draw one token for every row; returns the rows that are finished, which leave the batch."""
        runner = self._runner
        logits = runner.network.decode(self._last, self._cache) if self._logits is None else self._logits
        self._logits = None
        if not torch.isfinite(logits).all():
            raise FloatingPointError(f"{runner.checkpoint.name} computed NaN or infinite logits")
        allowed = runner.mask.allowed(self._states, self._budgets)
        uniform = torch.from_numpy(uniforms(self._seeds, self._steps)).to(logits.device)
        if self._steps == 0 and runner.has_moods:
            columns = self._decide_mood(logits, allowed, uniform)
        else:
            columns = sample(logits, allowed, self._draw, uniform)
        self._states = runner.mask.next_state[self._states, columns].long()
        self._budgets = self._budgets - 1
        self._last = runner.token_ids[columns]
        self._steps += 1
        for written, column in zip(self.rows, columns.tolist(), strict=True):
            written.columns.append(column)
        return self._leave((self._states == runner.automaton.end).tolist())

    def _decide_mood(self, logits: torch.Tensor, allowed: torch.Tensor, uniform: torch.Tensor) -> torch.Tensor:
        """The likeliest mood, or curious where even that one is not likely enough.

        The mood is a decision, not a style: variety belongs to the words. Only a cat that is left to itself has no reason
        for any mood, and draws one.
        """
        manifest = self._runner.checkpoint.manifest
        odds = (logits.masked_fill(~allowed, -torch.inf) / manifest.mood_temperature).softmax(dim=1)
        confidence, columns = odds.max(dim=1)
        columns = torch.where(confidence < manifest.mood_floor, self._runner.curious, columns)
        for written, found in zip(self.rows, confidence.tolist(), strict=True):
            written.confidence = found
        idle = torch.tensor([written.prepared.idle for written in self.rows], device=columns.device)
        return torch.where(idle, sample(logits, allowed, self._draw, uniform), columns)

    def drop(self, leaving: Sequence[bool]) -> None:
        """Take rows out before they are finished; `leaving` has one entry for each of `rows`."""
        self._leave(leaving)

    def _leave(self, leaving: Sequence[bool]) -> list[Written]:
        if not any(leaving):
            return []
        left = [written for written, leaves in zip(self.rows, leaving, strict=True) if leaves]
        kept = [row for row, leaves in enumerate(leaving) if not leaves]
        self.rows = [self.rows[row] for row in kept]
        if kept:
            rows = torch.tensor(kept, device=self._last.device)
            self._last, self._states, self._budgets = self._last[rows], self._states[rows], self._budgets[rows]
            self._seeds = self._seeds[kept]
            self._draw.keep(rows)
            if self._logits is not None:
                self._logits = self._logits[rows]
            self._cache.keep(rows)
        return left


def _is_idle(turns: Sequence[Turn]) -> bool:
    return not turns or turns[-1].role == "cat" or not turns[-1].text.strip()


def _seed(sampling: Sampling) -> int:
    return random.getrandbits(64) if sampling.seed is None else sampling.seed % (1 << 64)


def _draw(samplings: Sequence[Sampling], device: torch.device) -> Draw:
    # Bounded to what the tensors' types can hold: one odd request must not fail the batch that it is in.
    return Draw(
        temperature=torch.tensor([max(s.temperature, 1e-3) for s in samplings], device=device),
        top_k=torch.tensor([min(s.top_k, 1 << 31) for s in samplings], device=device),
        top_p=torch.tensor([max(s.top_p, 1e-6) for s in samplings], device=device),
        greedy=torch.tensor([s.temperature == 0 for s in samplings], device=device),
    )


def _vocabulary(tokenizer: Tokenizer, checkpoint: Checkpoint) -> dict[int, bytes]:
    written = tokenizer.reply_bytes()
    allowed = checkpoint.manifest.reply_token_ids
    if allowed is None:
        return written
    unknown = [token for token in allowed if token not in written]
    if unknown:
        raise CheckpointUnsupported(
            f"{checkpoint.name}: the reply vocabulary names ids that the tokenizer cannot write: {unknown[:5]}"
        )
    return {token: written[token] for token in allowed}
