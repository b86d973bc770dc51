"""Slash commands, as members, managers and owners use them."""

import pytest

from bot.sandbox import Sandbox
from model.catspeak import is_catspeak, parse

from .conftest import Gate, Live, Start


@pytest.mark.parametrize("channel", ["general", "thread", "dm", "private"])
async def test_meow_answers_everywhere(live: Live, channel: str) -> None:
    await live.sandbox.wait_commands()
    run = await live.sandbox.command("meow", channel=channel, options={"message": "good night, kitty"})
    answer = await run.final()
    assert answer is not None
    assert parse(answer.content).language == "en"
    assert not run.ephemeral
    assert not answer.pinged


async def test_meow_without_a_message_meows_of_its_own_accord(live: Live) -> None:
    await live.sandbox.wait_commands()
    answer = await (await live.sandbox.command("meow")).final()
    assert answer is not None
    assert is_catspeak(answer.content)
    assert live.asked == [("",)]


async def test_a_private_meow_is_for_one_and_leaves_no_trace(live: Live) -> None:
    await live.sandbox.wait_commands()
    run = await live.sandbox.command("meow", options={"message": "内緒だよ", "private": True})
    answer = await run.final()
    assert answer is not None
    assert run.ephemeral
    assert is_catspeak(answer.content)
    message = await live.sandbox.say("general", "ねえ", mention=True)
    await live.sandbox.next_reply("general", after=message)
    assert live.asked[-1] == ("ねえ",)


async def test_meow_and_mentions_share_the_channels_context(live: Live) -> None:
    await live.sandbox.wait_commands()
    answer = await (await live.sandbox.command("meow", options={"message": "おやつだよ"})).final()
    assert answer is not None
    message = await live.sandbox.say("general", "おいしい？", mention=True)
    await live.sandbox.next_reply("general", after=message)
    assert live.asked[-1] == ("おやつだよ", answer.content, "おいしい？")


@pytest.mark.parametrize("private", [True, False])
async def test_a_slow_model_is_announced_in_time(live: Live, gate: Gate, private: bool) -> None:
    await live.sandbox.wait_commands()
    gate.open.clear()
    run = await live.sandbox.command("meow", options={"message": "まだ？", "private": private})
    thinking = await run.first_response()
    assert thinking is not None
    assert thinking.thinking
    assert run.ephemeral is private
    gate.open.set()
    answer = await run.final()
    assert answer is not None
    assert is_catspeak(answer.content)
    assert answer.ephemeral is private


async def test_commands_are_sent_once_and_again_only_if_they_are_gone(start: Start) -> None:
    async with Sandbox() as sandbox:
        for _ in range(2):
            live = await start(sandbox=sandbox)
            await sandbox.wait_commands()
            await live.stop()
        assert sandbox.command_writes == 1
        assert {command["name"] for command in sandbox.commands} == {"meow", "admin"}
    async with Sandbox() as fresh:
        await start(sandbox=fresh)
        assert len(await fresh.wait_commands()) == 2


async def test_admin_lives_in_one_server_if_the_settings_say_so(start: Start) -> None:
    async with Sandbox() as sandbox:
        await start(sandbox=sandbox, admin_guild_id=sandbox.world.guild.id)
        await sandbox.wait_for(lambda: sandbox.guild_commands and sandbox.commands)
        assert [command["name"] for command in sandbox.commands] == ["meow"]
        assert [command["name"] for command in sandbox.guild_commands] == ["admin"]


async def test_commands_have_both_languages(live: Live) -> None:
    for command in await live.sandbox.wait_commands():
        assert set(command["name_localizations"]) == {"ja", "en-US"}
        assert set(command["description_localizations"]) == {"ja", "en-US"}


async def test_status_is_for_the_owner(live: Live) -> None:
    await live.sandbox.wait_commands()
    run = await live.sandbox.command("admin status", user="owner")
    answer = await run.final()
    assert answer is not None
    assert run.ephemeral
    assert live.bot.user is not None
    assert "catbot-mini" in answer.content


@pytest.mark.parametrize("user", ["member", "manager"])
@pytest.mark.parametrize("command", ["admin status", "admin reload"])
async def test_nobody_else_may_use_admin(live: Live, user: str, command: str) -> None:
    await live.sandbox.wait_commands()
    before = (await live.bot.cat()).checkpoint
    options = {"checkpoint": "bundled"} if "reload" in command else {}
    run = await live.sandbox.command(command, user=user, options=options)
    answer = await run.final()
    assert answer is not None
    assert run.ephemeral
    assert "catbot-mini" not in answer.content
    assert (await live.bot.cat()).checkpoint is before


async def test_an_operator_by_id_may(start: Start) -> None:
    async with Sandbox() as sandbox:
        live = await start(sandbox=sandbox, catbot_operator_ids=[sandbox.world.actor("member").id])
        await sandbox.wait_commands()
        answer = await (await live.sandbox.command("admin status", user="member")).final()
        assert answer is not None
        assert "catbot-mini" in answer.content
