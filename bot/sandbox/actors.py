"""What people do in the loopback Discord: say things, run commands, press buttons.

Owns the actors' side, for tests and for the chat page alike. Does not know HTTP.
"""

# ruff: noqa: ASYNC109 - a test says in the call how long it is ready to wait

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from . import permissions as perm
from .backend import Backend
from .command_rules import CHAT_INPUT, MESSAGE, USER
from .entities import Channel, User
from .errors import ApiError, InteractionFailed, SandboxError
from .interactions import AUTOCOMPLETE, COMMAND, COMPONENT, MODAL_SUBMIT, Interaction
from .invocation import Options, envelope, flatten
from .messages import Message
from .payloads import typing_start
from .speech import Draft
from .watch import Watch

Json = dict[str, Any]


class Invocation:
    """An interaction as the person who started it sees it."""

    def __init__(self, interaction: Interaction, watch: Watch) -> None:
        self.interaction = interaction
        self._watch = watch

    @property
    def id(self) -> int:
        return self.interaction.id

    @property
    def state(self) -> str:
        """pending, deferred, answered or failed."""
        return self.interaction.state

    @property
    def ephemeral(self) -> bool:
        return self.interaction.ephemeral

    @property
    def messages(self) -> list[Message]:
        """The answer and its follow-ups, as far as they are there and not deleted."""
        everything = [self.interaction.original, *self.interaction.followups]
        return [message for message in everything if message is not None and not message.deleted]

    @property
    def modal(self) -> Json | None:
        return self.interaction.modal

    async def first_response(self, timeout: float = 10.0) -> Message | None:
        """What appears first: a message, or the "thinking" one. Raises InteractionFailed, TimeoutError."""
        return await self._after(("deferred", "answered"), timeout)

    async def final(self, timeout: float = 10.0) -> Message | None:
        """The answer once it is no longer "thinking". Raises InteractionFailed, TimeoutError."""
        return await self._after(("answered",), timeout)

    async def choices(self, timeout: float = 10.0) -> list[Json]:
        await self._after(("answered",), timeout)
        return list(self.interaction.choices or [])

    async def followup(self, index: int = 0, timeout: float = 10.0) -> Message:
        """The n-th message after the answer."""
        found = self.interaction.followups
        await self._watch.until(lambda: len(found) > index or None, timeout, f"follow-up {index}")
        return found[index]

    async def _after(self, states: tuple[str, ...], timeout: float) -> Message | None:
        what = f"answer to {self.interaction.name!r} (state {self.state})"
        await self._watch.until(lambda: self.state in (*states, "failed") or None, timeout, what)
        if self.state == "failed":
            raise InteractionFailed(f"The application did not respond to {self.interaction.name!r}.")
        return self.interaction.original


