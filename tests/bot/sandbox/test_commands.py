"""Registering application commands: Discord's validation and what is kept."""

from __future__ import annotations

from typing import Any

import pytest
from discord import app_commands

from bot.sandbox import Sandbox

from .clients import Api, StartBot

Json = dict[str, Any]


def command(**changes: Any) -> Json:
    return {"name": "meow", "description": "says meow", "type": 1, **changes}


def option(**changes: Any) -> Json:
    return {"name": "text", "description": "what to say", "type": 3, **changes}


def globally(sandbox: Sandbox) -> str:
    return f"/applications/{sandbox.world.application_id}/commands"


BAD = {
    "upper case": (command(name="Meow"), "name"),
    "space": (command(name="me ow"), "name"),
    "long name": (command(name="m" * 33), "name"),
    "no name": (command(name=""), "name"),
    "no description": (command(description=""), "description"),
    "long description": (command(description="d" * 101), "description"),
    "unknown locale": (command(name_localizations={"jp": "にゃー"}), "name_localizations"),
    "bad localised name": (command(name_localizations={"en-US": "Me ow"}), "name_localizations"),
    "long localised description": (
        command(description_localizations={"ja": "あ" * 101}),
        "description_localizations",
    ),
    "26 options": (command(options=[option(name=f"o{n}") for n in range(26)]), "options"),
    "required after optional": (command(options=[option(), option(name="b", required=True)]), "options"),
    "option twice": (command(options=[option(), option()]), "options"),
    "option type": (command(options=[option(type=12)]), "options"),
    "26 choices": (
        command(options=[option(choices=[{"name": f"{n}", "value": f"{n}"} for n in range(26)])]),
        "options",
    ),
    "choice type": (command(options=[option(choices=[{"name": "a", "value": 1}])]), "options"),
    "choices and autocomplete": (
        command(options=[option(autocomplete=True, choices=[{"name": "a", "value": "a"}])]),
        "options",
    ),
    "length on a number": (command(options=[option(type=4, max_length=3)]), "options"),
    "mixed sub-commands": (command(options=[option(type=1), option(name="b")]), "options"),
    "nested groups": (command(options=[option(type=2, options=[option(type=2)])]), "options"),
    "context": (command(contexts=[0, 3]), "contexts"),
    "context twice": (command(contexts=[0, 0]), "contexts"),
    "integration type": (command(integration_types=[2]), "integration_types"),
    "permissions": (command(default_member_permissions="many"), "default_member_permissions"),
    "described menu": (command(type=2), "description"),
    "type": (command(type=9), "type"),
}


@pytest.mark.parametrize(("body", "field"), BAD.values(), ids=BAD.keys())
async def test_refused_definitions(sandbox: Sandbox, api: Api, body: Json, field: str) -> None:
    status, answer = await api("PUT", globally(sandbox), [command(name="fine"), body])
    assert (status, answer["code"]) == (400, 50035)
    assert field in answer["errors"]["1"]
    assert sandbox.commands == []


@pytest.mark.parametrize("name", ["meow", "にゃー", "ねこ-2", "l'eau", "बिल्ली", "แมว", "고양이"])
async def test_names_of_many_scripts(sandbox: Sandbox, api: Api, name: str) -> None:
    status, made = await api("POST", globally(sandbox), command(name=name))
    assert (status, made["name"]) == (201, name)


async def test_create_edit_delete(sandbox: Sandbox, api: Api) -> None:
    path = globally(sandbox)
    status, made = await api("POST", path, command())
    assert (status, made["default_member_permissions"], made["contexts"]) == (201, None, None)
    status, again = await api("POST", path, command(description="louder"))
    assert (status, again["id"], again["description"]) == (200, made["id"], "louder")
    assert again["version"] != made["version"]
    status, edited = await api("PATCH", f"{path}/{made['id']}", {"name": "purr"})
    assert (status, edited["id"], edited["name"]) == (200, made["id"], "purr")
    assert (await api("GET", path))[1] == [edited]
    assert await api("DELETE", f"{path}/{made['id']}") == (204, None)
    assert (await api("GET", f"{path}/{made['id']}"))[1]["code"] == 10063
    assert sandbox.command_writes == 4


async def test_overwrite_replaces_and_keeps_ids(sandbox: Sandbox, api: Api) -> None:
    path = globally(sandbox)
    _, (first, _) = await api("PUT", path, [command(), command(name="purr")])
    _, (second,) = await api("PUT", path, [command(description="louder")])
    assert first["id"] == second["id"]
    status, body = await api("PUT", path, [command(), command()])
    assert (status, body["code"]) == (400, 50035)
    status, body = await api("PUT", path, [command(name=f"c{n}") for n in range(101)])
    assert (status, body["code"]) == (400, 30032)
    assert len(sandbox.commands) == 1


async def test_guild_commands_hide_global_ones(sandbox: Sandbox, api: Api) -> None:
    guild = sandbox.world.guild.id
    await api("PUT", globally(sandbox), [command()])
    path = f"/applications/{sandbox.world.application_id}/guilds/{guild}/commands"
    _, (local,) = await api("PUT", path, [command(description="ours")])
    assert local["guild_id"] == str(guild)
    run = await sandbox.command("meow")
    assert run.interaction.payload["data"]["guild_id"] == str(guild)
    assert (await api("PUT", path.replace(str(guild), "1"), []))[1]["code"] == 10004


async def test_library_reports_the_bad_command(sandbox: Sandbox, start_bot: StartBot) -> None:
    bot = await start_bot(sandbox, sync=True)
    assert {made["name"] for made in await sandbox.wait_commands()} >= {"purr", "admin", "Pet this"}
    bot.tree.get_command("purr").description = "d" * 101  # type: ignore[union-attr]
    with pytest.raises(app_commands.CommandSyncFailure, match="purr"):
        await bot.tree.sync()
