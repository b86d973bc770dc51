"""Who goes next: a bounded queue in which channels take turns.

Pure Python: no torch, no thread and no clock of its own (callers pass `now`). Not thread-safe: `worker` holds the lock.
"""

from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass

from ..errors import Busy, ServiceError
from .request import Reply, Request


@dataclass(slots=True, eq=False)
class Ticket:
    """A request on its way, and where its one outcome goes. `cancelled` is set by the waiter."""

    request: Request
    submitted: float  # time.monotonic()
    resolve: Callable[[Reply | ServiceError], None]  # callable from any thread
    cancelled: bool = False
    resolved: bool = False

    def settle(self, outcome: Reply | ServiceError) -> None:
        """Give the waiter its outcome: the first one counts, later ones are dropped."""
        if not self.resolved:
            self.resolved = True
            self.resolve(outcome)


class Scheduler:
    """First come first served within a channel, round robin between channels."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._channels: OrderedDict[str, deque[Ticket]] = OrderedDict()
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def submit(self, ticket: Ticket) -> None:
        """Queue a ticket; raises Busy when `capacity` are waiting."""
        if self._size >= self._capacity:
            raise Busy(f"{self._size} requests are waiting already")
        self._channels.setdefault(ticket.request.channel, deque()).append(ticket)
        self._size += 1

    def admit(self, slots: int) -> list[Ticket]:
        """Take up to `slots` tickets, one a channel a round; a channel that was served goes to the back."""
        admitted: list[Ticket] = []
        while self._channels and len(admitted) < slots:
            channel, waiting = self._channels.popitem(last=False)
            admitted.append(waiting.popleft())
            if waiting:
                self._channels[channel] = waiting
        self._size -= len(admitted)
        return admitted

    def remove(self, gone: Callable[[Ticket], bool]) -> list[Ticket]:
        """Take out and return every waiting ticket for which `gone` is true."""
        removed = [ticket for waiting in self._channels.values() for ticket in waiting if gone(ticket)]
        if removed:
            leaving = set(map(id, removed))
            kept = ((name, deque(t for t in waiting if id(t) not in leaving)) for name, waiting in self._channels.items())
            self._channels = OrderedDict((name, waiting) for name, waiting in kept if waiting)
            self._size -= len(removed)
        return removed
