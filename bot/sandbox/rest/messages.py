"""Routes for messages, reactions and typing in channels.

Owns who may do what where. Does not know how a message is checked and built: that is `speech.py`.
"""

from __future__ import annotations

from typing import Any

from .. import permissions as perm
from ..entities import THREAD, Channel
from ..errors import ApiError, cannot_dm, invalid_form, missing_permissions, not_the_author, unknown_emoji
from ..messages import LOADING, Message, readable_by_bot
from ..payloads import typing_start
from ..speech import Draft
from .guilds import seen_channel
from .table import NOTHING, Answer, Call, route

Json = dict[str, Any]


def shown(call: Call, message: Message) -> Json:
    """The message as the bot may read it, with its reactions."""
    world = call.backend.world
    from_intent = bool(call.backend.granted & 1 << 15)
    data = readable_by_bot(message.data, world.bot.id, from_intent)
    data.pop("guild_id", None)
    data.pop("member", None)
    return data


def require(call: Call, channel: Channel, bit: int) -> None:
    world = call.backend.world
    if not channel.private and not world.permissions(world.bot, channel) & bit:
        raise missing_permissions()


def speaking_channel(call: Call) -> Channel:
    """The channel of the path, if the bot may write there. Raises ApiError."""
    channel = seen_channel(call)
    require(call, channel, perm.SEND_MESSAGES_IN_THREADS if channel.type == THREAD else perm.SEND_MESSAGES)
    others = [user for user in channel.recipients if user.id != call.backend.world.bot.id]
    if channel.private and not all(user.accepts_dms for user in others):
        raise cannot_dm()
    return channel


def form(call: Call) -> Json:
    if not isinstance(call.body, dict):
        raise ApiError(400, 50035, "Invalid Form Body")
    return call.body


@route("POST", "/channels/{channel_id}/messages")
async def create_message(call: Call) -> Json:
    channel, body = speaking_channel(call), form(call)
    if body.get("message_reference") or call.files:
        require(call, channel, perm.READ_MESSAGE_HISTORY)
    message = call.backend.speech.create(Draft(channel, call.backend.world.bot, body, call.files))
    return shown(call, message)


@route("GET", "/channels/{channel_id}/messages")
async def list_messages(call: Call) -> list[Json]:
    channel = seen_channel(call)
    limit = call.query.get("limit", "50")
    if not limit.isdecimal() or not 1 <= int(limit) <= 100:
        raise invalid_form("limit", code="NUMBER_TYPE_MAX", message="int value should be between 1 and 100.")
    found = call.backend.world.history(channel)
    if "before" in call.query:
        found = [message for message in found if message.id < int(call.query["before"])]
    if "after" in call.query:
        found = [message for message in found if message.id > int(call.query["after"])][: int(limit)]
    if "around" in call.query:
        found.sort(key=lambda message: abs(message.id - int(call.query["around"])))
        found = sorted(found[: int(limit)], key=lambda message: message.id)
    return [shown(call, message) for message in reversed(found[-int(limit) :])]


@route("GET", "/channels/{channel_id}/messages/{message_id}")
async def get_message(call: Call) -> Json:
    channel = seen_channel(call)
    require(call, channel, perm.READ_MESSAGE_HISTORY)
    return shown(call, call.backend.world.message(channel, call["message_id"]))


@route("PATCH", "/channels/{channel_id}/messages/{message_id}")
async def edit_message(call: Call) -> Json:
    world = call.backend.world
    message = world.message(seen_channel(call), call["message_id"])
    if message.author_id != world.bot.id:
        raise not_the_author()
    if message.flags & LOADING:
        raise missing_permissions()
    return shown(call, call.backend.speech.edit(message, form(call), call.files))


@route("DELETE", "/channels/{channel_id}/messages/{message_id}")
async def delete_message(call: Call) -> Answer:
    world = call.backend.world
    channel = seen_channel(call)
    message = world.message(channel, call["message_id"])
    if message.author_id != world.bot.id:
        if channel.private:
            raise ApiError(403, 50003, "Cannot execute action on a DM channel")
        require(call, channel, perm.MANAGE_MESSAGES)
    world.delete_message(message)
    return NOTHING


@route("POST", "/channels/{channel_id}/typing")
async def start_typing(call: Call) -> Answer:
    world, channel = call.backend.world, speaking_channel(call)
    world.emit("TYPING_START", typing_start(world, world.bot.id, channel.id), channel)
    return NOTHING


def reaction(call: Call, name: str, message: Message, channel: Channel) -> None:
    """Announce a reaction that was put or taken, and refresh the message's counts."""
    world, emoji = call.backend.world, call["emoji"]
    message.data["reactions"] = [
        {
            "emoji": {"id": None, "name": key},
            "count": len(users),
            "count_details": {"burst": 0, "normal": len(users)},
            "me": world.bot.id in users,
            "me_burst": False,
            "burst_colors": [],
        }
        for key, users in message.reactors.items()
        if users
    ]
    data: Json = {
        "user_id": str(world.bot.id),
        "channel_id": str(channel.id),
        "message_id": str(message.id),
        "message_author_id": str(message.author_id),
        "emoji": {"id": None, "name": emoji},
        "burst": False,
        "type": 0,
    }
    if channel.guild_id is not None:
        data["guild_id"] = str(channel.guild_id)
        data["member"] = world.guild.members[world.bot.id].json()
    world.emit(name, data, channel, message)


@route("PUT", "/channels/{channel_id}/messages/{message_id}/reactions/{emoji}/@me")
async def add_reaction(call: Call) -> Answer:
    channel = seen_channel(call)
    message = call.backend.world.message(channel, call["message_id"])
    require(call, channel, perm.ADD_REACTIONS)
    if call["emoji"].isascii():
        raise unknown_emoji()
    users = message.reactors.setdefault(call["emoji"], [])
    if call.backend.world.bot.id not in users:
        users.append(call.backend.world.bot.id)
        reaction(call, "MESSAGE_REACTION_ADD", message, channel)
    return NOTHING


@route("DELETE", "/channels/{channel_id}/messages/{message_id}/reactions/{emoji}/@me")
async def remove_reaction(call: Call) -> Answer:
    channel = seen_channel(call)
    message = call.backend.world.message(channel, call["message_id"])
    users = message.reactors.get(call["emoji"], [])
    if call.backend.world.bot.id in users:
        users.remove(call.backend.world.bot.id)
        reaction(call, "MESSAGE_REACTION_REMOVE", message, channel)
    return NOTHING
