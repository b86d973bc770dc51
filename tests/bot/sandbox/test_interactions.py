"""Interactions with a real discord.py bot: answers, deferrals, deadlines, where commands are offered."""

from __future__ import annotations

import time
from typing import Any

import discord
import pytest
from discord import app_commands

from bot.sandbox import InteractionFailed, Sandbox, SandboxError

from .clients import Api, StartBot


async def test_immediate_answer(sandbox: Sandbox, start_bot: StartBot) -> None:
    await start_bot(sandbox, sync=True)
    run = await sandbox.command("purr", options={"message": "pr", "times": 2})
    answer = await run.final()
    assert answer is not None
    assert answer.content == "prpr"
    assert answer.data["interaction_metadata"]["user"]["username"] == "Mika"
    assert (run.state, run.ephemeral, answer.data["type"]) == ("answered", False, 20)


async def test_deferred_answer_edits_the_thinking_message(sandbox: Sandbox, start_bot: StartBot) -> None:
    await start_bot(sandbox, sync=True)
    run = await sandbox.command("ponder")
    first, final = await run.first_response(), await run.final()
    second = await run.followup()
    assert first is final is not None
    assert (final.content, final.thinking, second.content) == ("mrrp", False, "prrr")
    assert second.reply_to == final.id


async def test_ephemeral_answer_is_for_one(sandbox: Sandbox, start_bot: StartBot) -> None:
    await start_bot(sandbox, sync=True)
    run = await sandbox.command("whisper")
    answer = await run.final()
    assert answer is not None
    assert run.ephemeral
    assert "guild_id" not in answer.data
    assert answer in sandbox.messages("general", "member")
    assert answer not in sandbox.messages("general", "owner")


async def test_autocomplete(sandbox: Sandbox, start_bot: StartBot) -> None:
    await start_bot(sandbox, sync=True)
    assert await sandbox.autocomplete("fetch", "toy", "mo") == [{"name": "mouse", "value": "mouse"}]
    with pytest.raises(SandboxError, match="no autocomplete"):
        await sandbox.autocomplete("purr", "message", "m")


async def test_answering_twice(sandbox: Sandbox, start_bot: StartBot) -> None:
    bot = await start_bot(sandbox, sync=True)
    run = await sandbox.command("twice")
    await run.final()
    await sandbox.wait_for(lambda: bot.errors)
    error = bot.errors[0]
    assert isinstance(error, discord.HTTPException)
    assert (error.status, error.code) == (400, 40060)


async def test_user_option_is_resolved(sandbox: Sandbox, start_bot: StartBot) -> None:
    await start_bot(sandbox, sync=True)
    run = await sandbox.command("sniff", options={"who": "manager"})
    answer = await run.final()
    assert answer is not None
    assert answer.content == "Ken True"


async def test_subcommand_needs_permission_and_a_guild(sandbox: Sandbox, start_bot: StartBot) -> None:
    await start_bot(sandbox, sync=True)
    run = await sandbox.command("admin reload", user="manager")
    answer = await run.final()
    assert answer is not None
    assert answer.content == "reloaded"
    with pytest.raises(SandboxError, match="not offered to this user"):
        await sandbox.command("admin reload", user="member")
    with pytest.raises(SandboxError, match="not offered"):
        await sandbox.command("admin reload", user="manager", channel="dm")
    with pytest.raises(SandboxError, match="needs a sub-command"):
        await sandbox.command("admin", user="manager")


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({}, "message is required"),
        ({"message": 3}, "must be text"),
        ({"message": "a", "times": "2"}, "must be a whole number"),
        ({"message": "a", "tail": 1}, "no option"),
    ],
)
async def test_client_side_checks(sandbox: Sandbox, start_bot: StartBot, options: dict[str, Any], complaint: str) -> None:
    await start_bot(sandbox, sync=True)
    with pytest.raises(SandboxError, match=complaint):
        await sandbox.command("purr", options=options)


async def test_context_menu_button_and_modal(sandbox: Sandbox, start_bot: StartBot) -> None:
    await start_bot(sandbox, sync=True)
    message = await sandbox.say("general", "a mouse")
    petted = await (await sandbox.context_menu("Pet this", message)).final()
    assert petted is not None
    assert petted.content == "purrs at a mouse"
    shown = await (await sandbox.command("door")).final()
    assert shown is not None
    opened = await sandbox.press(shown, "write")
    await opened.final()
    letter = await (await sandbox.submit(opened, {"text": "hi"})).final()
    assert letter is not None
    assert letter.content == "read hi"
    pressed = await sandbox.press(shown, "open", user="owner")
    await pressed.final()
    assert (shown.content, shown.data["components"]) == ("opened", [])


