"""The one thread that owns the device: admit, step, finish, and a swap of the model between two batches.

Every ticket that `submit` accepted gets exactly one outcome, whatever is raised. Knows no asyncio: outcomes leave through
`Ticket.settle`. The thread is the single worker of a thread pool, so that a crash of the loop is seen on its future.
"""

import logging
import threading
import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from ..errors import DeadlineExceeded, ServiceClosed, ServiceError, WorkerFailed
from .runner import Batch, Prepared, Runner, Written
from .scheduler import Scheduler, Ticket

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Counters:
    """What the worker has done since it started; written by its thread only."""

    replies: int = 0
    errors: int = 0
    tokens: int = 0
    latencies_ms: deque[float] = field(default_factory=lambda: deque(maxlen=1024))


@dataclass(slots=True)
class _Running:
    """A batch and, for each of its original rows, the ticket and when it was admitted."""

    batch: Batch
    tickets: list[Ticket]
    admitted: float


class Worker:
    """Runs a Runner. `submit`, `replace` and `close` may be called from any thread."""

    def __init__(self, runner: Runner, *, max_batch: int, max_queue: int) -> None:
        self.counters = Counters()
        self._runner = runner
        self._max_batch = max_batch
        self._scheduler = Scheduler(max_queue)
        self._wake = threading.Condition()
        self._swaps: deque[tuple[Runner, Future[None]]] = deque()
        self._closing = False
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="catbot-model")
        self._loop = self._pool.submit(self._run)

    @property
    def runner(self) -> Runner:
        """The runner that serves now."""
        return self._runner

    @property
    def alive(self) -> bool:
        """Whether the thread is running its loop."""
        return not self._loop.done()

    @property
    def waiting(self) -> int:
        """Requests in the queue."""
        return len(self._scheduler)

    def submit(self, ticket: Ticket) -> None:
        """Queue a ticket; raises Busy or ServiceClosed, in which case the ticket is not resolved."""
        with self._wake:
            if self._closing or not self.alive:
                raise ServiceClosed("the model service is closed")
            self._scheduler.submit(ticket)
            self._wake.notify()

    def replace(self, runner: Runner) -> "Future[None]":
        """Serve with another runner from the next batch on; the future is done when it does."""
        done: Future[None] = Future()
        with self._wake:
            if self._closing or not self.alive:
                raise ServiceClosed("the model service is closed")
            self._swaps.append((runner, done))
            self._wake.notify()
        return done

    def close(self) -> None:
        """Stop after the current step; all that wait get ServiceClosed. Blocks until the thread has ended."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._pool.shutdown(wait=True)

    # --- the thread ---------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while self._wait():
                self._swap()
                self._serve(self._admit())
        except BaseException:
            log.critical("the model thread died", exc_info=True)
            raise
        finally:
            self._strand_nobody()

    def _wait(self) -> bool:
        with self._wake:
            self._wake.wait_for(lambda: self._closing or self._swaps or len(self._scheduler))
            return not self._closing

    def _swap(self) -> None:
        while self._swaps:
            runner, done = self._swaps.popleft()
            if done.set_running_or_notify_cancel():  # false when its waiter was cancelled: what serves goes on serving
                self._runner = runner
                done.set_result(None)

    def _admit(self) -> list[Ticket]:
        with self._wake:
            self._expire()
            return self._scheduler.admit(self._max_batch)

    def _expire(self) -> None:
        now = time.monotonic()
        for ticket in self._scheduler.remove(lambda t: t.cancelled or t.request.deadline <= now):
            self._fail(ticket, DeadlineExceeded("the deadline passed in the queue"))

    def _serve(self, tickets: list[Ticket]) -> None:
        """Answer a batch of tickets, all of them, one way or the other."""
        pending = list(tickets)
        try:
            prepared = [(ticket, item) for ticket in tickets if (item := self._prepare(ticket)) is not None]
            if prepared:
                pending = [ticket for ticket, _ in prepared]
                self._generate(pending, [item for _, item in prepared])
        except ServiceClosed as error:
            self._fail_all(pending, error)
        except Exception as error:
            log.exception("a batch of %d failed", len(pending))
            self._fail_all(pending, _because(f"the model failed: {type(error).__name__}", error))
        except BaseException:
            self._fail_all(pending, ServiceClosed("the model service is closing"))
            raise

    def _prepare(self, ticket: Ticket) -> Prepared | None:
        """Encode one request; whatever is wrong with it is its own failure and nobody else's."""
        try:
            return self._runner.prepare(ticket.request)
        except ServiceError as error:
            self._fail(ticket, error)
        except Exception as error:
            log.exception("a request could not be prepared")
            self._fail(ticket, _because(f"the request could not be prepared: {type(error).__name__}", error))
        return None

    def _generate(self, tickets: list[Ticket], prepared: list[Prepared]) -> None:
        running = _Running(self._runner.start(prepared), tickets, time.monotonic())
        while len(running.batch):
            if self._closing:
                raise ServiceClosed("the model service is closing")
            self._drop_late(running)
            if len(running.batch):
                for written in running.batch.step():
                    self._finish(running, written)

    def _drop_late(self, running: _Running) -> None:
        now = time.monotonic()
        late = [(t := running.tickets[row.row]).cancelled or t.request.deadline <= now for row in running.batch.rows]
        for row, leaves in zip(running.batch.rows, late, strict=True):
            if leaves:
                self._fail(running.tickets[row.row], DeadlineExceeded("the deadline passed while the reply was written"))
        running.batch.drop(late)
        with self._wake:
            self._expire()

    def _finish(self, running: _Running, written: Written) -> None:
        ticket, now = running.tickets[written.row], time.monotonic()
        total_ms = (now - ticket.submitted) * 1000
        try:
            reply = self._runner.read(written, queue_ms=(running.admitted - ticket.submitted) * 1000, total_ms=total_ms)
        except WorkerFailed as error:
            log.exception("a reply could not be read")
            self._fail(ticket, error)
        else:
            self.counters.replies += 1
            self.counters.tokens += reply.usage.new_tokens
            self.counters.latencies_ms.append(total_ms)
            ticket.settle(reply)

    def _fail(self, ticket: Ticket, error: ServiceError) -> None:
        """Resolve with an error, unless the ticket has its outcome already."""
        if not ticket.resolved:
            self.counters.errors += not ticket.cancelled
            ticket.settle(error)

    def _fail_all(self, tickets: list[Ticket], error: ServiceError) -> None:
        for ticket in tickets:
            self._fail(ticket, error)

    def _strand_nobody(self) -> None:
        with self._wake:
            self._closing = True
            for ticket in self._scheduler.remove(lambda _: True):
                self._fail(ticket, ServiceClosed("the model service is closing"))
            while self._swaps:
                done = self._swaps.popleft()[1]
                if done.set_running_or_notify_cancel():
                    done.set_exception(ServiceClosed("the model service is closing"))


def _because(message: str, cause: Exception) -> WorkerFailed:
    """A WorkerFailed that carries its cause without being raised."""
    failure = WorkerFailed(message)
    failure.__cause__ = cause
    return failure
