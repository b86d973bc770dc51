"""Waiting for blocking calls (a download, a load, a keyboard) without asyncio's own threads.

asyncio.to_thread's threads are waited for when the loop closes and when Python ends, so that Ctrl-C during a long download
would end nothing. These are daemon threads: nobody waits for them.
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


async def run_blocking(call: Callable[..., T], *args: Any) -> T:
    """The result of `call(*args)`, run in a daemon thread; raises what it raises. Cancelling abandons the call."""
    loop = asyncio.get_running_loop()
    result: asyncio.Future[T] = loop.create_future()

    def deliver(settle: Callable[[Any], None], value: Any) -> None:
        if not result.done():
            settle(value)

    def work() -> None:
        try:
            outcome: tuple[Callable[[Any], None], Any] = result.set_result, call(*args)
        except Exception as error:
            outcome = result.set_exception, error
        with contextlib.suppress(RuntimeError):  # the loop has closed meanwhile
            loop.call_soon_threadsafe(deliver, *outcome)

    threading.Thread(target=work, name="catbot-blocking", daemon=True).start()
    return await result
