"""How late the event loop runs while replies are generated: `python -m bench.eventloop [--requests 64] [--json FILE]`.

A task sleeps for a millisecond over and over and notes by how much it overslept, while N requests at a time are answered
by the bundled checkpoint in the worker thread of the same process. The idle loop is measured first, for comparison.
"""

import argparse
import asyncio
import time
from pathlib import Path

import numpy as np

from model import Turn
from model.checkpoint import BUNDLED
from model.service import CatModel

from .table import show

_TICK = 0.001
_TEXTS = (
    "ご飯だよ",
    "ただいま",
    "今日はつらかった",
    "good night, kitty",
    "掃除機をかけるよ",
    "what's that?",
    "いってきます",
    "お座り",
)


async def watch(lags: list[float]) -> None:
    """Append the lateness of every tick, in milliseconds, until cancelled."""
    while True:
        due = time.perf_counter() + _TICK
        await asyncio.sleep(_TICK)
        lags.append((time.perf_counter() - due) * 1000)


async def measure(cat: CatModel, requests: int, rounds: int) -> tuple[list[float], float]:
    """Lags in milliseconds while `rounds` times `requests` replies are made at once, and replies a second."""
    lags: list[float] = []
    watching = asyncio.create_task(watch(lags))
    started = time.perf_counter()
    for _ in range(rounds):
        if requests:
            turns = ([Turn("user", _TEXTS[number % len(_TEXTS)])] for number in range(requests))
            await asyncio.gather(*(cat.reply(turn, channel=str(number), deadline=60) for number, turn in enumerate(turns)))
        else:
            await asyncio.sleep(0.2)
    seconds = time.perf_counter() - started
    watching.cancel()
    return lags, requests * rounds / seconds


async def run(arguments: argparse.Namespace) -> None:
    """Open the model, warm it up, measure idle and busy, print."""
    rows = []
    async with CatModel.open(arguments.checkpoint) as cat:
        await measure(cat, arguments.requests, 2)
        for requests in (0, arguments.requests):
            lags, rate = await measure(cat, requests, arguments.rounds)
            p50, p99 = np.percentile(lags, [50, 99])
            rows.append(
                {
                    "requests": requests,
                    "lag_p50_ms": round(float(p50), 2),
                    "lag_p99_ms": round(float(p99), 2),
                    "lag_max_ms": round(max(lags), 2),
                    "ticks": len(lags),
                    "replies_per_s": round(rate, 1),
                }
            )
    show(rows, arguments.json)


def main() -> None:
    """Parse and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", default=str(BUNDLED))
    parser.add_argument("--requests", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--json", type=Path)
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
