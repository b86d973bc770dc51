"""Routes that read channels, guilds, members and roles. Owns no rule but who may look."""

from __future__ import annotations

from typing import Any

from .. import permissions as perm
from ..entities import THREAD, Channel, Guild
from ..errors import missing_access, unknown_guild, unknown_member
from .table import Call, route

Json = dict[str, Any]


def seen_channel(call: Call) -> Channel:
    """The channel of the path, if the bot sees it. Raises ApiError 10003 or 50001."""
    world = call.backend.world
    channel = world.channel(call["channel_id"])
    if not world.permissions(world.bot, channel) & perm.VIEW_CHANNEL:
        raise missing_access()
    return channel


def own_guild(call: Call) -> Guild:
    guild = call.backend.world.guild
    if call["guild_id"] != str(guild.id):
        raise unknown_guild()
    return guild


@route("GET", "/channels/{channel_id}")
async def get_channel(call: Call) -> Json:
    return seen_channel(call).json(call.backend.world.bot.id)


@route("GET", "/users/@me/guilds")
async def list_own_guilds(call: Call) -> list[Json]:
    guild = call.backend.world.guild
    return [
        {
            "id": str(guild.id),
            "name": guild.name,
            "icon": None,
            "owner": False,
            "permissions": "0",
            "features": [],
        }
    ]


@route("GET", "/guilds/{guild_id}")
async def get_guild(call: Call) -> Json:
    return own_guild(call).json()


@route("GET", "/guilds/{guild_id}/channels")
async def list_channels(call: Call) -> list[Json]:
    guild = own_guild(call)
    channels = call.backend.world.channels.values()
    return [c.json() for c in channels if c.guild_id == guild.id and c.type != THREAD]


@route("GET", "/guilds/{guild_id}/roles")
async def list_roles(call: Call) -> list[Json]:
    return [role.json() for role in own_guild(call).roles.values()]


@route("GET", "/guilds/{guild_id}/members/{user_id}")
async def get_member(call: Call) -> Json:
    guild = own_guild(call)
    wanted = int(call["user_id"]) if call["user_id"].isdecimal() else 0
    if wanted not in guild.members:
        raise unknown_member()
    return guild.members[wanted].json()
