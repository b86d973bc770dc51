"""Waiting for the sandbox's state to become something, with an error that says what was waited for.

Owns wake-ups. Does not know what is being watched.
"""

# ruff: noqa: ASYNC109 - a test says in the call how long it is ready to wait

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
POLL = 0.01  # seconds; what a test looks at may change without anything happening in the sandbox


class Watch:
    """Wakes waiters whenever anything changed; each looks for itself whether it has what it wants."""

    def __init__(self, describe: Callable[[], str]) -> None:
        self._describe = describe
        self._waiters: set[asyncio.Future[None]] = set()

    def notify(self) -> None:
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._waiters.clear()

    async def until(self, look: Callable[[], T | None], timeout: float, what: str) -> T:
        """The first thing that `look` finds. Raises TimeoutError after `timeout` seconds."""
        try:
            async with asyncio.timeout(timeout):
                while (found := look()) is None or found is False:
                    waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                    self._waiters.add(waiter)
                    await asyncio.wait([waiter], timeout=POLL)
                    self._waiters.discard(waiter)
                return found
        except TimeoutError:
            raise TimeoutError(f"No {what} within {timeout} s. {self._describe()}") from None