class Actors:
    """The verbs. `who` and `where` are keys, ids or objects; "dm" is the actor's own with the bot."""

    def __init__(self, backend: Backend, watch: Watch) -> None:
        self._backend = backend
        self._world = backend.world
        self._watch = watch

    def say(
        self,
        where: str | int | Channel,
        content: str,
        who: str | int | User,
        *,
        reply_to: Message | int | None = None,
        attachments: Iterable[str] = (),
        stickers: Iterable[str] = (),
        ping_reply: bool = True,
    ) -> Message:
        """Post a message as an actor. Raises SandboxError."""
        user = self._world.actor(who)
        channel = self._allowed(where, user, perm.SEND_MESSAGES)
        body: Json = {"content": content}
        if reply_to is not None:
            target = reply_to.id if isinstance(reply_to, Message) else reply_to
            body["message_reference"] = {"message_id": str(target)}
            kinds = ["users", "roles", "everyone"]
            body["allowed_mentions"] = {"parse": kinds, "replied_user": ping_reply}
        extra: Json = {}
        stuck = [{"id": str(self._world.ids.next()), "name": name, "format_type": 1} for name in stickers]
        if stuck:
            extra["sticker_items"] = body["sticker_items"] = stuck
        files = [{"filename": name} for name in attachments]
        try:
            return self._backend.speech.create(Draft(channel, user, body, files, extra=extra))
        except ApiError as error:
            raise SandboxError(f"{error.body['message']}: {error.body.get('errors', 'say something')}") from error

    def edit(self, message: Message, content: str) -> Message:
        return self._backend.speech.edit(message, {"content": content})

    def delete(self, message: Message) -> None:
        self._world.delete_message(message)

    def type(self, where: str | int | Channel, who: str | int | User) -> None:
        user = self._world.actor(who)
        channel = self._allowed(where, user, perm.SEND_MESSAGES)
        self._world.emit("TYPING_START", typing_start(self._world, user.id, channel.id), channel)

    def command(self, name: str, where: str | int | Channel, who: str | int | User, values: Json | None = None) -> Invocation:
        """Run "meow" or "admin reload" with plain values for its options. Raises SandboxError."""
        return self._run(COMMAND, name.split(), where, who, values or {}, None)

    def autocomplete(
        self, name: str, where: str | int | Channel, who: str | int | User, focused: str, values: Json
    ) -> Invocation:
        return self._run(AUTOCOMPLETE, name.split(), where, who, values, focused)

    def command_from_page(self, name: str, where: str, who: str, options: list[Json], *, complete: bool = False) -> Invocation:
        path, values, focused = flatten(options)
        if complete and focused is None:
            raise SandboxError('Mark the option that is being typed with "focused": true.')
        kind = AUTOCOMPLETE if complete else COMMAND
        return self._run(kind, [name, *path], where, who, values, focused if complete else None)

    def context_menu(
        self, name: str, target: Message | User | str | int, where: str | int | Channel, who: str | int | User
    ) -> Invocation:
        """Run a command on a message or on a user. Raises SandboxError."""
        user = self._world.actor(who)
        channel = self._allowed(where, user, perm.VIEW_CHANNEL)
        options = Options(self._world, channel)
        kind = MESSAGE if isinstance(target, Message) else USER
        if isinstance(target, Message):
            target_id = str(target.id)
            options.resolved["messages"] = {target_id: target.data}
        else:
            target_id = options.add_user(self._world.actor(target))
        command = self._backend.commands.find(name, kind, user, channel)
        data = {
            "id": command["id"],
            "name": name,
            "type": kind,
            "target_id": target_id,
            "resolved": options.resolved,
        }
        return self._start(COMMAND, name, user, channel, data, command)

    def press(self, message: Message, custom_id: str, who: str | int | User, values: list[str] | None = None) -> Invocation:
        """Press a button, or choose `values` in a select menu, of a message. Raises SandboxError."""
        user = self._world.actor(who)
        component = find_component(message.data["components"], custom_id)
        if component is None or component.get("disabled"):
            raise SandboxError(f"The message has no component {custom_id!r} that can be used.")
        if message.only_for not in (None, user.id):
            raise SandboxError("That message is shown to somebody else only.")
        data: Json = {
            "custom_id": custom_id,
            "component_type": component["type"],
            "id": component.get("id", 1),
        }
        if component["type"] != 2:
            data["values"] = values or []
        channel = self._world.channels[message.channel_id]
        return self._start(COMPONENT, custom_id, user, channel, data, None, message)

    def submit(self, opened: Invocation, values: Json) -> Invocation:
        """Send the modal that an interaction opened, with a text for each input's custom_id."""
        modal, before = opened.modal, opened.interaction
        if modal is None:
            raise SandboxError("That interaction opened no modal.")
        rows = [filled(row, values) for row in modal["components"]]
        data = {"custom_id": modal["custom_id"], "components": rows}
        return self._start(MODAL_SUBMIT, before.name, before.user, before.channel, data, None, before.source)

    # -- inside

    def _allowed(self, where: str | int | Channel, user: User, bit: int) -> Channel:
        channel = self._world.place(where, user)
        if not user.webhook and not self._world.permissions(user, channel) & bit:
            raise SandboxError(f"{user.username} cannot do that in {channel.name}: choose another channel or actor.")
        return channel

    def _run(
        self,
        kind: int,
        words: list[str],
        where: str | int | Channel,
        who: str | int | User,
        values: Json,
        focused: str | None,
    ) -> Invocation:
        user = self._world.actor(who)
        channel = self._allowed(where, user, perm.VIEW_CHANNEL)
        command = self._backend.commands.find(words[0], CHAT_INPUT, user, channel)
        options = Options(self._world, channel, focused=focused)
        data: Json = {"id": command["id"], "name": command["name"], "type": CHAT_INPUT}
        filled_in = options.build(command, words[1:], values)
        if filled_in:
            data["options"] = filled_in
        if options.resolved:
            data["resolved"] = options.resolved
        if "guild_id" in command:
            data["guild_id"] = command["guild_id"]
        return self._start(kind, " ".join(words), user, channel, data, command)

    def _start(
        self,
        kind: int,
        name: str,
        user: User,
        channel: Channel,
        data: Json,
        command: Json | None,
        source: Message | None = None,
    ) -> Invocation:
        around = envelope(self._world, self._backend.commands, command, user, channel)
        interaction = self._backend.interactions.start(kind, name, user, channel, data, around, source)
        return Invocation(interaction, self._watch)


def find_component(components: list[Json], custom_id: str) -> Json | None:
    for component in components:
        if component.get("custom_id") == custom_id:
            return component
        inner = [*component.get("components", []), *filter(None, [component.get("accessory")])]
        found = find_component(inner, custom_id)
        if found is not None:
            return found
    return None


def filled(row: Json, values: Json) -> Json:
    """A modal's row or label as it comes back: types, ids and values only."""
    if "component" in row:
        return {"type": row["type"], "id": row.get("id", 1), "component": filled(row["component"], values)}
    if "components" in row:
        return {
            "type": row["type"],
            "id": row.get("id", 1),
            "components": [filled(c, values) for c in row["components"]],
        }
    if "custom_id" not in row:
        return {"type": row["type"], "id": row.get("id", 1)}
    return {
        "type": row["type"],
        "id": row.get("id", 1),
        "custom_id": row["custom_id"],
        "value": values.get(row["custom_id"], row.get("value", "")),
    }
