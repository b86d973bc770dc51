"""Turns what somebody wants to say into a stored message, with all that Discord checks and adds.

Owns the validation of a message's fields, replies, nonces, attachments and mentions. Does not know the
routes that call it, nor who may speak where.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from . import permissions as perm
from .entities import Channel, User, iso
from .errors import empty_message, invalid_form
from .messages import EPHEMERAL, LOADING, AllowedMentions, Message, find_mentions
from .world import World

Json = dict[str, Any]
NONCE_SECONDS = 300.0  # Discord says "the past few minutes"
SETTABLE_FLAGS = 1 << 2 | 1 << 12 | 1 << 15  # SUPPRESS_EMBEDS, SUPPRESS_NOTIFICATIONS, IS_COMPONENTS_V2
DEFAULT, REPLY, CHAT_INPUT_COMMAND, CONTEXT_MENU_COMMAND = 0, 19, 20, 23


@dataclass
class Draft:
    """A message on its way: the request's JSON `body`, the names and sizes of its uploaded `files`."""

    channel: Channel
    author: User
    body: Json
    files: list[Json] = field(default_factory=list)
    type: int = DEFAULT
    flags: int = 0
    only_for: int | None = None
    extra: Json = field(default_factory=dict)


class Speech:
    """Creates and edits messages in a world; remembers recent nonces."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._nonces: dict[tuple[int, str], tuple[float, Message]] = {}

    def create(self, draft: Draft) -> Message:
        """Store and announce a message. Raises ApiError 50006 or 50035."""
        # People with Nitro may write twice as much as everybody else, bots included.
        check_fields(draft.body, longest=2000 if draft.author.bot else 4000)
        repeated = self._same_nonce(draft)
        if repeated is not None:
            return repeated
        loading = bool(draft.flags & LOADING)
        if not loading and is_empty(draft.body, draft.files):
            raise empty_message()
        message = self._build(draft)
        nonce = draft.body.get("nonce")
        if nonce is not None:
            self._nonces[draft.author.id, str(nonce)] = (self._world.clock(), message)
        return self._world.add_message(message)

    def edit(self, message: Message, body: Json, files: list[Json] | None = None, *, finish: bool = False) -> Message:
        """Change a message in place and announce it; `finish` ends a "thinking" one. Raises ApiError."""
        check_fields(body)
        after = {**message.data, **{key: value for key, value in body.items() if value is not None}}
        after["content"] = message.content if "content" not in body else (body["content"] or "").strip()
        if "attachments" in body or files:
            after["attachments"] = kept_attachments(message, body) + self._attachments(files or [])
        if is_empty(after, []):
            raise empty_message()
        for key in ("content", "embeds", "components", "attachments"):
            message.data[key] = after[key]
        if "flags" in body and body["flags"] is not None:
            message.data["flags"] = message.flags & ~SETTABLE_FLAGS | body["flags"] & SETTABLE_FLAGS
        if finish:
            message.data["flags"] = message.flags & ~LOADING
        else:
            message.data["edited_timestamp"] = iso(self._world.clock())
        self._mention(message, body, notify=finish)
        self._world.update_message(message)
        return message

    def _same_nonce(self, draft: Draft) -> Message | None:
        nonce = draft.body.get("nonce")
        if nonce is None or not draft.body.get("enforce_nonce"):
            return None
        when, message = self._nonces.get((draft.author.id, str(nonce)), (float("-inf"), None))
        return message if self._world.clock() - when < NONCE_SECONDS else None

    def _build(self, draft: Draft) -> Message:
        world, body = self._world, draft.body
        reference, referenced = self._reference(draft)
        identity = world.ids.next()
        data: Json = {
            "id": str(identity),
            "channel_id": str(draft.channel.id),
            "type": REPLY if reference and draft.type == DEFAULT else draft.type,
            "author": draft.author.json(),
            "content": (body.get("content") or "").strip(),
            "timestamp": iso(world.clock()),
            "edited_timestamp": None,
            "tts": bool(body.get("tts")),
            "mention_everyone": False,
            "mentions": [],
            "mention_roles": [],
            "attachments": self._attachments(draft.files),
            "embeds": [{"type": "rich", **embed} for embed in body.get("embeds") or []],
            "components": body.get("components") or [],
            "pinned": False,
            "flags": draft.flags | (body.get("flags") or 0) & SETTABLE_FLAGS,
            **self._origin(draft),
            **draft.extra,
        }
        if body.get("nonce") is not None:
            data["nonce"] = body["nonce"]
        if body.get("sticker_ids"):
            data["sticker_items"] = [{"id": str(i), "name": str(i), "format_type": 1} for i in body["sticker_ids"]]
        if reference:
            data["message_reference"] = reference
            data["referenced_message"] = None if referenced is None else bare(referenced.data)
        message = Message(data, draft.channel.id, draft.channel.guild_id, only_for=draft.only_for)
        self._mention(message, body, notify=not draft.flags & LOADING)
        return message

    def _origin(self, draft: Draft) -> Json:
        """The fields that say where a message comes from. Ephemeral ones carry no guild, as documented."""
        origin: Json = {}
        if draft.author.webhook:
            origin["webhook_id"] = str(draft.author.id)
        if draft.channel.guild_id is None or draft.flags & EPHEMERAL:
            return origin
        origin["guild_id"] = str(draft.channel.guild_id)
        member = self._world.guild.members.get(draft.author.id)
        if member is not None:
            origin["member"] = member.partial()
        return origin

    def _reference(self, draft: Draft) -> tuple[Json | None, Message | None]:
        wanted = draft.body.get("message_reference")
        if not wanted or not wanted.get("message_id"):
            return None, None
        target = self._world.messages.get(int(wanted["message_id"]))
        known = target is not None and not target.deleted and target.channel_id == draft.channel.id
        if not known or target is None:
            if wanted.get("fail_if_not_exists", True):
                code, text = "MESSAGE_REFERENCE_UNKNOWN_MESSAGE", "Unknown message"
                raise invalid_form("message_reference", code=code, message=text)
            return None, None
        reference = {"type": 0, "message_id": str(target.id), "channel_id": str(target.channel_id)}
        if target.guild_id is not None:
            reference["guild_id"] = str(target.guild_id)
        return reference, target

    def _attachments(self, files: list[Json]) -> list[Json]:
        return [self._attachment(file) for file in files]

    def _attachment(self, file: Json) -> Json:
        identity = self._world.ids.next()
        url = f"https://cdn.discordapp.com/attachments/{identity}/{file['filename']}"
        known = {"id": str(identity), "url": url, "proxy_url": url, "size": 0, "flags": 0}
        return {**known, "content_type": "application/octet-stream", **file}

    def _mention(self, message: Message, body: Json, *, notify: bool) -> None:
        """Fill in `mentions`, `mention_roles`, `mention_everyone`, and `pinged` if this is news to people."""
        world, data = self._world, message.data
        allowed = AllowedMentions.parse(body.get("allowed_mentions"))
        channel = world.channels[message.channel_id]
        author = world.users[message.author_id]
        found = find_mentions(message.content, allowed)
        mass = author.webhook or bool(world.permissions(author, channel) & perm.MENTION_EVERYONE)
        users = [user for user in found.users if user in world.users]
        replied = data.get("referenced_message")
        replied_id = int(replied["author"]["id"]) if replied else author.id
        if allowed.replied_user and replied_id not in (author.id, *users):
            users.append(replied_id)
        roles = [world.guild.roles[role] for role in found.roles if role in world.guild.roles]
        data["mention_roles"] = [str(role.id) for role in roles if role.mentionable or mass]
        data["mention_everyone"] = found.everyone and mass
        data["mentions"] = [self._mentioned(user, message) for user in users if user in world.users]
        if notify and message.only_for is None:
            message.pinged = self._pinged(message)

    def _mentioned(self, user_id: int, message: Message) -> Json:
        shown = self._world.users[user_id].json()
        member = self._world.guild.members.get(user_id)
        if member is not None and "guild_id" in message.data:
            shown["member"] = member.partial()
        return shown

    def _pinged(self, message: Message) -> set[int | str]:
        data = message.data
        pinged: set[int | str] = {int(user["id"]) for user in data["mentions"]}
        for member in self._world.guild.members.values():
            if {str(role) for role in member.roles} & set(data["mention_roles"]):
                pinged.add(member.user.id)
        if data["mention_everyone"]:
            pinged.add("everyone")
        return pinged - {message.author_id}


def bare(data: Json) -> Json:
    """A message as it appears inside another: one level deep only."""
    return {key: value for key, value in data.items() if key != "referenced_message"}


def kept_attachments(message: Message, body: Json) -> list[Json]:
    wanted = {str(entry.get("id")) for entry in body.get("attachments") or []}
    if "attachments" not in body:
        return list(message.data["attachments"])
    return [entry for entry in message.data["attachments"] if entry["id"] in wanted]


def is_empty(body: Json, files: list[Json]) -> bool:
    said = (body.get("content") or "").strip()
    parts = (
        "embeds",
        "components",
        "sticker_ids",
        "sticker_items",
        "attachments",
        "poll",
        "message_snapshots",
    )
    return not (said or files or any(body.get(part) for part in parts))


def check_fields(body: Json, *, longest: int = 2000) -> None:
    """The form checks of a message of at most `longest` characters. Raises ApiError 50035."""
    content = body.get("content")
    if content is not None and not isinstance(content, str):
        raise invalid_form("content", code="BASE_TYPE_BAD_TYPE", message="Could not interpret as string.")
    limits = (
        ("content", content or "", longest),
        ("embeds", body.get("embeds") or [], 10),
        ("sticker_ids", body.get("sticker_ids") or [], 3),
        ("nonce", str(body.get("nonce") or ""), 25),
    )
    for name, value, limit in limits:
        if len(value) > limit:
            text = f"Must be {limit} or fewer in length."
            raise invalid_form(name, code="BASE_TYPE_MAX_LENGTH", message=text)
    for index, embed in enumerate(body.get("embeds") or []):
        for name, limit in (("title", 256), ("description", 4096)):
            if len(embed.get(name) or "") > limit:
                text = f"Must be {limit} or fewer in length."
                raise invalid_form("embeds", index, name, code="BASE_TYPE_MAX_LENGTH", message=text)
    AllowedMentions.parse(body.get("allowed_mentions"))
