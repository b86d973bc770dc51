"""Users, roles, members, channels and guilds, each with the object that Discord documents for it.

Owns field names and shapes. Does not know who exists (that is `world.py`) nor what anybody says.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from .permissions import Overwrite

Json = dict[str, Any]
DISCORD_EPOCH_MS = 1_420_070_400_000
TEXT, DM, THREAD = 0, 1, 11


class Snowflakes:
    """Ids that carry their time and never repeat or go back, as Discord's do."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._last = 0

    def next(self) -> int:
        now = (int(self._clock() * 1000) - DISCORD_EPOCH_MS) << 22
        self._last = max(now, self._last + 1)
        return self._last


def iso(seconds: float) -> str:
    """An ISO 8601 timestamp with microseconds and offset, as Discord writes it."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds")


@dataclass
class User:
    id: int
    key: str
    username: str
    bot: bool = False
    webhook: bool = False
    locale: str = "en-US"
    accepts_dms: bool = True

    def json(self) -> Json:
        return {
            "id": str(self.id),
            "username": self.username,
            "global_name": None if self.bot or self.webhook else self.username,
            "discriminator": "0000" if self.webhook else "0042" if self.bot else "0",
            "avatar": None,
            "avatar_decoration_data": None,
            "banner": None,
            "bot": self.bot or self.webhook,
            "system": False,
            "public_flags": 0,
        }


@dataclass
class Role:
    id: int
    name: str
    permissions: int
    position: int
    mentionable: bool = False
    managed: bool = False
    bot_id: int | None = None

    def json(self) -> Json:
        data: Json = {
            "id": str(self.id),
            "name": self.name,
            "description": None,
            "color": 0,
            "colors": {"primary_color": 0, "secondary_color": None, "tertiary_color": None},
            "hoist": False,
            "icon": None,
            "unicode_emoji": None,
            "position": self.position,
            "permissions": str(self.permissions),
            "managed": self.managed,
            "mentionable": self.mentionable,
            "flags": 0,
        }
        if self.bot_id is not None:
            data["tags"] = {"bot_id": str(self.bot_id)}
        return data


@dataclass
class Member:
    user: User
    roles: list[int]
    joined_at: str
    nick: str | None = None

    def partial(self) -> Json:
        """The member without its user, as messages and mentions carry it."""
        return {
            "roles": [str(role) for role in self.roles],
            "joined_at": self.joined_at,
            "nick": self.nick,
            "premium_since": None,
            "avatar": None,
            "banner": None,
            "deaf": False,
            "mute": False,
            "pending": False,
            "flags": 0,
            "communication_disabled_until": None,
        }

    def json(self) -> Json:
        return {**self.partial(), "user": self.user.json()}


@dataclass
class Channel:
    id: int
    key: str
    name: str
    type: int
    guild_id: int | None = None
    parent_id: int | None = None
    recipients: list[User] = field(default_factory=list)
    overwrites: list[Overwrite] = field(default_factory=list)
    position: int = 0
    owner_id: int | None = None
    last_message_id: int | None = None

    @property
    def private(self) -> bool:
        return self.type == DM

    def json(self, viewer: int | None = None) -> Json:
        """The channel object; for a DM, `viewer` is left out of the recipients as Discord does."""
        last = None if self.last_message_id is None else str(self.last_message_id)
        data: Json = {"id": str(self.id), "type": self.type, "last_message_id": last, "flags": 0}
        if self.private:
            data["recipients"] = [user.json() for user in self.recipients if user.id != viewer]
            return data
        data.update(guild_id=str(self.guild_id), name=self.name, rate_limit_per_user=0)
        data["parent_id"] = None if self.parent_id is None else str(self.parent_id)
        data.update(self._thread_fields() if self.type == THREAD else self._text_fields())
        return data

    def _text_fields(self) -> Json:
        return {
            "position": self.position,
            "topic": None,
            "nsfw": False,
            "permission_overwrites": [
                {"id": str(rule.target), "type": rule.kind, "allow": str(rule.allow), "deny": str(rule.deny)}
                for rule in self.overwrites
            ],
        }

    def _thread_fields(self) -> Json:
        return {
            "owner_id": str(self.owner_id),
            "message_count": 0,
            "member_count": 2,
            "total_message_sent": 0,
            "thread_metadata": {
                "archived": False,
                "auto_archive_duration": 1440,
                "archive_timestamp": "2024-01-01T00:00:00.000000+00:00",
                "locked": False,
            },
        }


@dataclass
class Guild:
    id: int
    name: str
    owner_id: int
    roles: dict[int, Role] = field(default_factory=dict)
    members: dict[int, Member] = field(default_factory=dict)
    preferred_locale: str = "ja"

    def json(self) -> Json:
        return {
            "id": str(self.id),
            "name": self.name,
            "owner_id": str(self.owner_id),
            "roles": [role.json() for role in self.roles.values()],
            "preferred_locale": self.preferred_locale,
            "emojis": [],
            "stickers": [],
            "features": [],
            **GUILD_DEFAULTS,
        }


GUILD_DEFAULTS: Json = {
    "icon": None,
    "splash": None,
    "discovery_splash": None,
    "banner": None,
    "description": None,
    "vanity_url_code": None,
    "application_id": None,
    "afk_channel_id": None,
    "afk_timeout": 300,
    "system_channel_id": None,
    "system_channel_flags": 0,
    "rules_channel_id": None,
    "public_updates_channel_id": None,
    "safety_alerts_channel_id": None,
    "verification_level": 0,
    "default_message_notifications": 0,
    "explicit_content_filter": 0,
    "mfa_level": 0,
    "nsfw_level": 0,
    "premium_tier": 0,
    "premium_subscription_count": 0,
    "premium_progress_bar_enabled": False,
    "max_members": 250_000,
    "max_video_channel_users": 25,
    "incidents_data": None,
}