async def test_contexts_and_installations(sandbox: Sandbox, start_bot: StartBot) -> None:
    bot = await start_bot(sandbox)
    seen: list[discord.Interaction] = []

    @bot.tree.command(description="goes anywhere")
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
    @app_commands.allowed_installs(guilds=True, users=True)
    async def roam(interaction: discord.Interaction) -> None:
        seen.append(interaction)
        await interaction.response.send_message("here")

    await bot.tree.sync()
    for channel in ("general", "dm", "private"):
        await (await sandbox.command("roam", channel=channel)).final()
    guild, dm, private = seen
    member = sandbox.world.actor("member").id
    assert (guild.context.guild, dm.context.dm_channel, private.context.private_channel) == (True, True, True)
    assert guild._integration_owners == {0: sandbox.world.guild.id, 1: member}
    assert dm._integration_owners == {0: 0, 1: member}
    assert private._integration_owners == {1: member}
    assert isinstance(guild.user, discord.Member)
    assert isinstance(dm.user, discord.User)
    assert (guild.locale, guild.guild_locale, dm.guild_locale) == (discord.Locale.japanese,) * 2 + (None,)
    assert private.app_permissions.attach_files
    with pytest.raises(SandboxError, match="not offered"):
        await sandbox.command("roam", channel="private", user="manager")


async def started(sandbox: Sandbox, api: Api) -> tuple[Any, str]:
    """A command whose bot is the test itself: the invocation and its callback path."""
    await api("PUT", f"/applications/{sandbox.world.application_id}/commands", [PING])
    run = await sandbox.command("ping")
    return run, f"/interactions/{run.id}/{run.interaction.token}/callback"


PING = {"name": "ping", "description": "pong", "type": 1}
ANSWER = {"type": 4, "data": {"content": "pong"}}


async def test_late_answer_is_unknown(http: Any) -> None:
    async with Sandbox(interaction_deadline=0.01) as sandbox:
        api = Api(sandbox, http)
        run, callback = await started(sandbox, api)
        with pytest.raises(InteractionFailed):
            await run.final()
        assert run.state == "failed"
        status, body = await api("POST", callback, ANSWER)
        assert (status, body["code"]) == (404, 10062)


async def test_callback_by_hand(sandbox: Sandbox, api: Api) -> None:
    run, callback = await started(sandbox, api)
    status, body = await api("POST", callback, {"type": 8, "data": {"choices": []}})
    assert (status, body["code"]) == (400, 50035)
    status, body = await api("POST", callback, {"type": 9, "data": {"custom_id": "c", "title": "t" * 46}})
    assert (status, list(body["errors"]["data"])) == (400, ["title"])
    status, body = await api("POST", callback, {"type": 4, "data": {"content": ""}})
    assert (status, body["code"]) == (400, 50006)
    assert run.state == "pending"
    status, body = await api("POST", callback + "?with_response=true", {"type": 5, "data": {"flags": 64}})
    assert (status, body["interaction"]["response_message_ephemeral"]) == (200, True)
    assert body["interaction"]["response_message_loading"]
    status, body = await api("POST", callback, ANSWER)
    assert (status, body["code"]) == (400, 40060)
    original = f"/webhooks/{sandbox.world.application_id}/{run.interaction.token}/messages/@original"
    status, body = await api("PATCH", original, {"content": "pong"})
    assert (status, body["content"], body["flags"]) == (200, "pong", 64)
    assert (await api("GET", original))[1]["id"] == body["id"]
    assert (await api("DELETE", original))[0] == 204
    assert (await api("GET", original))[1]["code"] == 10008


async def test_followups_by_hand(sandbox: Sandbox, api: Api) -> None:
    run, callback = await started(sandbox, api)
    webhook = f"/webhooks/{sandbox.world.application_id}/{run.interaction.token}"
    assert (await api("POST", webhook, {"content": "early"}))[1]["code"] == 10015
    assert await api("POST", callback, ANSWER) == (204, None)
    status, body = await api("POST", webhook, {"content": "more", "flags": 64})
    assert (status, body["flags"]) == (200, 64)
    status, body = await api("PATCH", f"{webhook}/messages/{body['id']}", {"content": "changed"})
    assert (status, body["content"]) == (200, "changed")
    assert (await api("DELETE", f"{webhook}/messages/{body['id']}"))[0] == 204


async def test_token_expires(http: Any) -> None:
    now = [time.time()]
    async with Sandbox(clock=lambda: now[0]) as sandbox:
        api = Api(sandbox, http)
        run, callback = await started(sandbox, api)
        await api("POST", callback, ANSWER)
        webhook = f"/webhooks/{sandbox.world.application_id}/{run.interaction.token}"
        now[0] += 899
        assert (await api("POST", webhook, {"content": "in time"}))[0] == 200
        now[0] += 2
        status, body = await api("POST", webhook, {"content": "late"})
        assert (status, body["code"]) == (401, 50027)


async def test_wrong_token_is_unknown(sandbox: Sandbox, api: Api) -> None:
    run, _ = await started(sandbox, api)
    status, body = await api("POST", f"/interactions/{run.id}/nonsense/callback", ANSWER)
    assert (status, body["code"]) == (404, 10062)
