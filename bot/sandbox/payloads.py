"""The data of gateway events, cut to what a session's intents and permissions let it see.

Owns READY, GUILD_CREATE, GUILD_MEMBERS_CHUNK and the filter for everything else. Does not know sockets.
"""

from __future__ import annotations

from typing import Any

from . import intents
from . import permissions as perm
from .entities import THREAD
from .messages import readable_by_bot
from .session import Session
from .world import Event, World

Json = dict[str, Any]
LIMITED_FLAGS = {  # application flags that say which privileged intents a small bot has switched on
    intents.GUILD_PRESENCES: 1 << 13,
    intents.GUILD_MEMBERS: 1 << 15,
    intents.MESSAGE_CONTENT: 1 << 19,
}


def application_flags(granted: int) -> int:
    return sum(flag for intent, flag in LIMITED_FLAGS.items() if granted & intent)


def ready(world: World, session: Session, url: str, granted: int) -> Json:
    mine = session.owns(world.guild.id)
    return {
        "v": 10,
        "user": {**world.bot.json(), "verified": True, "mfa_enabled": True, "email": None, "flags": 0},
        "guilds": [{"id": str(world.guild.id), "unavailable": True}] if mine else [],
        "session_id": session.id,
        "session_type": "normal",
        "resume_gateway_url": url,
        "shard": list(session.shard),
        "application": {"id": str(world.application_id), "flags": application_flags(granted)},
        "private_channels": [],
        "relationships": [],
        "presences": [],
        "user_settings": {},
        "_trace": ["sandbox"],
    }


def guild_create(world: World, wants: int) -> Json:
    """The guild as it becomes available: only channels that the bot sees, and without the presence
    intent only the bot among the members, as documented."""
    guild = world.guild
    seen = [c for c in world.channels.values() if c.guild_id == guild.id and visible(world, c.id)]
    members = guild.members.values() if wants & intents.GUILD_PRESENCES else [guild.members[world.bot.id]]
    return {
        **guild.json(),
        "joined_at": guild.members[world.bot.id].joined_at,
        "large": False,
        "unavailable": False,
        "member_count": len(guild.members),
        "members": [member.json() for member in members],
        "channels": [channel.json() for channel in seen if channel.type != THREAD],
        "threads": [channel.json() for channel in seen if channel.type == THREAD],
        "voice_states": [],
        "presences": [],
        "stage_instances": [],
        "guild_scheduled_events": [],
        "soundboard_sounds": [],
    }


def members_chunk(world: World, wants: int, request: Json) -> Json:
    """The answer to op 8: by ids, or by the start of a name; the whole list needs its intent."""
    members = list(world.guild.members.values())
    ids = request.get("user_ids") or []
    ids = [str(value) for value in (ids if isinstance(ids, list) else [ids])]
    found = [member for member in members if str(member.user.id) in ids]
    query = request.get("query")
    if not ids and query is not None:
        found = [member for member in members if member.user.username.lower().startswith(query.lower())]
        if not query and not wants & intents.GUILD_MEMBERS:
            found = [member for member in found if member.user.id == world.bot.id]
    limit = int(request.get("limit") or 0) or len(found)
    known = {str(member.user.id) for member in found}
    data: Json = {
        "guild_id": str(world.guild.id),
        "members": [member.json() for member in found[:limit]],
        "chunk_index": 0,
        "chunk_count": 1,
        "not_found": [value for value in ids if value not in known],
    }
    if request.get("presences") and wants & intents.GUILD_PRESENCES:
        data["presences"] = []
    if request.get("nonce"):
        data["nonce"] = request["nonce"]
    return data


def visible(world: World, channel_id: int) -> bool:
    return bool(world.permissions(world.bot, world.channels[channel_id]) & perm.VIEW_CHANNEL)


def for_session(world: World, session: Session, event: Event) -> Json | None:
    """The event's data for one session; None if it does not get it."""
    guild = event.data.get("guild_id")
    if not session.owns(None if guild is None else int(guild)):
        return None
    if not intents.wanted(event.name, guild is not None, session.intents):
        return None
    if event.name != "INTERACTION_CREATE" and event.channel and not visible(world, event.channel.id):
        return None
    if event.name in ("MESSAGE_CREATE", "MESSAGE_UPDATE"):
        return readable_by_bot(event.data, world.bot.id, bool(session.intents & intents.MESSAGE_CONTENT))
    return event.data


def typing_start(world: World, user_id: int, channel_id: int) -> Json:
    channel = world.channels[channel_id]
    data: Json = {"channel_id": str(channel_id), "user_id": str(user_id), "timestamp": int(world.clock())}
    if channel.guild_id is not None:
        data["guild_id"] = str(channel.guild_id)
        data["member"] = world.guild.members[user_id].json()
    return data
