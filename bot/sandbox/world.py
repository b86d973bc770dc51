"""The state of the loopback Discord: who exists, where they can talk, what was said.

Owns ids, the cast and the message store, and tells listeners of every change. Does not know sockets,
HTTP or interactions; nothing here waits.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from . import permissions as perm
from .entities import DM, TEXT, THREAD, Channel, Guild, Member, Role, Snowflakes, User, iso
from .errors import SandboxError, unknown_channel, unknown_message
from .messages import Message

Json = dict[str, Any]


@dataclass(frozen=True)
class Event:
    """Something that happened. `message` comes along for message events, `channel` where it has one."""

    name: str
    data: Json
    channel: Channel | None = None
    message: Message | None = None


class World:
    """The cast: bot "catbot"; member "Mika", manager "Ken", owner "Hana"; another bot and a webhook."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.clock = clock
        self.ids = Snowflakes(clock)
        self.users: dict[int, User] = {}
        self.channels: dict[int, Channel] = {}
        self.messages: dict[int, Message] = {}
        self.listeners: list[Callable[[Event], None]] = []
        self._create_cast()
        self.guild = self._create_guild()
        self._create_channels()
        # Who added the app to their account, so that it follows them into DMs with other people.
        self.user_installs: set[int] = {self.actor("member").id}
        self.presence: Json = {"status": "offline", "activities": [], "afk": False, "since": None}

    # -- the cast

    def _create_cast(self) -> None:
        self.bot = self._add_user("bot", "catbot", bot=True)
        self._add_user("member", "Mika", locale="ja")
        self._add_user("manager", "Ken")
        self._add_user("owner", "Hana", locale="ja")
        self._add_user("other-bot", "dogbot", bot=True)
        self._add_user("webhook", "Parcel Post", webhook=True)
        # The application carries its bot's id, as for every application made since 2016.
        self.application_id = self.bot.id

    def _add_user(self, key: str, name: str, *, bot: bool = False, webhook: bool = False, locale: str = "en-US") -> User:
        user = User(self.ids.next(), key, name, bot, webhook, locale)
        self.users[user.id] = user
        return user

    def _create_guild(self) -> Guild:
        guild = Guild(self.ids.next(), "Neko Cafe", self.actor("owner").id)
        everyone = Role(guild.id, "@everyone", perm.EVERYDAY, 0)
        manager = Role(self.ids.next(), "manager", perm.MANAGE_GUILD | perm.MANAGE_MESSAGES, 2, mentionable=True)
        own = Role(self.ids.next(), "catbot", perm.EVERYDAY, 1, managed=True, bot_id=self.bot.id)
        guild.roles = {role.id: role for role in (everyone, manager, own)}
        roles = {"bot": [own.id], "manager": [manager.id]}
        for user in self.users.values():
            if not user.webhook:
                guild.members[user.id] = Member(user, roles.get(user.key, []), iso(self.clock()))
        return guild

    def _create_channels(self) -> None:
        guild = self.guild.id
        general = self._add_channel("general", "general", TEXT)
        self._add_channel("nap-room", "nap-room", TEXT)
        thread = self._add_channel("thread", "sunny-spot", THREAD)
        thread.parent_id, thread.owner_id = general.id, self.actor("member").id
        silent = perm.Overwrite(self.bot.id, 1, deny=perm.SEND_MESSAGES | perm.SEND_MESSAGES_IN_THREADS)
        self._add_channel("read-only", "notice-board", TEXT).overwrites = [silent]
        unseen = [
            perm.Overwrite(guild, 0, deny=perm.VIEW_CHANNEL),
            perm.Overwrite(next(iter(self.actor_roles("manager"))), 0, allow=perm.VIEW_CHANNEL),
        ]
        self._add_channel("hidden", "staff-only", TEXT).overwrites = unseen
        self._add_dm("private", [self.actor("member"), self.actor("manager")])

    def _add_channel(self, key: str, name: str, kind: int) -> Channel:
        channel = Channel(self.ids.next(), key, name, kind, self.guild.id, position=len(self.channels))
        self.channels[channel.id] = channel
        return channel

    def _add_dm(self, key: str, people: list[User]) -> Channel:
        channel = Channel(self.ids.next(), key, key, DM, recipients=people)
        self.channels[channel.id] = channel
        return channel

    # -- looking up

    def actor(self, who: str | int | User) -> User:
        """A user by key ("member"), id or object. Raises SandboxError."""
        if isinstance(who, User):
            return who
        for user in self.users.values():
            if who in (user.key, user.id, str(user.id)):
                return user
        keys = ", ".join(user.key for user in self.users.values())
        raise SandboxError(f"There is no actor {who!r}: use one of {keys}, or a user's id.")

    def actor_roles(self, who: str | int | User) -> set[int]:
        member = self.guild.members.get(self.actor(who).id)
        return set(member.roles) if member else set()

    def dm(self, who: str | int | User) -> Channel:
        """The direct messages between the bot and a user, opened on first use."""
        user = self.actor(who)
        for channel in self.channels.values():
            if channel.private and {person.id for person in channel.recipients} == {user.id, self.bot.id}:
                return channel
        return self._add_dm("dm", [user, self.bot])

    def place(self, where: str | int | Channel, who: str | int | User = "member") -> Channel:
        """A channel by key, id or object; "dm" is `who`'s own with the bot. Raises SandboxError."""
        if isinstance(where, Channel):
            return where
        if where == "dm":
            return self.dm(who)
        for channel in self.channels.values():
            if where in (channel.id, str(channel.id)) or (where == channel.key and channel.key != "dm"):
                return channel
        keys = ", ".join(channel.key for channel in self.channels.values() if channel.key != "dm")
        raise SandboxError(f"There is no channel {where!r}: use one of {keys}, dm, or a channel's id.")

    def channel(self, channel_id: str | int) -> Channel:
        """A channel for the API. Raises ApiError 10003."""
        try:
            return self.channels[int(channel_id)]
        except (KeyError, ValueError):
            raise unknown_channel() from None

    def message(self, channel: Channel, message_id: str | int) -> Message:
        """A message of a channel for the API. Raises ApiError 10008."""
        message = self.messages.get(int(message_id)) if str(message_id).isdecimal() else None
        if message is None or message.deleted or message.channel_id != channel.id:
            raise unknown_message()
        return message

    def history(self, channel: Channel, viewer: int | None = None) -> list[Message]:
        """What a viewer sees in a channel, oldest first; None sees no ephemeral message."""
        return [
            message
            for message in self.messages.values()
            if message.channel_id == channel.id
            and not message.deleted
            and (message.only_for is None or message.only_for == viewer)
        ]

    def permissions(self, user: User, channel: Channel) -> int:
        """What a user may do in a channel, as a bit set; threads follow their parent."""
        if channel.private:
            return perm.EVERYDAY if user.id in {person.id for person in channel.recipients} else 0
        member = self.guild.members.get(user.id)
        if member is None:
            return 0
        if user.id == self.guild.owner_id:
            return perm.ALL
        base = self.guild.roles[self.guild.id].permissions
        for role in member.roles:
            base |= self.guild.roles[role].permissions
        if base & perm.ADMINISTRATOR:
            return perm.ALL
        home = channel if channel.parent_id is None else self.channels[channel.parent_id]
        return perm.apply_overwrites(base, home.overwrites, self.guild.id, set(member.roles), user.id)

    # -- changing

    def emit(self, name: str, data: Json, channel: Channel | None = None, message: Message | None = None) -> None:
        for listener in list(self.listeners):
            listener(Event(name, data, channel, message))

    def add_message(self, message: Message) -> Message:
        channel = self.channels[message.channel_id]
        self.messages[message.id] = message
        if message.only_for is None:
            channel.last_message_id = message.id
        self.emit("MESSAGE_CREATE", message.data, channel, message)
        return message

    def update_message(self, message: Message) -> None:
        self.emit("MESSAGE_UPDATE", message.data, self.channels[message.channel_id], message)

    def delete_message(self, message: Message) -> None:
        message.deleted = True
        data = {"id": str(message.id), "channel_id": str(message.channel_id)}
        if message.guild_id is not None and message.only_for is None:
            data["guild_id"] = str(message.guild_id)
        self.emit("MESSAGE_DELETE", data, self.channels[message.channel_id], message)
