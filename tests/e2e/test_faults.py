"""Outages: what the network and Discord do to a bot, and that no reply is lost or doubled."""

import pytest

from bot.app import StartFailed
from bot.sandbox import Sandbox
from model.catspeak import is_catspeak

from .conftest import Gate, Live, Start
from .test_conversation import replies_in


async def answered_once(live: Live, numbers: int) -> bool:
    """Every one of the first `numbers` messages has exactly one reply."""
    await live.sandbox.wait_for(lambda: len(replies_in(live)) >= numbers, timeout=30)
    replies = replies_in(live)
    return len({reply.reply_to for reply in replies}) == len(replies) == numbers and all(
        is_catspeak(reply.content) for reply in replies
    )


async def test_a_dropped_socket_is_resumed_without_losing_or_doubling(live: Live) -> None:
    await live.sandbox.say("general", "一つ目", mention=True)
    await live.sandbox.wait_for(lambda: len(replies_in(live)) == 1)
    live.sandbox.faults.drop_sockets()
    await live.sandbox.say("general", "切れている間の話", mention=True)
    await live.sandbox.wait_for(lambda: live.sandbox.resumes == 1, timeout=30)
    await live.sandbox.say("general", "三つ目", mention=True)
    assert await answered_once(live, 3)
    assert live.sandbox.identifies == 1


async def test_a_reply_under_way_survives_the_drop(live: Live, gate: Gate) -> None:
    gate.open.clear()
    await live.sandbox.say("general", "考えている間に", mention=True)
    await live.sandbox.wait_for(lambda: gate.waiting == 1)
    live.sandbox.faults.drop_sockets()
    gate.open.set()
    assert await answered_once(live, 1)


async def test_op_7_is_followed(live: Live) -> None:
    live.sandbox.faults.reconnect()
    await live.sandbox.wait_for(lambda: live.sandbox.resumes == 1, timeout=30)
    await live.sandbox.say("general", "戻った？", mention=True)
    assert await answered_once(live, 1)


async def test_an_invalid_session_starts_a_new_one_on_the_same_server(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    async def at_once(shard_id: int | None, *, initial: bool = False) -> None:
        """discord.py waits five seconds between identifies, which Discord asks for and a test does not."""

    monkeypatch.setattr(live.bot, "before_identify_hook", at_once)
    live.sandbox.faults.invalidate(resumable=False)
    await live.sandbox.wait_for(lambda: live.sandbox.identifies == 2, timeout=30)
    await live.sandbox.wait_ready()
    await live.sandbox.say("general", "戻った？", mention=True)
    assert await answered_once(live, 1)
    assert live.sandbox.command_writes == 1


@pytest.mark.parametrize("scope", ["user", "shared"])
async def test_a_rate_limit_is_waited_for(live: Live, scope: str) -> None:
    with live.sandbox.faults.rate_limit(0.2, times=2, scope=scope, method="POST", path="/messages") as fault:
        await live.sandbox.say("general", "急いで", mention=True)
        assert await answered_once(live, 1)
    assert fault.hits == 2


async def test_server_errors_are_tried_again(live: Live) -> None:
    with live.sandbox.faults.server_error(502, times=1, method="POST", path="/messages"):
        await live.sandbox.say("general", "もしもし", mention=True)
        assert await answered_once(live, 1)


async def test_a_post_whose_answer_was_lost_is_not_doubled(live: Live) -> None:
    with live.sandbox.faults.drop_request(processed=True, times=1, method="POST", path="/messages"):
        await live.sandbox.say("general", "もしもし", mention=True)
        await live.sandbox.wait_for(lambda: len(replies_in(live)) == 1)
    await live.sandbox.say("general", "次", mention=True)
    assert await answered_once(live, 2)


async def test_a_post_that_fails_for_good_costs_one_reply_only(live: Live) -> None:
    with live.sandbox.faults.server_error(403, times=1, method="POST", path="/messages"):
        await live.sandbox.say("general", "届かない", mention=True)
        await live.sandbox.wait_for(lambda: any(asked.status == 403 for asked in live.sandbox.requests))
    after = await live.sandbox.say("general", "届く", mention=True)
    assert (await live.sandbox.next_reply("general", after=after)).reply_to == after.id


async def test_a_wrong_token_is_said_in_one_sentence_without_the_token(start: Start) -> None:
    live = await start(token="wrong.token.here", ready=False)
    with pytest.raises(StartFailed, match="refuses the token") as failure:
        await live.running
    assert "wrong.token.here" not in str(failure.value)


@pytest.mark.parametrize(("code", "words"), [(4004, "refuses the token"), (4014, "refuses an intent")])
async def test_a_gateway_that_refuses_is_said_in_one_sentence(start: Start, code: int, words: str) -> None:
    async with Sandbox() as sandbox:
        sandbox.faults.close_on_identify(code)
        live = await start(sandbox=sandbox, ready=False)
        with pytest.raises(StartFailed, match=words):
            await live.running


async def test_a_bad_checkpoint_stops_the_start_with_its_reason(start: Start) -> None:
    live = await start(catbot_checkpoint="/nowhere/at/all", ready=False)
    with pytest.raises(StartFailed, match="no checkpoint folder"):
        await live.running


async def test_nobody_listening_is_said_in_one_sentence(start: Start) -> None:
    live = await start(discord_api_base="http://127.0.0.1:9/api/v10", ready=False)
    with pytest.raises(StartFailed, match="cannot be reached"):
        await live.running
