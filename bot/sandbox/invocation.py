"""The data of an interaction as Discord's client would put it together, with the client's own checks.

Owns options (types, choices, ranges, what is required), resolved objects and the envelope around them.
Does not know how an interaction is answered.
"""

from __future__ import annotations

from typing import Any

from . import permissions as perm
from .commands import BOT_DM, GUILD, Commands
from .entities import Channel, User
from .errors import SandboxError
from .world import World

Json = dict[str, Any]
STRING, INTEGER, BOOLEAN, USER, CHANNEL, ROLE, MENTIONABLE, NUMBER, ATTACHMENT = range(3, 12)
NAMES = {
    3: "text",
    4: "a whole number",
    5: "true or false",
    6: "a user",
    7: "a channel",
    8: "a role",
    9: "a user or role",
    10: "a number",
    11: "a file",
}


class Options:
    """Fills in one command's options from plain values, collecting `resolved` on the way."""

    def __init__(self, world: World, channel: Channel, *, focused: str | None = None) -> None:
        self._world = world
        self._channel = channel
        self._focused = focused
        self.resolved: Json = {}

    def build(self, definition: Json, path: list[str], values: Json) -> list[Json]:
        """The options of a command, nested along `path` for sub-commands. Raises SandboxError."""
        defined = definition.get("options") or []
        if path:
            inner = next((o for o in defined if o["name"] == path[0] and o["type"] <= 2), None)
            if inner is None:
                raise SandboxError(f"{definition['name']} has no sub-command {path[0]!r}.")
            return [{"name": path[0], "type": inner["type"], "options": self.build(inner, path[1:], values)}]
        if any(option["type"] <= 2 for option in defined):
            names = [option["name"] for option in defined]
            raise SandboxError(f"{definition['name']} needs a sub-command: one of {names}.")
        unknown = set(values) - {option["name"] for option in defined}
        if unknown:
            raise SandboxError(f"{definition['name']} has no option {sorted(unknown)}.")
        return [entry for option in defined if (entry := self._fill(option, values)) is not None]

    def _fill(self, option: Json, values: Json) -> Json | None:
        name, kind = option["name"], option["type"]
        if values.get(name) is None:
            if option.get("required") and self._focused is None:
                raise SandboxError(f"The option {name} is required.")
            return None
        if name == self._focused:
            if not option.get("autocomplete"):
                raise SandboxError(f"The option {name} has no autocomplete.")
            return {"name": name, "type": kind, "value": values[name], "focused": True}
        value = self._convert(option, values[name])
        choices = [choice["value"] for choice in option.get("choices") or []]
        if choices and value not in choices:
            raise SandboxError(f"The option {name} must be one of {choices}.")
        return {"name": name, "type": kind, "value": value}

    def _convert(self, option: Json, value: Any) -> Any:
        kind, name = option["type"], option["name"]
        good = True
        if kind == STRING:
            good = isinstance(value, str)
            low, high = option.get("min_length", 0), option.get("max_length", 6000)
            if good and not low <= len(value) <= high:
                raise SandboxError(f"The option {name} must have {low} to {high} characters.")
        elif kind in (INTEGER, NUMBER):
            good = isinstance(value, int if kind == INTEGER else int | float) and not isinstance(value, bool)
            low, high = option.get("min_value", -(2**53)), option.get("max_value", 2**53)
            if good and not low <= value <= high:
                raise SandboxError(f"The option {name} must be from {low} to {high}.")
        elif kind == BOOLEAN:
            good = isinstance(value, bool)
        else:
            return self._resolve(kind, value)
        if not good:
            raise SandboxError(f"The option {name} must be {NAMES[kind]}.")
        return value

    def _resolve(self, kind: int, value: Any) -> str:
        if kind in (USER, MENTIONABLE):
            return self.add_user(self._world.actor(value))
        if kind == CHANNEL:
            return self._add_channel(self._world.place(value))
        if kind == ROLE:
            return self._add_role(value)
        identity = str(self._world.ids.next())
        url = f"https://cdn.discordapp.com/ephemeral-attachments/{identity}/{value}"
        file = {"id": identity, "filename": str(value), "size": 0, "url": url, "proxy_url": url}
        self.resolved.setdefault("attachments", {})[identity] = file
        return identity

    def add_user(self, user: User) -> str:
        self.resolved.setdefault("users", {})[str(user.id)] = user.json()
        member = self._world.guild.members.get(user.id)
        if member is not None and self._channel.guild_id is not None:
            may = str(self._world.permissions(user, self._channel))
            self.resolved.setdefault("members", {})[str(user.id)] = {**member.partial(), "permissions": may}
        return str(user.id)

    def _add_channel(self, channel: Channel) -> str:
        shown = {**channel.json(), "permissions": str(self._world.permissions(self._world.bot, channel))}
        self.resolved.setdefault("channels", {})[str(channel.id)] = shown
        return str(channel.id)

    def _add_role(self, value: Any) -> str:
        for role in self._world.guild.roles.values():
            if value in (role.id, str(role.id), role.name):
                self.resolved.setdefault("roles", {})[str(role.id)] = role.json()
                return str(role.id)
        raise SandboxError(f"There is no role {value!r}.")


def flatten(options: list[Json]) -> tuple[list[str], Json, str | None]:
    """The page's nested options as (path of sub-commands, plain values, name of the focused one)."""
    for option in options:
        if option.get("type") in (1, 2):
            path, values, focused = flatten(option.get("options") or [])
            return [option["name"], *path], values, focused
    values = {option["name"]: option.get("value") for option in options}
    return [], values, next((option["name"] for option in options if option.get("focused")), None)


def envelope(world: World, commands: Commands, command: Json | None, user: User, channel: Channel) -> Json:
    """Everything around an interaction's `data` that depends on who and where."""
    context = commands.context(channel)
    common: Json = {
        "application_id": str(world.application_id),
        "version": 1,
        "channel_id": str(channel.id),
        "context": context,
        "authorizing_integration_owners": commands.owners(command, user, channel),
        "entitlements": [],
        "locale": user.locale,
        "attachment_size_limit": 10 * 1024 * 1024,
    }
    if context != GUILD:
        common["channel"] = channel.json(world.bot.id)
        common["user"] = user.json()
        common["app_permissions"] = str(perm.IN_BOT_DM if context == BOT_DM else perm.IN_PRIVATE)
        return common
    may = str(world.permissions(user, channel))
    return {
        **common,
        "channel": {**channel.json(), "permissions": may},
        "guild_id": str(channel.guild_id),
        "guild": {"id": str(channel.guild_id), "locale": world.guild.preferred_locale, "features": []},
        "guild_locale": world.guild.preferred_locale,
        "member": {**world.guild.members[user.id].json(), "permissions": may},
        "app_permissions": str(world.permissions(world.bot, channel)),
    }
