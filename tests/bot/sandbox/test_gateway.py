"""The gateway: identifying, compression, losing and resuming connections."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import discord
import pytest

from bot.sandbox import Sandbox

from .clients import TIMEOUT, Connect, StartBot


@pytest.mark.parametrize("query", [{}, {"compress": "zlib-stream"}], ids=["plain", "zlib-stream"])
async def test_identify_and_hear(sandbox: Sandbox, raw_gateway: Connect, query: dict[str, str]) -> None:
    gateway = await raw_gateway(**query)
    ready = (await gateway.identify(intents=1 << 0 | 1 << 9, shard=[0, 1]))["d"]
    assert ready["resume_gateway_url"] == sandbox.gateway_url
    assert ready["application"]["id"] == ready["user"]["id"] == str(sandbox.world.bot.id)
    assert (ready["v"], ready["shard"], ready["guilds"][0]["unavailable"]) == (10, [0, 1], True)
    guild = await gateway.read()
    assert (guild["t"], guild["d"]["name"], guild["s"]) == ("GUILD_CREATE", "Neko Cafe", 2)
    await sandbox.say("general", "猫", mention=True)
    assert (await gateway.until("MESSAGE_CREATE"))["d"]["content"].endswith("猫")
    assert sandbox.identifies == 1


async def test_unknown_compression_is_refused(sandbox: Sandbox, http: Any) -> None:
    async with http.get(sandbox.gateway_url.replace("ws:", "http:") + "?compress=gzip") as response:
        assert response.status == 400


async def test_heartbeats(sandbox: Sandbox, raw_gateway: Connect) -> None:
    gateway = await raw_gateway()
    await gateway.send(1, None)
    assert (await gateway.read())["op"] == 11
    sandbox.faults.ask_heartbeat()
    assert (await gateway.read())["op"] == 1
    with sandbox.faults.stop_acks():
        await gateway.send(1, None)
        await sandbox.wait_for(lambda: sandbox.gateway.heartbeats == 2)
    await gateway.send(1, None)
    assert (await gateway.read())["op"] == 11
    assert sandbox.gateway.heartbeats == 3


@pytest.mark.parametrize(
    ("operation", "data", "code"),
    [
        (2, {"token": "wrong", "intents": 0}, 4004),
        (2, {"token": "sandbox.token", "intents": 1 << 15}, 4014),
        (2, {"token": "sandbox.token", "intents": -1}, 4013),
        (2, {"token": "sandbox.token", "intents": 0, "shard": [2, 2]}, 4010),
        (6, {"token": "wrong", "session_id": "x", "seq": 1}, 4004),
        (3, {"status": "idle"}, 4003),
        (99, None, 4001),
        (2, {"token": "x" * 5000}, 4002),
    ],
)
async def test_close_codes(raw_gateway: Connect, operation: int, data: Any, code: int) -> None:
    gateway = await raw_gateway()
    await gateway.send(operation, data)
    assert await gateway.closed() == code


async def test_identify_twice_and_garbage(raw_gateway: Connect) -> None:
    gateway = await raw_gateway()
    await gateway.identify()
    await gateway.send(2, {"token": "sandbox.token", "intents": 0})
    assert await gateway.closed() == 4005
    gateway = await raw_gateway()
    await gateway.ws.send_str("not json")
    assert await gateway.closed() == 4002
    gateway = await raw_gateway(hello=False, v="6")
    assert await gateway.closed() == 4012


async def test_resume_replays_exactly_once(sandbox: Sandbox, raw_gateway: Connect) -> None:
    first = await raw_gateway()
    session = (await first.identify())["d"]["session_id"]
    await sandbox.say("dm", "0")
    seq = (await first.until("MESSAGE_CREATE"))["s"]
    sandbox.faults.drop_sockets()
    for number in range(1, 4):
        await sandbox.say("dm", str(number))
    second = await raw_gateway(compress="zlib-stream")
    await second.send(6, {"token": sandbox.token, "session_id": session, "seq": seq})
    await sandbox.wait_for(lambda: sandbox.resumes == 1)
    await sandbox.say("dm", "4")
    events = [await second.read() for _ in range(5)]
    assert [event["d"].get("content", event["t"]) for event in events] == ["1", "2", "3", "RESUMED", "4"]
    numbers = [event["s"] for event in events]
    assert numbers == list(range(seq + 1, seq + 6))


async def test_resume_of_an_unknown_session(sandbox: Sandbox, raw_gateway: Connect) -> None:
    gateway = await raw_gateway()
    await gateway.send(6, {"token": sandbox.token, "session_id": "gone", "seq": 1})
    assert await gateway.read() == {"op": 9, "d": False, "s": None, "t": None}
    await gateway.identify()
    assert (sandbox.identifies, sandbox.resumes) == (1, 0)


async def test_resume_ahead_of_the_session(sandbox: Sandbox, raw_gateway: Connect) -> None:
    session = (await (await raw_gateway()).identify())["d"]["session_id"]
    gateway = await raw_gateway()
    await gateway.send(6, {"token": sandbox.token, "session_id": session, "seq": 99})
    assert await gateway.closed() == 4007


async def test_shards_share_the_events(raw_gateway: Connect, sandbox: Sandbox) -> None:
    shards = [await raw_gateway() for _ in range(2)]
    for number, gateway in enumerate(shards):
        await gateway.identify(shard=[number, 2])
    home = (sandbox.world.guild.id >> 22) % 2
    await sandbox.say("general", "guild", mention=True)
    await sandbox.say("dm", "private")
    heard = [(await shards[home].until("MESSAGE_CREATE"))["d"]["content"]]
    heard.append((await shards[0].until("MESSAGE_CREATE"))["d"]["content"])
    assert heard[0].endswith("guild")
    assert heard[1] == "private"


async def test_library_resumes_without_loss(sandbox: Sandbox, start_bot: StartBot) -> None:
    bot = await start_bot(sandbox)
    for round_number in range(3):
        await sandbox.say("dm", f"before {round_number}")
        sandbox.faults.drop_sockets()
        await sandbox.say("dm", f"during {round_number}")
        await sandbox.wait_for(lambda n=round_number: sandbox.resumes == n + 1)  # type: ignore[misc]
    # Six from the member and the bot's six answers.
    await sandbox.wait_for(lambda: len(bot.seen) >= 12)
    heard = [message.content for message in bot.seen if not message.author.bot]
    assert sorted(heard) == sorted(f"{when} {n}" for when in ("before", "during") for n in range(3))
    assert sandbox.identifies == 1


@pytest.mark.parametrize("fault", ["op 7", "op 9 resumable", "close 4000", "close 1000"])
async def test_library_resumes_when_asked(sandbox: Sandbox, start_bot: StartBot, fault: str) -> None:
    await start_bot(sandbox)
    if fault == "op 7":
        sandbox.faults.reconnect()
    elif fault == "op 9 resumable":
        sandbox.faults.invalidate(resumable=True)
    else:
        sandbox.faults.close_sockets(int(fault.split()[1]))
    await sandbox.wait_for(lambda: sandbox.resumes == 1)
    asked = await sandbox.say("dm", "still there?")
    assert (await sandbox.next_reply("dm", after=asked)).content == "meow still there?"
    assert sandbox.identifies == 1


async def test_library_identifies_again_after_op_9(sandbox: Sandbox, start_bot: StartBot) -> None:
    await start_bot(sandbox)
    sandbox.faults.invalidate(resumable=False)
    await sandbox.wait_for(lambda: sandbox.identifies == 2)
    await sandbox.wait_ready()
    asked = await sandbox.say("dm", "again")
    assert (await sandbox.next_reply("dm", after=asked)).content == "meow again"
    assert sandbox.resumes == 0


async def test_library_identifies_after_a_refused_resume(sandbox: Sandbox, start_bot: StartBot) -> None:
    await start_bot(sandbox)
    sandbox.faults.refuse_resume()
    sandbox.faults.drop_sockets()
    await sandbox.wait_for(lambda: sandbox.identifies == 2)


async def test_wrong_token_is_a_login_failure(sandbox: Sandbox, start_bot: StartBot) -> None:
    bot = await start_bot(sandbox, ready=False, token="wrong")
    assert bot.runner is not None
    with pytest.raises(discord.LoginFailure):
        await asyncio.wait_for(bot.runner, TIMEOUT)


async def test_close_4004_ends_the_library(sandbox: Sandbox, start_bot: StartBot) -> None:
    sandbox.faults.close_on_identify(4004)
    bot = await start_bot(sandbox, ready=False)
    assert bot.runner is not None
    with pytest.raises(discord.ConnectionClosed) as caught:
        await asyncio.wait_for(bot.runner, TIMEOUT)
    assert caught.value.code == 4004


async def test_intent_that_is_off_ends_the_library(sandbox: Sandbox, start_bot: StartBot) -> None:
    intents = discord.Intents.default()
    intents.message_content = True
    bot = await start_bot(sandbox, ready=False, intents=intents)
    assert bot.runner is not None
    with pytest.raises(discord.PrivilegedIntentsRequired):
        await asyncio.wait_for(bot.runner, TIMEOUT)


async def test_presence_is_kept(sandbox: Sandbox, start_bot: StartBot) -> None:
    bot = await start_bot(sandbox)
    await bot.change_presence(status=discord.Status.idle, activity=discord.CustomActivity("asleep"))
    await sandbox.wait_for(lambda: sandbox.world.presence["status"] == "idle")
    assert sandbox.world.presence["activities"][0]["state"] == "asleep"


async def test_nothing_is_left_behind(http: Any) -> None:
    before = asyncio.all_tasks()
    async with Sandbox() as sandbox:
        ws = await http.ws_connect(sandbox.gateway_url)
        events = await http.get(f"{sandbox.page_url}sandbox/events?as=member")
        await ws.receive(TIMEOUT)
    while (await ws.receive(TIMEOUT)).type is not aiohttp.WSMsgType.CLOSED:
        pass
    events.close()
    await asyncio.sleep(0)
    assert {task for task in asyncio.all_tasks() - before if not task.done()} == set()
