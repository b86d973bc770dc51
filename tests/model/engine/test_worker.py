"""The worker thread: every accepted ticket gets exactly one outcome, whatever is raised."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch

from model.checkpoint import open_checkpoint
from model.engine.request import Reply, Request, Sampling
from model.engine.runner import Runner
from model.engine.scheduler import Ticket
from model.engine.worker import Worker
from model.errors import Busy, DeadlineExceeded, RequestInvalid, ServiceClosed, ServiceError, WorkerFailed
from model.prompt import Turn

TIMEOUT = 20
LONG = Sampling(temperature=5.0, top_p=1.0, seed=3)

pytestmark = pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")


class Sent:
    """A ticket, and every outcome that it got."""

    def __init__(
        self, text: str = "ご飯だよ", channel: str = "", deadline: float = float("inf"), sampling: Sampling = LONG
    ) -> None:
        self.outcomes: list[Reply | ServiceError] = []
        self._arrived = threading.Event()
        request = Request((Turn("user", text),), channel, sampling=sampling, deadline=deadline)
        self.ticket = Ticket(request, time.monotonic(), self._receive)

    def _receive(self, outcome: Reply | ServiceError) -> None:
        self.outcomes.append(outcome)
        self._arrived.set()

    def outcome(self) -> Reply | ServiceError:
        assert self._arrived.wait(TIMEOUT), "no outcome"
        return self.outcomes[0]


class Gate:
    """Holds a runner's prefill until it is opened, so that a test decides what is running and what is waiting."""

    def __init__(self, runner: Runner) -> None:
        self.entered, self._open = threading.Event(), threading.Event()
        self._prefill: Any = runner.network.prefill
        runner.network.prefill = self._wait  # type: ignore[method-assign, assignment]

    def _wait(self, *args: Any) -> Any:
        self.entered.set()
        assert self._open.wait(TIMEOUT)
        return self._prefill(*args)

    def open(self) -> None:
        self._open.set()


@pytest.fixture
def fresh(catbot_checkpoint: Path) -> Runner:
    """A runner that the test may break."""
    return Runner(open_checkpoint(catbot_checkpoint), "cpu")


@pytest.fixture
def worker(fresh: Runner) -> Iterator[Worker]:
    running = Worker(fresh, max_batch=4, max_queue=8)
    yield running
    running.close()


def send(worker: Worker, number: int = 1, **options: Any) -> list[Sent]:
    sent = [Sent(**options) for _ in range(number)]
    for one in sent:
        worker.submit(one.ticket)
    return sent


def hold(worker: Worker) -> tuple[Gate, Sent]:
    """Start one request and hold it in its prefill."""
    gate = Gate(worker.runner)
    (running,) = send(worker)
    assert gate.entered.wait(TIMEOUT)
    return gate, running


def test_replies(worker: Worker) -> None:
    sent = send(worker, 8)
    replies = [one.outcome() for one in sent]
    assert all(isinstance(reply, Reply) for reply in replies)
    assert worker.counters.replies == 8
    assert worker.counters.errors == 0
    assert worker.counters.tokens == sum(reply.usage.new_tokens for reply in replies if isinstance(reply, Reply))
    assert len(worker.counters.latencies_ms) == 8


def test_waiting_requests_are_counted_and_bounded(worker: Worker) -> None:
    gate, running = hold(worker)
    waiting = send(worker, 8)
    assert worker.waiting == 8
    refused = Sent()
    with pytest.raises(Busy):
        worker.submit(refused.ticket)
    gate.open()
    assert all(isinstance(one.outcome(), Reply) for one in [running, *waiting])
    assert refused.outcomes == []


def test_a_reply_says_how_long_it_waited(worker: Worker) -> None:
    gate, _ = hold(worker)
    (waiting,) = send(worker)
    time.sleep(0.05)
    gate.open()
    reply = waiting.outcome()
    assert isinstance(reply, Reply)
    assert 40 < reply.usage.queue_ms <= reply.usage.total_ms


def test_deadline_in_the_queue(worker: Worker) -> None:
    gate, running = hold(worker)
    (late,) = send(worker, deadline=time.monotonic())
    gate.open()
    assert isinstance(late.outcome(), DeadlineExceeded)
    assert "in the queue" in str(late.outcome())
    assert isinstance(running.outcome(), Reply)


def test_deadline_while_writing(worker: Worker) -> None:
    gate, running = hold(worker)
    (other,) = send(worker)
    running.ticket.request = replace(running.ticket.request, deadline=time.monotonic())
    gate.open()
    assert isinstance(running.outcome(), DeadlineExceeded)
    assert "while the reply was written" in str(running.outcome())
    assert isinstance(other.outcome(), Reply)


