"""The asyncio face: replies, deadlines, cancellation, swaps under load, and what importing it costs."""

import asyncio
import contextlib
import json
import math
import shutil
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
import safetensors.torch
import torch

from model.catspeak import is_catspeak
from model.checkpoint import WEIGHTS, Checkpoint
from model.engine.request import Reply, Sampling
from model.engine.runner import Runner
from model.errors import (
    Busy,
    CheckpointCorrupt,
    CheckpointError,
    CheckpointNotFound,
    DeadlineExceeded,
    NotEnoughMemory,
    ProbeFailed,
    RequestInvalid,
    ServiceClosed,
    ServiceError,
    SwapInProgress,
)
from model.prompt import Turn
from model.service import CatModel, probe
from tests.checkpoints import make_catbot_checkpoint

TIMEOUT = 20
HELLO = [Turn("user", "ご飯だよ")]


@pytest.fixture
async def cat(catbot_checkpoint: Path) -> AsyncIterator[CatModel]:
    async with CatModel.open(catbot_checkpoint, device="cpu", max_batch=4, max_queue=16) as opened:
        yield opened


@pytest.fixture(scope="module")
def other_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_catbot_checkpoint(tmp_path_factory.mktemp("other") / "other", name="other", seed=1)


@contextlib.contextmanager
def held(cat: CatModel) -> Any:
    """Hold the model in its next prefill while the block runs."""
    network: Any = cat._worker.runner.network
    prefill, opened = network.prefill, threading.Event()

    def wait(*args: Any) -> Any:
        assert opened.wait(TIMEOUT)
        return prefill(*args)

    network.prefill = wait
    try:
        yield
    finally:
        network.prefill = prefill
        opened.set()


async def waiting(cat: CatModel, number: int) -> None:
    """Until so many requests are in the queue."""
    async with asyncio.timeout(TIMEOUT):
        while cat.status().waiting != number:  # noqa: ASYNC110 - the worker's thread counts, not this loop
            await asyncio.sleep(0.002)


async def test_reply(cat: CatModel) -> None:
    reply = await cat.reply(HELLO)
    assert is_catspeak(reply.text, "ja")
    assert reply.language == "ja"
    assert reply.usage.total_ms >= reply.usage.queue_ms >= 0
    assert (await cat.reply([Turn("user", "good morning")])).language == "en"
    assert (await cat.reply(HELLO, language="en")).language == "en"
    assert (await cat.reply([])).language == "ja"


async def test_many_at_once(cat: CatModel) -> None:
    replies = await asyncio.gather(*(cat.reply(HELLO, channel=str(n % 3), sampling=Sampling(seed=n)) for n in range(16)))
    assert all(is_catspeak(reply.text, "ja") for reply in replies)


async def test_each_waiter_gets_its_own_reply(cat: CatModel) -> None:
    samplings = [Sampling(seed=n, temperature=2.0) for n in range(12)]
    alone = [(await cat.reply(HELLO, sampling=one)).text for one in samplings]
    assert len(set(alone)) > 3
    together = await asyncio.gather(*(cat.reply(HELLO, channel=str(n % 4), sampling=one) for n, one in enumerate(samplings)))
    assert [reply.text for reply in together] == alone


@pytest.mark.parametrize("deadline", [0, -1, math.nan, math.inf])
async def test_deadline_must_be_a_positive_number(cat: CatModel, deadline: float) -> None:
    with pytest.raises(DeadlineExceeded, match="positive number"):
        await cat.reply(HELLO, deadline=deadline)


