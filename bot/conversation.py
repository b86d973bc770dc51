"""What was said lately, channel by channel: bounded in turns, age and number of channels, and in memory only.

Knows no Discord objects, only ids, and has no clock of its own. Nothing here is ever written to disk.
"""

from collections import OrderedDict, deque
from dataclasses import dataclass

from model import Turn


@dataclass(frozen=True, slots=True)
class Said:
    """One turn, who caused it (the author, or the user whom the cat answered) and when, in seconds of a monotonic clock."""

    turn: Turn
    author_id: int
    at: float


class Conversations:
    """The short context of every channel. Threads and direct messages are channels of their own."""

    def __init__(self, *, turns: int = 6, minutes: float = 15.0, channels: int = 5000) -> None:
        self._turns = turns
        self._age = minutes * 60
        self._limit = channels
        self._channels: OrderedDict[int, deque[Said]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._channels)

    def turns(self, channel_id: int, now: float) -> list[Turn]:
        """The channel's turns that are not too old, oldest first; a channel without any is forgotten."""
        said = self._channels.get(channel_id)
        while said and said[0].at < now - self._age:
            said.popleft()
        if not said:
            self._channels.pop(channel_id, None)
            return []
        return [entry.turn for entry in said]

    def add(self, channel_id: int, author_id: int, now: float, *turns: Turn) -> None:
        """Remember turns; channels in which all is too old are forgotten, and the longest silent when there are too many."""
        said = self._channels.setdefault(channel_id, deque(maxlen=self._turns))
        said.extend(Said(turn, author_id, now) for turn in turns)
        self._channels.move_to_end(channel_id)
        while self._channels and (len(self._channels) > self._limit or self._is_stale(next(iter(self._channels.values())), now)):
            self._channels.popitem(last=False)

    def _is_stale(self, said: deque[Said], now: float) -> bool:
        return not said or said[-1].at < now - self._age

    def forget(self, channel_id: int) -> None:
        """Drop a channel's context."""
        self._channels.pop(channel_id, None)