def test_cancelled_requests_leave_at_the_next_step(worker: Worker) -> None:
    steps: list[int] = []
    decode: Any = worker.runner.network.decode

    def counted(ids: torch.Tensor, cache: Any) -> torch.Tensor:
        steps.append(len(ids))
        return torch.as_tensor(decode(ids, cache))

    worker.runner.network.decode = counted  # type: ignore[method-assign]
    gate, running = hold(worker)
    (waiting,) = send(worker)
    running.ticket.cancelled = waiting.ticket.cancelled = True
    gate.open()
    assert isinstance(running.outcome(), DeadlineExceeded)
    assert isinstance(waiting.outcome(), DeadlineExceeded)
    assert steps == []
    assert worker.counters.errors == 0
    assert isinstance(send(worker)[0].outcome(), Reply)


POISON = {
    "no room": Sampling(max_new_tokens=10**9),
    "huge top-k": Sampling(top_k=10**30),
    "tiny temperature": Sampling(temperature=5e-324),
    "tiny top-p": Sampling(top_p=5e-324),
}


@pytest.mark.parametrize("sampling", POISON.values(), ids=POISON.keys())
def test_poisoned_request_fails_alone(worker: Worker, sampling: Sampling) -> None:
    gate, running = hold(worker)
    (poisoned,) = send(worker, sampling=sampling)
    others = send(worker, 3)
    gate.open()
    assert isinstance(poisoned.outcome(), Reply | RequestInvalid)
    assert all(isinstance(one.outcome(), Reply) for one in [running, *others])


def test_request_that_cannot_be_prepared_fails_alone(worker: Worker) -> None:
    gate, running = hold(worker)
    broken = Sent()
    broken.ticket.request = Request((None,))  # type: ignore[arg-type]
    worker.submit(broken.ticket)
    others = send(worker, 2)
    gate.open()
    outcome = broken.outcome()
    assert isinstance(outcome, WorkerFailed)
    assert isinstance(outcome.__cause__, AttributeError)
    assert all(isinstance(one.outcome(), Reply) for one in [running, *others])


def failing_once(runner: Runner, method: str, error: BaseException) -> None:
    original: Any = getattr(runner.network, method)

    def fail(*args: Any) -> Any:
        setattr(runner.network, method, original)
        raise error

    setattr(runner.network, method, fail)


@pytest.mark.parametrize("method", ["prefill", "decode"])
def test_exception_fails_that_batch_only(worker: Worker, method: str) -> None:
    cause = RuntimeError("CUDA error: /home/someone/secret")
    gate, first = hold(worker)
    batch = send(worker, 4)
    after = send(worker, 2)
    gate.open()
    assert isinstance(first.outcome(), Reply) or method == "decode"
    del gate
    failing_once(worker.runner, method, cause)
    more = send(worker)
    outcomes = [one.outcome() for one in [first, *batch, *after, *more]]
    failed = [outcome for outcome in outcomes if isinstance(outcome, WorkerFailed)]
    assert 1 <= len(failed) <= 4
    assert all(outcome.__cause__ is cause for outcome in failed)
    assert all("secret" not in str(outcome) for outcome in failed)
    assert all(isinstance(outcome, Reply | WorkerFailed) for outcome in outcomes)
    assert worker.alive
    assert isinstance(send(worker)[0].outcome(), Reply)


def test_not_a_number_fails_the_batch_and_the_worker_goes_on(worker: Worker) -> None:
    original: Any = worker.runner.network.prefill

    def poisoned(*args: Any) -> Any:
        worker.runner.network.prefill = original  # type: ignore[method-assign]
        logits, cache = original(*args)
        return logits * torch.nan, cache

    worker.runner.network.prefill = poisoned  # type: ignore[method-assign, assignment]
    outcome = send(worker)[0].outcome()
    assert isinstance(outcome, WorkerFailed)
    assert isinstance(outcome.__cause__, FloatingPointError)
    assert isinstance(send(worker)[0].outcome(), Reply)