async def test_deadline_with_a_hung_device(cat: CatModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("model.service._GRACE", 0.05)
    with held(cat), pytest.raises(DeadlineExceeded, match="did not answer in time"):
        await cat.reply(HELLO, deadline=0.05)
    assert isinstance(await cat.reply(HELLO), Reply)


async def test_deadline_in_the_queue(cat: CatModel) -> None:
    with held(cat):
        first = asyncio.create_task(cat.reply(HELLO))
        await asyncio.sleep(0.02)
        late = asyncio.create_task(cat.reply(HELLO, deadline=0.02))
        await waiting(cat, 1)
        await asyncio.sleep(0.03)
    with pytest.raises(DeadlineExceeded, match="in the queue"):
        await late
    assert isinstance(await first, Reply)


async def test_cancelled_call_leaves_the_queue(cat: CatModel) -> None:
    with held(cat):
        first = asyncio.create_task(cat.reply(HELLO))
        await asyncio.sleep(0.02)
        gone = [asyncio.create_task(cat.reply(HELLO)) for _ in range(3)]
        stays = asyncio.create_task(cat.reply(HELLO))
        await waiting(cat, 4)
        for task in gone:
            task.cancel()
        outcomes = await asyncio.gather(*gone, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [asyncio.CancelledError] * 3
    assert isinstance(await first, Reply)
    assert isinstance(await stays, Reply)
    assert cat.status().replies == 2
    assert cat.status().errors == 0


async def test_busy_at_the_bound(cat: CatModel) -> None:
    with held(cat):
        first = asyncio.create_task(cat.reply(HELLO))
        await asyncio.sleep(0.02)
        queued = [asyncio.create_task(cat.reply(HELLO)) for _ in range(16)]
        await waiting(cat, 16)
        with pytest.raises(Busy):
            await cat.reply(HELLO)
    assert all(isinstance(reply, Reply) for reply in await asyncio.gather(first, *queued))


async def test_bad_requests(cat: CatModel) -> None:
    with pytest.raises(RequestInvalid, match="language"):
        await cat.reply(HELLO, language="fr")  # type: ignore[arg-type]
    with pytest.raises(RequestInvalid, match="no room"):
        await cat.reply(HELLO, sampling=Sampling(max_new_tokens=10**6))
    assert isinstance(await cat.reply(HELLO), Reply)


async def test_status(cat: CatModel, catbot_checkpoint: Path) -> None:
    before = cat.status()
    assert (before.replies, before.waiting, before.healthy, before.device) == (0, 0, True, "cpu")
    assert math.isnan(before.p50_ms)
    assert math.isnan(before.p95_ms)
    for _ in range(5):
        await cat.reply(HELLO)
    after = cat.status()
    assert after.replies == 5
    assert after.tokens >= 10
    assert 0 < after.p50_ms <= after.p95_ms
    assert after.checkpoint.folder == catbot_checkpoint
    assert after.uptime_s > before.uptime_s


async def test_closing_answers_everyone(catbot_checkpoint: Path) -> None:
    async with CatModel.open(catbot_checkpoint, device="cpu", max_batch=2) as cat:
        with held(cat):
            tasks = [asyncio.create_task(cat.reply(HELLO)) for _ in range(8)]
            await waiting(cat, 6)
            cat._worker._closing = True
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [ServiceClosed] * 8
    assert not cat.healthy
    with pytest.raises(ServiceClosed):
        await cat.reply(HELLO)
    with pytest.raises(ServiceClosed):
        await cat.swap(catbot_checkpoint)


# --- open and swap ------------------------------------------------------------------------------------------------


def broken(folder: Path, source: Path, change: Any) -> Path:
    """A copy of a checkpoint without hashes, with changed tensors."""
    shutil.copytree(source, folder)
    manifest = json.loads((folder / "catbot.json").read_text("utf-8")) | {"sha256": {}}
    (folder / "catbot.json").write_text(json.dumps(manifest))
    tensors = safetensors.torch.load_file(folder / WEIGHTS)
    change(tensors)
    safetensors.torch.save_file(tensors, folder / WEIGHTS, {"format": "pt"})
    return folder


def overflowing(tensors: dict[str, torch.Tensor]) -> None:
    """Finite weights that compute infinite logits."""
    tensors["transformer.ln_f.weight"].fill_(3e38)


async def test_open_refuses_a_bad_checkpoint(catbot_checkpoint: Path, tmp_path: Path) -> None:
    bad = broken(tmp_path / "bad", catbot_checkpoint, lambda tensors: tensors["transformer.wpe.weight"].fill_(torch.nan))
    for source, kind in ((tmp_path / "nowhere", CheckpointNotFound), (bad, CheckpointCorrupt)):
        with pytest.raises(kind):
            async with CatModel.open(source, device="cpu"):
                pytest.fail("it must not open")


async def test_swap(cat: CatModel, other_checkpoint: Path) -> None:
    assert cat.checkpoint.name == "catbot-test"
    swapped = await cat.swap(other_checkpoint)
    assert swapped.name == "other" == cat.checkpoint.name == cat.status().checkpoint.name
    assert isinstance(await cat.reply(HELLO), Reply)


async def test_swap_under_load_loses_nothing(cat: CatModel, catbot_checkpoint: Path, other_checkpoint: Path) -> None:
    stop = asyncio.Event()

    async def chatter(channel: int) -> int:
        count = 0
        while not stop.is_set():
            reply = await cat.reply(HELLO, channel=str(channel), sampling=Sampling(seed=count))
            assert is_catspeak(reply.text, "ja")
            count += 1
        return count

    talking = [asyncio.create_task(chatter(channel)) for channel in range(6)]
    for source in (other_checkpoint, catbot_checkpoint, other_checkpoint):
        await cat.swap(source)
    stop.set()
    counts = await asyncio.gather(*talking)
    assert min(counts) >= 1
    assert sum(counts) == cat.status().replies
    assert cat.status().errors == 0


async def test_failing_swap_leaves_the_old_checkpoint(cat: CatModel, catbot_checkpoint: Path, tmp_path: Path) -> None:
    before = cat.checkpoint
    reply = await cat.reply(HELLO, sampling=Sampling(seed=1))
    nan = broken(tmp_path / "nan", catbot_checkpoint, lambda tensors: tensors["transformer.wpe.weight"].fill_(torch.nan))
    infinite = broken(tmp_path / "infinite", catbot_checkpoint, overflowing)
    for source, kind in ((tmp_path / "nowhere", CheckpointNotFound), (nan, CheckpointCorrupt), (infinite, ProbeFailed)):
        with pytest.raises(kind):
            await cat.swap(source)
        assert cat.checkpoint is before
        assert (await cat.reply(HELLO, sampling=Sampling(seed=1))).text == reply.text


async def test_swap_without_memory_changes_nothing(
    cat: CatModel, other_checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Little:
        available = 1 << 10

    before = cat.checkpoint
    with monkeypatch.context() as patch:
        patch.setattr("psutil.virtual_memory", Little)
        with pytest.raises(NotEnoughMemory):
            await cat.swap(other_checkpoint)
    assert cat.checkpoint is before
    assert isinstance(await cat.reply(HELLO), Reply)


async def test_one_swap_at_a_time(cat: CatModel, other_checkpoint: Path) -> None:
    first = asyncio.create_task(cat.swap(other_checkpoint))
    await asyncio.sleep(0)
    with pytest.raises(SwapInProgress):
        await cat.swap(other_checkpoint)
    assert isinstance(await first, Checkpoint)
    assert (await cat.swap(other_checkpoint)).name == "other"


async def test_cancelled_swap_leaves_a_working_cat(cat: CatModel, other_checkpoint: Path) -> None:
    with held(cat):
        reply = asyncio.create_task(cat.reply(HELLO))
        swap = asyncio.create_task(cat.swap(other_checkpoint))
        async with asyncio.timeout(TIMEOUT):
            while not cat._worker._swaps:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        swap.cancel()
        with pytest.raises(asyncio.CancelledError):
            await swap
    assert isinstance(await reply, Reply)
    assert isinstance(await cat.reply(HELLO), Reply)
    assert cat.healthy
    assert cat.checkpoint.name == "catbot-test"
    assert (await cat.swap(other_checkpoint)).name == "other"


async def test_probe_reports_any_failure_as_its_own(runner: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    probe(runner)
    for error in (IndexError("index"), RuntimeError("CUDA"), ValueError("value"), KeyError("key")):

        def fail(*_: Any, error: Exception = error) -> Any:
            raise error

        with monkeypatch.context() as patch:
            patch.setattr(runner.network, "decode", fail)
            with pytest.raises(ProbeFailed, match="keep the checkpoint before it"):
                probe(runner)


# --- everything at once -------------------------------------------------------------------------------------------


async def test_every_call_has_one_outcome_under_stress(catbot_checkpoint: Path, other_checkpoint: Path) -> None:
    rng = Random(11)
    async with CatModel.open(catbot_checkpoint, device="cpu", max_batch=6, max_queue=40) as cat:
        tasks: list[asyncio.Task[Reply]] = []
        swap = None
        for number in range(250):
            deadline = rng.choice([0.002, 0.05, 10.0, 10.0])
            tasks.append(asyncio.create_task(cat.reply(HELLO, channel=str(rng.randrange(6)), deadline=deadline)))
            if rng.random() < 0.25:
                rng.choice(tasks).cancel()
            if number % 12 == 0:
                await asyncio.sleep(0.01)
            if number == 100:
                swap = asyncio.create_task(cat.swap(other_checkpoint))
        outcomes = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 60)
        assert swap is not None
        assert (await swap).name == "other"
        assert isinstance(await cat.reply(HELLO), Reply)
    assert all(isinstance(outcome, Reply | ServiceError | asyncio.CancelledError) for outcome in outcomes)
    assert sum(isinstance(outcome, Reply) for outcome in outcomes) > 20
    assert sum(isinstance(outcome, asyncio.CancelledError) for outcome in outcomes) > 5


@pytest.mark.parametrize("module", ["model", "model.service", "model.checkpoint", "model.automaton", "model.engine.scheduler"])
def test_importing_is_cheap(module: str) -> None:
    heavy = "{'torch', 'transformers', 'tokenizers', 'safetensors', 'huggingface_hub', 'discord'}"
    code = f"import {module}, sys; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_error_tree_is_one_tree() -> None:
    assert not issubclass(CheckpointError, ServiceError)
    assert all(issubclass(kind, ServiceError) for kind in (Busy, DeadlineExceeded, RequestInvalid, SwapInProgress, ServiceClosed))
