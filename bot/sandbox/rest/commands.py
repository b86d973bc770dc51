"""Routes for application commands, global and of the guild. The rules are in `commands.py`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..errors import missing_access, unknown_guild
from .table import NOTHING, Answer, Call, Route, route

Json = dict[str, Any]
GLOBAL = "/applications/{application_id}/commands"
GUILD = "/applications/{application_id}/guilds/{guild_id}/commands"


def both(method: str, tail: str = "") -> Callable[[Route], Route]:
    """Register the same route for global commands and for those of a guild."""

    def add(run: Route) -> Route:
        route(method, GLOBAL + tail)(run)
        return route(method, GUILD + tail)(run)

    return add


def scope(call: Call) -> int | None:
    """None for global commands, else the guild's id. Raises ApiError 50001 or 10004."""
    world = call.backend.world
    if call["application_id"] != str(world.application_id):
        raise missing_access()
    guild = call.path.get("guild_id")
    if guild is None:
        return None
    if guild != str(world.guild.id):
        raise unknown_guild()
    return world.guild.id


@both("GET")
async def list_commands(call: Call) -> list[Json]:
    return call.backend.commands.all(scope(call))


@both("PUT")
async def overwrite_commands(call: Call) -> list[Json]:
    return call.backend.commands.overwrite(scope(call), call.body)


@both("POST")
async def create_command(call: Call) -> Answer:
    command, new = call.backend.commands.create(scope(call), call.body)
    return Answer(201 if new else 200, command)


@both("GET", "/{command_id}")
async def get_command(call: Call) -> Json:
    return call.backend.commands.get(scope(call), call["command_id"])


@both("PATCH", "/{command_id}")
async def edit_command(call: Call) -> Json:
    return call.backend.commands.edit(scope(call), call["command_id"], call.body)


@both("DELETE", "/{command_id}")
async def delete_command(call: Call) -> Answer:
    call.backend.commands.delete(scope(call), call["command_id"])
    return NOTHING