def test_unreadable_reply_fails_alone(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    read, unreadable = worker.runner.read, iter([True])

    def once(*args: Any, **kwargs: Any) -> Reply:
        if next(unreadable, False):
            raise WorkerFailed("the grammar let it through")
        return read(*args, **kwargs)

    monkeypatch.setattr(worker.runner, "read", once)
    gate, _ = hold(worker)
    gate.open()
    outcomes = [one.outcome() for one in send(worker, 4)]
    assert sum(isinstance(outcome, Reply) for outcome in outcomes) >= 3


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_even_a_dying_thread_answers_everyone(worker: Worker) -> None:
    gate, running = hold(worker)
    queued = send(worker, 6)
    failing_once(worker.runner, "decode", SystemExit())
    gate.open()
    assert all(isinstance(one.outcome(), ServiceError) for one in [running, *queued])
    with pytest.raises(ServiceClosed):
        send(worker)
    assert not worker.alive


def test_close_answers_everyone(worker: Worker) -> None:
    gate, running = hold(worker)
    queued = send(worker, 6)
    closing = threading.Thread(target=worker.close)
    closing.start()
    gate.open()
    closing.join(TIMEOUT)
    assert not closing.is_alive()
    assert all(isinstance(one.outcome(), ServiceClosed) for one in [running, *queued])
    with pytest.raises(ServiceClosed):
        send(worker)
    with pytest.raises(ServiceClosed):
        worker.replace(worker.runner)
    worker.close()


def test_replace_happens_between_two_batches(worker: Worker, catbot_checkpoint: Path) -> None:
    old, new = worker.runner, Runner(open_checkpoint(catbot_checkpoint), "cpu")
    gate, running = hold(worker)
    queued = send(worker, 3)
    done = worker.replace(new)
    assert worker.runner is old
    gate.open()
    done.result(TIMEOUT)
    assert worker.runner is new
    assert all(isinstance(one.outcome(), Reply) for one in [running, *queued])


def test_replace_while_idle(worker: Worker, catbot_checkpoint: Path) -> None:
    new = Runner(open_checkpoint(catbot_checkpoint), "cpu")
    worker.replace(new).result(TIMEOUT)
    assert worker.runner is new


def test_replacement_that_nobody_waits_for_any_more(worker: Worker, catbot_checkpoint: Path) -> None:
    old = worker.runner
    gate, running = hold(worker)
    cancelled = worker.replace(Runner(open_checkpoint(catbot_checkpoint), "cpu"))
    assert cancelled.cancel()
    gate.open()
    assert isinstance(running.outcome(), Reply)
    assert isinstance(send(worker)[0].outcome(), Reply)
    assert worker.alive
    assert worker.runner is old


def test_close_with_a_replacement_that_nobody_waits_for(worker: Worker) -> None:
    gate, running = hold(worker)
    queued = send(worker, 2)
    pending: list[Future[None]] = [worker.replace(worker.runner) for _ in range(2)]
    pending[0].cancel()
    closing = threading.Thread(target=worker.close)
    closing.start()
    time.sleep(0.05)
    gate.open()
    closing.join(TIMEOUT)
    assert isinstance(pending[1].exception(TIMEOUT), ServiceClosed)
    assert all(isinstance(one.outcome(), ServiceClosed) for one in [running, *queued])


def test_channels_share_the_batch(worker: Worker) -> None:
    gate, _ = hold(worker)
    loud = send(worker, 6, channel="loud")
    (quiet,) = send(worker, channel="quiet")
    order: list[str] = []
    for one in [*loud, quiet]:
        one.ticket.resolve = lambda _, one=one: order.append(one.ticket.request.channel)  # type: ignore[misc]
    gate.open()
    deadline = time.monotonic() + TIMEOUT
    while len(order) < 7 and time.monotonic() < deadline:
        time.sleep(0.005)
    assert len(order) == 7
    assert "quiet" in order[:4]


def test_exactly_one_outcome_under_stress(fresh: Runner) -> None:
    rng = Random(5)
    worker = Worker(fresh, max_batch=5, max_queue=20)
    accepted: list[Sent] = []
    refused = 0
    for number in range(300):
        one = Sent(
            channel=str(rng.randrange(5)),
            deadline=time.monotonic() + rng.choice([0.001, 0.02, 60, 60]),
            sampling=rng.choice([LONG, LONG, Sampling(max_new_tokens=10**9)]),
        )
        try:
            worker.submit(one.ticket)
            accepted.append(one)
        except Busy:
            refused += 1
            time.sleep(0.01)
        if number % 50 == 20:
            failing_once(fresh, rng.choice(["prefill", "decode"]), RuntimeError("boom"))
        if rng.random() < 0.2:
            rng.choice(accepted).ticket.cancelled = True
    half = len(accepted) // 2
    assert all(one.outcome() for one in accepted[:half])
    worker.close()
    assert all(one.outcome() for one in accepted)
    assert {len(one.outcomes) for one in accepted} == {1}
    assert len(accepted) + refused == 300
    kinds = {type(one.outcome()) for one in accepted}
    assert {Reply, DeadlineExceeded, RequestInvalid} <= kinds
