"""The application commands that the bot has registered, globally and in the guild.

Owns their storage and who may use which where. Does not validate definitions (`command_rules.py`) nor
run anything (`invocation.py`).
"""

from __future__ import annotations

from typing import Any

from . import permissions as perm
from .command_rules import CHAT_INPUT, check_command
from .entities import Channel, User
from .errors import ApiError, SandboxError, invalid_form, unknown_command
from .world import World

Json = dict[str, Any]
GUILD, BOT_DM, PRIVATE_CHANNEL = 0, 1, 2
LIMITS = {1: 100, 2: 15, 3: 15}  # commands of each type in a scope


class Commands:
    """Commands by scope (None is global, else the guild's id)."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._scopes: dict[int | None, dict[int, Json]] = {}
        self.writes = 0  # how often the bot wrote commands: a bot that syncs on every start shows here

    def all(self, scope: int | None) -> list[Json]:
        return [*self._scopes.get(scope, {}).values()]

    def get(self, scope: int | None, command_id: str) -> Json:
        for command in self.all(scope):
            if command["id"] == command_id:
                return command
        raise unknown_command()

    def overwrite(self, scope: int | None, bodies: Any) -> list[Json]:
        """Replace all commands of a scope at once. Raises ApiError 50035 or 30032."""
        if not isinstance(bodies, list):
            raise ApiError(400, 50035, "Invalid Form Body")
        seen: set[tuple[int, str]] = set()
        for index, body in enumerate(bodies):
            check_command(body, (index,))
            key = (body.get("type") or CHAT_INPUT, body["name"])
            if key in seen:
                code = "APPLICATION_COMMANDS_DUPLICATE_NAME"
                raise invalid_form(index, code=code, message="Application command names must be unique")
            seen.add(key)
        self._check_limits([kind for kind, _ in seen])
        made = [self._define(scope, body) for body in bodies]
        self._scopes[scope] = {int(command["id"]): command for command in made}
        self._changed()
        return made

    def create(self, scope: int | None, body: Any) -> tuple[Json, bool]:
        """Create a command, or overwrite the one of that name; True if it is new. Raises ApiError."""
        check_command(body)
        known = self._same_name(scope, body)
        if known is None:
            self._check_limits([command["type"] for command in self.all(scope)] + [body.get("type") or 1])
        command = self._define(scope, body)
        self._scopes.setdefault(scope, {})[int(command["id"])] = command
        self._changed()
        return command, known is None

    def edit(self, scope: int | None, command_id: str, body: Any) -> Json:
        merged = {**self.get(scope, command_id), **(body if isinstance(body, dict) else {})}
        check_command(merged)
        command = {**self._define(scope, merged), "id": command_id}
        self._scopes[scope][int(command_id)] = command
        self._changed()
        return command

    def delete(self, scope: int | None, command_id: str) -> None:
        self.get(scope, command_id)
        del self._scopes[scope][int(command_id)]
        self._changed()

    # -- who may use what

    def usable(self, user: User, channel: Channel) -> list[Json]:
        """What Discord's client offers this user here; a guild's command hides the global of its name."""
        offered: dict[tuple[int, str], Json] = {}
        for scope in (None, channel.guild_id):
            for command in self.all(scope) if scope is None or channel.guild_id else []:
                if self.owners(command, user, channel) and self._permitted(command, user, channel):
                    offered[command["type"], command["name"]] = command
        return list(offered.values())

    def find(self, name: str, kind: int, user: User, channel: Channel) -> Json:
        """A command that this user may run here. Raises SandboxError that says why not."""
        for command in self.usable(user, channel):
            if (command["name"], command["type"]) == (name, kind):
                return command
        known = [c["name"] for scope in self._scopes for c in self.all(scope)]
        why = "it is not offered to this user in this channel" if name in known else f"registered are {known}"
        raise SandboxError(f"/{name} cannot be used: {why}.")

    def context(self, channel: Channel) -> int:
        if channel.guild_id is not None:
            return GUILD
        here = {person.id for person in channel.recipients}
        return BOT_DM if self._world.bot.id in here else PRIVATE_CHANNEL

    def owners(self, command: Json | None, user: User, channel: Channel) -> dict[str, str]:
        """`authorizing_integration_owners`; empty if the command cannot be used here by this user."""
        context = self.context(channel)
        contexts = None if command is None else command["contexts"]
        installs = [0, 1] if command is None else command["integration_types"]
        if contexts is not None and context not in contexts:
            return {}
        owners: dict[str, str] = {}
        if 0 in installs and context != PRIVATE_CHANNEL:
            owners["0"] = str(channel.guild_id) if context == GUILD else "0"
        if 1 in installs and user.id in self._world.user_installs:
            owners["1"] = str(user.id)
        return owners

    def _permitted(self, command: Json, user: User, channel: Channel) -> bool:
        if channel.guild_id is None:
            return True
        mine = self._world.permissions(user, channel)
        if mine & perm.ADMINISTRATOR:
            return True
        if not mine & perm.USE_APPLICATION_COMMANDS:
            return False
        needed = command["default_member_permissions"]
        # "0" means nobody but administrators.
        return needed is None or (int(needed) != 0 and mine & int(needed) == int(needed))

    # -- storing

    def _same_name(self, scope: int | None, body: Json) -> Json | None:
        key = (body.get("type") or CHAT_INPUT, body["name"])
        return next((c for c in self.all(scope) if (c["type"], c["name"]) == key), None)

    def _check_limits(self, kinds: list[int]) -> None:
        for kind, limit in LIMITS.items():
            if kinds.count(kind) > limit:
                raise ApiError(400, 30032, f"Maximum number of application commands reached ({limit})")

    def _define(self, scope: int | None, body: Json) -> Json:
        """The stored object; a command that keeps its name and type keeps its id."""
        known = self._same_name(scope, body)
        needed = body.get("default_member_permissions")
        command: Json = {
            "id": known["id"] if known else str(self._world.ids.next()),
            "application_id": str(self._world.application_id),
            "version": str(self._world.ids.next()),
            "type": body.get("type") or CHAT_INPUT,
            "name": body["name"],
            "name_localizations": body.get("name_localizations"),
            "description": body.get("description") or "",
            "description_localizations": body.get("description_localizations"),
            "options": body.get("options") or [],
            "default_member_permissions": None if needed is None else str(needed),
            "nsfw": bool(body.get("nsfw")),
            "integration_types": body.get("integration_types") or [0],
            "contexts": body.get("contexts"),
        }
        if scope is not None:
            return {**command, "guild_id": str(scope), "contexts": None}
        command["dm_permission"] = body.get("dm_permission", True)
        if command["contexts"] is None and command["dm_permission"] is False:
            command["contexts"] = [GUILD]
        return command

    def _changed(self) -> None:
        self.writes += 1
        self._world.emit("COMMANDS_UPDATE", {})
