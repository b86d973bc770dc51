"""A stored message, who it pinged, and what of it a bot may read.

Owns Discord's rules for mentions (content, `allowed_mentions`, replies) and for the message-content
intent. Does not know where messages are kept nor how they travel.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from .errors import invalid_form

Json = dict[str, Any]
EPHEMERAL, LOADING, SUPPRESS_EMBEDS = 64, 128, 4
CODE_SPAN = re.compile(r"```.*?```|``.*?``|`[^`\n]*`", re.DOTALL)
NO_CONTENT: Json = {"content": "", "embeds": [], "attachments": [], "components": []}


@dataclass
class Message:
    """Discord's message object (`data`) with what only the sandbox knows about it.

    `pinged` holds the ids of the users who were notified, and "everyone" if all were.
    `only_for` is the id of the addressee of an ephemeral message.
    """

    data: Json
    channel_id: int
    guild_id: int | None
    pinged: set[int | str] = field(default_factory=set)
    only_for: int | None = None
    deleted: bool = False
    reactors: dict[str, list[int]] = field(default_factory=dict)

    @property
    def id(self) -> int:
        return int(self.data["id"])

    @property
    def author_id(self) -> int:
        return int(self.data["author"]["id"])

    @property
    def content(self) -> str:
        return str(self.data["content"])

    @property
    def flags(self) -> int:
        return int(self.data["flags"])

    @property
    def ephemeral(self) -> bool:
        return bool(self.flags & EPHEMERAL)

    @property
    def thinking(self) -> bool:
        return bool(self.flags & LOADING)

    @property
    def reply_to(self) -> int | None:
        """The id of the message that this one answers, if it is a reply."""
        reference = self.data.get("message_reference")
        return int(reference["message_id"]) if reference else None


@dataclass(frozen=True)
class AllowedMentions:
    """What a sender lets through: None means all of that kind, a set only those ids."""

    everyone: bool = True
    users: frozenset[int] | None = None
    roles: frozenset[int] | None = None
    replied_user: bool = True

    @classmethod
    def parse(cls, raw: Json | None) -> AllowedMentions:
        """Read the field of a request. Absent means that everything pings. Raises ApiError 50035."""
        if raw is None:
            return cls()
        kinds = raw.get("parse") or []
        for index, kind in enumerate(kinds):
            if kind not in ("users", "roles", "everyone"):
                choices = "Value must be one of {'users', 'everyone', 'roles'}."
                raise invalid_form("allowed_mentions", "parse", index, code="BASE_TYPE_CHOICES", message=choices)
        return cls(
            everyone="everyone" in kinds,
            users=_permitted("users", kinds, raw),
            roles=_permitted("roles", kinds, raw),
            replied_user=bool(raw.get("replied_user", False)),
        )


def _permitted(kind: str, kinds: list[str], raw: Json) -> frozenset[int] | None:
    ids = frozenset(int(value) for value in raw.get(kind) or [])
    if kind in kinds and ids:
        message = f'parse:["{kind}"] and {kind}: [ids...] are mutually exclusive.'
        raise invalid_form("allowed_mentions", code="MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE", message=message)
    if len(ids) > 100:
        raise invalid_form("allowed_mentions", kind, code="BASE_TYPE_MAX_LENGTH", message="Must be 100 or fewer in length.")
    return None if kind in kinds else ids


@dataclass(frozen=True)
class Mentions:
    users: tuple[int, ...] = ()
    roles: tuple[int, ...] = ()
    everyone: bool = False


def find_mentions(content: str, allowed: AllowedMentions) -> Mentions:
    """The mentions that a content makes once `allowed` is applied; those in code spans are text."""
    text = CODE_SPAN.sub("", content)
    users = dict.fromkeys(int(match) for match in re.findall(r"<@!?(\d+)>", text))
    roles = dict.fromkeys(int(match) for match in re.findall(r"<@&(\d+)>", text))
    return Mentions(
        users=tuple(user for user in users if allowed.users is None or user in allowed.users),
        roles=tuple(role for role in roles if allowed.roles is None or role in allowed.roles),
        everyone=allowed.everyone and re.search(r"@(everyone|here)\b", text) is not None,
    )


def readable_by_bot(data: Json, bot_id: int, granted: bool) -> Json:
    """The message as the bot gets it: emptied of content unless Discord's documentation lets it through.

    Content comes along with the intent, in DMs, in the bot's own messages and where it is mentioned.
    """
    shown = dict(data)
    if isinstance(data.get("referenced_message"), dict):
        shown["referenced_message"] = readable_by_bot(data["referenced_message"], bot_id, granted)
    mine = data["author"]["id"] == str(bot_id)
    mentioned = any(user["id"] == str(bot_id) for user in data["mentions"])
    if not (granted or mine or mentioned or "guild_id" not in data):
        shown.update(NO_CONTENT)
        shown.pop("poll", None)
    return shown
