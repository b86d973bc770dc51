"""The asyncio face of the model: open, reply, swap, status, close.

Owns the way between an event loop and the worker thread, and the rules of a swap. Importing it loads no torch: the
engine is imported in a thread while the caller's event loop goes on (the gateway login runs side by side with it).
"""

import asyncio
import contextlib
import logging
import math
import statistics
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from .automaton import byte_automaton
from .blocking import run_blocking
from .catspeak import Language, reply_patterns
from .checkpoint import BUNDLED, Checkpoint, Manifest, open_checkpoint
from .engine.request import Reply, Request, Sampling
from .engine.scheduler import Ticket
from .errors import DeadlineExceeded, ProbeFailed, ServiceError, SwapInProgress
from .prompt import Turn

if TYPE_CHECKING:
    from .engine.runner import Runner
    from .engine.worker import Worker

log = logging.getLogger(__name__)

#: How long past its deadline a waiter waits for the worker's own answer, in seconds. A hung device must strand nobody.
_GRACE = 1.0

#: What a candidate must answer, validly, before it may serve.
PROBES: tuple[tuple[str, Language], ...] = (
    ("ご飯だよ", "ja"),
    ("ただいま", "ja"),
    ("今日はつらかった", "ja"),
    ("", "ja"),
    ("dinner time!", "en"),
    ("good night", "en"),
    ("👍", "ja"),
    ("print('hello')", "en"),
)


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """A snapshot for operators. Latencies in milliseconds over the last 1,024 replies; NaN before the first."""

    checkpoint: Checkpoint
    device: str
    healthy: bool
    waiting: int
    replies: int
    errors: int
    tokens: int
    p50_ms: float
    p95_ms: float
    uptime_s: float


class CatModel:
    """A model that answers. Make one with `CatModel.open`; use it from the event loop that opened it."""

    def __init__(self, worker: "Worker", device: str, cache_dir: Path | None) -> None:
        self._worker = worker
        self._device = device
        self._cache_dir = cache_dir
        self._swapping = asyncio.Lock()
        self._opened = time.monotonic()

    @classmethod
    @contextlib.asynccontextmanager
    async def open(
        cls,
        source: str | Path = BUNDLED,
        *,
        device: str = "auto",
        max_batch: int = 64,
        max_queue: int = 1024,
        cache_dir: Path | None = None,
    ) -> "AsyncIterator[CatModel]":
        """Load a checkpoint and serve it until the block ends.

        `source` is a folder, a hub id or hub id@revision; `device` "auto", "cpu", "cuda" or "cuda:N". Raises one of the
        CheckpointError family or NotEnoughMemory.
        """
        runner = await run_blocking(_load, source, device, cache_dir)
        from .engine.worker import Worker  # the load has imported torch already

        # Only now, on this side: a load that is cancelled half-way must not leave a thread behind.
        worker = Worker(runner, max_batch=max_batch, max_queue=max_queue)
        try:
            yield cls(worker, device, cache_dir)
        finally:
            await asyncio.to_thread(worker.close)

    @property
    def checkpoint(self) -> Checkpoint:
        """The checkpoint that serves now."""
        return self._worker.runner.checkpoint

    @property
    def healthy(self) -> bool:
        """Whether the worker thread is alive."""
        return self._worker.alive

    async def reply(
        self,
        turns: Sequence[Turn],
        *,
        channel: str = "",
        language: Language | Literal["auto"] = "auto",
        deadline: float = 10.0,
        sampling: Sampling | None = None,
    ) -> Reply:
        """The cat's answer to a conversation; `deadline` is seconds from now. Raises one of the ServiceError family.

        Requests of one `channel` take turns with those of others. Cancelling the call takes the request out at the
        worker's next step.
        """
        if not (deadline > 0 and math.isfinite(deadline)):
            raise DeadlineExceeded(f"the deadline must be a positive number of seconds, not {deadline}")
        now = time.monotonic()
        request = Request(tuple(turns), channel, language, sampling or Sampling(), now + deadline)
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        ticket = Ticket(request, now, _resolver(future))
        self._worker.submit(ticket)
        try:
            async with asyncio.timeout(deadline + _GRACE):
                return await future
        except TimeoutError:
            raise DeadlineExceeded("the model did not answer in time") from None
        finally:
            ticket.cancelled = True

    async def swap(self, source: str | Path) -> Checkpoint:
        """Serve another checkpoint: verify, load beside the old one, warm, probe, then replace between two batches.

        Raises SwapInProgress, one of the CheckpointError family or NotEnoughMemory; whatever is raised, the old
        checkpoint goes on serving.
        """
        if self._swapping.locked():
            raise SwapInProgress("another reload is running; wait for it to end")
        async with self._swapping:
            candidate = await run_blocking(_load, source, self._device, self._cache_dir)
            await asyncio.wrap_future(self._worker.replace(candidate))
        log.info("now serving %s (%s)", candidate.checkpoint.name, candidate.checkpoint.revision)
        return candidate.checkpoint

    def status(self) -> ServiceStatus:
        """A snapshot; cheap enough for every call of a status command."""
        runner, counters = self._worker.runner, self._worker.counters
        latencies = sorted(counters.latencies_ms.copy())
        return ServiceStatus(
            checkpoint=runner.checkpoint,
            device=str(runner.device),
            healthy=self.healthy,
            waiting=self._worker.waiting,
            replies=counters.replies,
            errors=counters.errors,
            tokens=counters.tokens,
            p50_ms=statistics.median(latencies) if latencies else math.nan,
            p95_ms=latencies[int(0.95 * (len(latencies) - 1))] if latencies else math.nan,
            uptime_s=time.monotonic() - self._opened,
        )


