"""A gateway session: its sequence numbers, its memory of events, and the socket that it has just now.

Owns exactly-once replay. Does not know what events mean.
"""

from __future__ import annotations

import json
from collections import deque
from typing import Any

from .transport import Socket

Json = dict[str, Any]
REMEMBERED = 2000  # events a session can replay; older ones make a RESUME invalid


class Session:
    def __init__(self, identity: str, intents: int, shard: tuple[int, int]) -> None:
        self.id = identity
        self.intents = intents
        self.shard = shard
        self.seq = 0
        self.socket: Socket | None = None
        self._sent: deque[tuple[int, str]] = deque(maxlen=REMEMBERED)

    def owns(self, guild_id: int | None) -> bool:
        """True if this shard gets the guild's events; private ones go to shard 0."""
        return self.shard[0] == (0 if guild_id is None else (guild_id >> 22) % self.shard[1])

    def dispatch(self, name: str, data: Json) -> None:
        self.seq += 1
        # Written out now: `data` may be a message that changes before the socket gets to it.
        text = json.dumps({"op": 0, "t": name, "s": self.seq, "d": data}, separators=(",", ":"))
        self._sent.append((self.seq, text))
        if self.socket is not None:
            self.socket.send(text)

    def can_replay(self, seq: object) -> bool:
        """True if every event after `seq` is still remembered."""
        oldest = self._sent[0][0] if self._sent else self.seq + 1
        return isinstance(seq, int) and seq >= oldest - 1

    def attach(self, socket: Socket, seq: int) -> None:
        """Take a new socket: what came after `seq`, once each and in order, then RESUMED."""
        for number, text in self._sent:
            if number > seq:
                socket.send(text)
        self.socket = socket
        self.dispatch("RESUMED", {"_trace": ["sandbox"]})
