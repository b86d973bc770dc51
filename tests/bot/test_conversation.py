"""The context of a channel: bounded in turns, age and number of channels; compared with a simple model of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.conversation import Conversations
from model import Turn


def said(number: int) -> Turn:
    return Turn("user", str(number))


def test_turns_come_back_oldest_first() -> None:
    conversations = Conversations()
    conversations.add(1, 7, 0.0, said(1), Turn("cat", "ﾆｬｰ"))
    conversations.add(1, 7, 1.0, said(2))
    assert conversations.turns(1, 2.0) == [said(1), Turn("cat", "ﾆｬｰ"), said(2)]


def test_only_the_last_turns_are_kept() -> None:
    conversations = Conversations(turns=3)
    for number in range(5):
        conversations.add(1, 7, 0.0, said(number))
    assert conversations.turns(1, 0.0) == [said(2), said(3), said(4)]


def test_zero_turns_remember_nothing() -> None:
    conversations = Conversations(turns=0)
    conversations.add(1, 7, 0.0, said(1))
    assert conversations.turns(1, 0.0) == []


@pytest.mark.parametrize(("now", "left"), [(900.0, [1, 2]), (900.5, [2]), (1000.0, [2]), (1001.0, [])])
def test_old_turns_are_forgotten_one_by_one(now: float, left: list[int]) -> None:
    conversations = Conversations(minutes=15)
    conversations.add(1, 7, 0.0, said(1))
    conversations.add(1, 7, 100.0, said(2))
    assert conversations.turns(1, now) == [said(number) for number in left]


def test_channels_are_separate() -> None:
    conversations = Conversations()
    conversations.add(1, 7, 0.0, said(1))
    conversations.add(2, 7, 0.0, said(2))
    assert (conversations.turns(1, 0.0), conversations.turns(2, 0.0)) == ([said(1)], [said(2)])


def test_the_channel_that_was_silent_longest_goes_first() -> None:
    conversations = Conversations(channels=2)
    for number, channel in enumerate((1, 2, 1, 3)):
        conversations.add(channel, 7, 0.0, said(number))
    assert len(conversations) == 2
    assert (conversations.turns(2, 0.0), conversations.turns(1, 0.0)) == ([], [said(0), said(2)])


def test_looking_at_an_unknown_channel_takes_no_room() -> None:
    conversations = Conversations()
    assert conversations.turns(1, 0.0) == []
    assert len(conversations) == 0


def test_forgetting_takes_one_channel_and_may_be_repeated() -> None:
    conversations = Conversations()
    conversations.add(1, 7, 0.0, said(1))
    conversations.add(2, 7, 0.0, said(2))
    conversations.forget(1)
    conversations.forget(1)
    assert (conversations.turns(1, 0.0), conversations.turns(2, 0.0)) == ([], [said(2)])


def test_a_caller_cannot_change_the_context_through_what_it_was_given() -> None:
    conversations = Conversations()
    conversations.add(1, 7, 0.0, said(1))
    conversations.turns(1, 0.0).clear()
    assert conversations.turns(1, 0.0) == [said(1)]


def test_a_silent_channel_does_not_stay_in_memory() -> None:
    conversations = Conversations(minutes=15)
    conversations.add(1, 7, 0.0, said(1))
    conversations.add(2, 7, 10_000.0, said(2))
    assert len(conversations) == 1


class Simple:
    """The same in the plainest way: everything that was said, in order, and bounds applied when asked."""

    def __init__(self, turns: int, age: float, channels: int) -> None:
        self.bounds = turns, age, channels
        self.all: list[tuple[int, float, Turn]] = []

    def add(self, channel: int, now: float, *turns: Turn) -> None:
        self.all += [(channel, now, turn) for turn in turns]
        last = list(dict.fromkeys(channel for channel, _, _ in reversed(self.all)))[: self.bounds[2]]
        self.all = [entry for entry in self.all if entry[0] in last]

    def turns(self, channel: int, now: float) -> list[Turn]:
        limit, age, _ = self.bounds
        here = [(at, turn) for where, at, turn in self.all if where == channel][-limit:]
        return [turn for at, turn in here if at >= now - age]

    def forget(self, channel: int) -> None:
        self.all = [entry for entry in self.all if entry[0] != channel]


step = st.tuples(
    st.sampled_from(["add", "add", "add two", "read", "forget"]),
    st.integers(0, 4),
    st.sampled_from([0.0, 1.0, 30.0, 60.0, 61.0]),
)


@given(st.integers(1, 4), st.integers(1, 3), st.lists(step, max_size=60))
def test_any_order_of_operations_gives_what_the_simple_model_gives(
    limit: int, channels: int, steps: list[tuple[str, int, float]]
) -> None:
    conversations, simple = Conversations(turns=limit, minutes=1, channels=channels), Simple(limit, 60.0, channels)
    now = 0.0
    for number, (what, channel, passed) in enumerate(steps):
        now += passed
        if what == "forget":
            conversations.forget(channel)
            simple.forget(channel)
        elif what != "read":
            turns = (said(number), Turn("cat", "ﾆｬｰ")) if what == "add two" else (said(number),)
            conversations.add(channel, 7, now, *turns)
            simple.add(channel, now, *turns)
        assert conversations.turns(channel, now) == simple.turns(channel, now)
        assert len(conversations) <= channels
    for channel in range(5):
        assert conversations.turns(channel, now) == simple.turns(channel, now)