def _resolver(future: "asyncio.Future[Reply]") -> Callable[[Reply | ServiceError], None]:
    """A function that settles the future from any thread."""
    loop = future.get_loop()

    def deliver(outcome: Reply | ServiceError) -> None:
        if future.done():
            return
        if isinstance(outcome, Reply):
            future.set_result(outcome)
        else:
            future.set_exception(outcome)

    def resolve(outcome: Reply | ServiceError) -> None:
        # A loop that has closed has no waiters left.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(deliver, outcome)

    return resolve


def _load(source: str | Path, device: str, cache_dir: Path | None) -> "Runner":
    """Verify, load, warm and probe a checkpoint; raises before anything of it may serve."""
    checkpoint = open_checkpoint(source, cache_dir=cache_dir)
    ahead = threading.Thread(target=_compile_ahead, args=(checkpoint.manifest,), name="catbot-grammar")
    ahead.start()
    from .engine import worker  # noqa: F401 - with torch, and therefore here in the thread
    from .engine.runner import Runner

    ahead.join()
    runner = Runner(checkpoint, device)
    probe(runner)
    return runner


def _compile_ahead(manifest: Manifest) -> None:
    """Compile the grammar of our own format: it needs half a second and no torch, whose import takes longer."""
    if manifest.prompt_format == "catbot":
        for expression in reply_patterns(manifest.languages, tokenizer_spelling=False, leading_space=False).values():
            byte_automaton(expression)


def probe(runner: "Runner") -> None:
    """Ask the probe set; raises ProbeFailed unless every reply is valid cat speak from finite numbers. Warms the model too."""
    requests = [Request((Turn("user", text),), language=language, sampling=Sampling(seed=0)) for text, language in PROBES]
    try:
        prepared = [runner.prepare(request) for request in requests]
        batch = runner.start(prepared)
        while len(batch):
            for written in batch.step():
                runner.read(written, queue_ms=0.0, total_ms=0.0)
    except Exception as error:  # whatever it is, it must not serve
        raise ProbeFailed(
            f"{runner.checkpoint.name} does not answer as it must: {error}; keep the checkpoint before it"
        ) from error
