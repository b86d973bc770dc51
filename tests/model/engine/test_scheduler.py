"""The queue: bounded, in order within a channel, fair between channels."""

import pytest

from model.engine.request import Reply, Request, Sampling
from model.engine.scheduler import Scheduler, Ticket
from model.errors import Busy, RequestInvalid, ServiceClosed, ServiceError
from model.prompt import Turn


def ticket(channel: str = "a", text: str = "x") -> Ticket:
    return Ticket(Request((Turn("user", text),), channel), 0.0, lambda _: None)


def filled(channels: str) -> tuple[Scheduler, list[Ticket]]:
    """A scheduler with one ticket for each letter, in that order."""
    scheduler = Scheduler(100)
    tickets = [ticket(channel) for channel in channels]
    for one in tickets:
        scheduler.submit(one)
    return scheduler, tickets


def channels(tickets: list[Ticket]) -> str:
    return "".join(one.request.channel for one in tickets)


@pytest.mark.parametrize(
    ("submitted", "slots", "admitted"),
    [
        ("", 5, ""),
        ("a", 5, "a"),
        ("aaa", 2, "aa"),
        ("aaab", 2, "ab"),
        ("aaabbc", 6, "abcaba"),
        ("abc", 0, ""),
        ("bac", 3, "bac"),
    ],
)
def test_channels_take_turns(submitted: str, slots: int, admitted: str) -> None:
    scheduler, _ = filled(submitted)
    assert channels(scheduler.admit(slots)) == admitted
    assert len(scheduler) == len(submitted) - len(admitted)


def test_one_busy_channel_does_not_hold_up_the_others() -> None:
    scheduler, _ = filled("a" * 50 + "bc")
    assert channels(scheduler.admit(3)) == "abc"


def test_turns_go_on_between_admissions() -> None:
    scheduler, _ = filled("aabbcc")
    assert [channels(scheduler.admit(2)) for _ in range(3)] == ["ab", "ca", "bc"]


def test_channel_that_was_served_goes_to_the_back_of_newcomers() -> None:
    scheduler, _ = filled("aaa")
    scheduler.admit(1)
    scheduler.submit(ticket("b"))
    assert channels(scheduler.admit(3)) == "aba"


def test_order_within_a_channel() -> None:
    scheduler, tickets = filled("abababab")
    admitted = scheduler.admit(100)
    for channel in "ab":
        assert [t for t in admitted if t.request.channel == channel] == [t for t in tickets if t.request.channel == channel]


def test_bounded() -> None:
    scheduler = Scheduler(2)
    scheduler.submit(ticket())
    scheduler.submit(ticket("b"))
    with pytest.raises(Busy, match="2 requests are waiting"):
        scheduler.submit(ticket("c"))
    assert len(scheduler) == 2
    scheduler.admit(1)
    scheduler.submit(ticket("c"))
    assert channels(scheduler.admit(9)) == "bc"


def test_remove() -> None:
    scheduler, tickets = filled("abacab")
    gone = {id(tickets[0]), id(tickets[3]), id(tickets[5])}
    removed = scheduler.remove(lambda one: id(one) in gone)
    assert {id(one) for one in removed} == gone
    assert len(scheduler) == 3
    left = scheduler.admit(9)
    assert sorted(map(id, left)) == sorted(id(one) for one in tickets if id(one) not in gone)
    assert channels(left) == "aba"


def test_remove_nothing_keeps_the_order() -> None:
    scheduler, _ = filled("abc")
    assert scheduler.remove(lambda _: False) == []
    assert channels(scheduler.admit(3)) == "abc"


def test_removed_room_can_be_used_again() -> None:
    scheduler = Scheduler(1)
    scheduler.submit(ticket())
    assert len(scheduler.remove(lambda _: True)) == 1
    scheduler.submit(ticket())


def test_first_outcome_counts() -> None:
    outcomes: list[Reply | ServiceError] = []
    one = Ticket(Request((Turn("user", "x"),)), 0.0, outcomes.append)
    first = ServiceClosed("first")
    one.settle(first)
    one.settle(Busy("second"))
    assert outcomes == [first]


@pytest.mark.parametrize(
    "bad",
    [
        {"temperature": -0.1},
        {"temperature": 5.1},
        {"temperature": float("nan")},
        {"top_k": 0},
        {"top_p": 0.0},
        {"top_p": 1.1},
        {"top_p": float("nan")},
        {"max_new_tokens": 0},
    ],
)
def test_sampling_is_checked(bad: dict[str, float]) -> None:
    with pytest.raises(RequestInvalid, match=next(iter(bad))):
        Sampling(**bad)  # type: ignore[arg-type]
