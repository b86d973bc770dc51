"""What can go wrong with Discord, switched on by a test and bounded by a count or a `with` block.

Owns which fault hits which request or socket. Does not produce answers: `rest/table.py` and `gateway.py`
ask here and act.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Protocol, Self

Json = dict[str, Any]


class Sockets(Protocol):
    """What faults need of the gateway."""

    def broadcast(self, operation: int, data: Any = None) -> None: ...
    def invalidate(self, resumable: bool) -> None: ...
    def drop(self, code: int | None = None) -> None: ...


@dataclass
class Fault:
    """One fault. `hits` counts how often it struck; leaving its `with` block ends it."""

    kind: str
    times: int | None = 1  # None: until its block ends or `Faults.clear`
    method: str | None = None
    path: str | None = None  # a regular expression, searched in the path after /api/v10
    seconds: float = 0.0
    status: int = 500
    scope: str = "user"
    processed: bool = False
    hits: int = 0
    ended: bool = field(default=False, repr=False)

    def strikes(self, method: str, path: str) -> bool:
        if self.ended or (self.times is not None and self.hits >= self.times):
            return False
        if self.method is not None and self.method.upper() != method:
            return False
        return self.path is None or re.search(self.path, path) is not None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.ended = True


class Faults:
    """The switchboard that a test holds as `sandbox.faults`."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._sockets: Sockets | None = None

    def attach(self, sockets: Sockets) -> None:
        self._sockets = sockets

    # -- HTTP

    def rate_limit(
        self,
        retry_after: float = 0.05,
        *,
        times: int | None = 1,
        scope: str = "user",
        method: str | None = None,
        path: str | None = None,
    ) -> Fault:
        """429 with Retry-After; scope is "user", "shared" or "global"."""
        return self._add(Fault("rate_limit", times, method, path, seconds=retry_after, status=429, scope=scope))

    def server_error(
        self, status: int = 502, *, times: int | None = 1, method: str | None = None, path: str | None = None
    ) -> Fault:
        """A 5xx answer in place of the real one; the request is not processed."""
        return self._add(Fault("server_error", times, method, path, status=status))

    def slow(self, seconds: float, *, times: int | None = 1, method: str | None = None, path: str | None = None) -> Fault:
        """The right answer, late."""
        return self._add(Fault("slow", times, method, path, seconds=seconds))

    def drop_request(
        self,
        *,
        processed: bool = False,
        times: int | None = 1,
        method: str | None = None,
        path: str | None = None,
    ) -> Fault:
        """Cut the connection instead of answering; `processed` says whether the request took effect."""
        return self._add(Fault("drop", times, method, path, processed=processed))

    # -- gateway

    def close_on_identify(self, code: int, *, times: int | None = 1) -> Fault:
        """Close the socket with a code (4004, 4014, ...) when the bot identifies."""
        return self._add(Fault("identify", times, status=code))

    def refuse_resume(self, *, times: int | None = 1) -> Fault:
        """Answer RESUME with an invalid session (op 9, not resumable)."""
        return self._add(Fault("resume", times))

    def stop_acks(self) -> Fault:
        """Leave heartbeats without an answer until the `with` block ends."""
        return self._add(Fault("acks", None))

    def drop_sockets(self) -> None:
        """Cut every gateway socket as a lost network does."""
        self._gateway.drop()

    def close_sockets(self, code: int) -> None:
        """Close every gateway socket with a code."""
        self._gateway.drop(code)

    def reconnect(self) -> None:
        """Op 7: ask the bot to reconnect and resume."""
        self._gateway.broadcast(7)

    def invalidate(self, *, resumable: bool) -> None:
        """Op 9: the session is invalid, or only the connection is."""
        self._gateway.invalidate(resumable)

    def ask_heartbeat(self) -> None:
        """Op 1: ask the bot for a heartbeat now."""
        self._gateway.broadcast(1)

    def clear(self) -> None:
        """End every fault."""
        for fault in self._faults:
            fault.ended = True
        self._faults.clear()

    # -- asked by the server

    def take(self, method: str, path: str) -> list[Fault]:
        """The faults that strike this request, each counted as a hit: all delays, and one other."""
        due = [fault for fault in self._faults if fault.kind in HTTP_KINDS and fault.strikes(method, path)]
        late = [fault for fault in due if fault.kind == "slow"]
        other = [fault for fault in due if fault.kind != "slow"]
        return [self._hit(fault) for fault in late + other[:1]]

    def take_identify_close(self) -> int | None:
        fault = self._first("identify")
        return None if fault is None else fault.status

    def take_resume_refusal(self) -> bool:
        return self._first("resume") is not None

    @property
    def silent_heartbeats(self) -> bool:
        return any(fault.kind == "acks" and not fault.ended for fault in self._faults)

    @property
    def _gateway(self) -> Sockets:
        assert self._sockets is not None, "faults are attached by the gateway"
        return self._sockets

    def _first(self, kind: str) -> Fault | None:
        found = next((f for f in self._faults if f.kind == kind and f.strikes("", "")), None)
        return None if found is None else self._hit(found)

    def _add(self, fault: Fault) -> Fault:
        self._faults.append(fault)
        return fault

    @staticmethod
    def _hit(fault: Fault) -> Fault:
        fault.hits += 1
        return fault


HTTP_KINDS = ("rate_limit", "server_error", "slow", "drop")
