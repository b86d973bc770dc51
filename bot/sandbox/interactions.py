"""The life of interactions: sent to the bot, answered in time or failed, followed up for 15 minutes.

Owns states, tokens, deadlines and the effect of each kind of answer (Discord's "Receiving and
Responding" page). Does not know HTTP; `rest/callbacks.py` calls it.
"""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass, field
from typing import Any

from .command_rules import check_choice
from .entities import Channel, User
from .errors import (
    already_acknowledged,
    expired_token,
    invalid_form,
    unknown_interaction,
    unknown_message,
    unknown_webhook,
)
from .messages import EPHEMERAL, LOADING, Message
from .speech import CHAT_INPUT_COMMAND, CONTEXT_MENU_COMMAND, DEFAULT, Draft, Speech, bare
from .speech import REPLY as REPLY_MESSAGE
from .world import World

Json = dict[str, Any]
PING, COMMAND, COMPONENT, AUTOCOMPLETE, MODAL_SUBMIT = 1, 2, 3, 4, 5
PONG, REPLY, DEFER, DEFER_UPDATE, UPDATE, CHOICES, MODAL = 1, 4, 5, 6, 7, 8, 9
FITTING = {
    COMMAND: {REPLY, DEFER, MODAL},
    COMPONENT: {REPLY, DEFER, DEFER_UPDATE, UPDATE, MODAL},
    AUTOCOMPLETE: {CHOICES},
    MODAL_SUBMIT: {REPLY, DEFER, DEFER_UPDATE, UPDATE},
}


@dataclass(eq=False)
class Interaction:
    """One interaction. `state`: pending, deferred, answered or failed."""

    id: int
    token: str
    type: int
    name: str
    user: User
    channel: Channel
    payload: Json
    created: float
    source: Message | None = None  # the message whose component was used
    state: str = "pending"
    callback: int | None = None
    ephemeral: bool = False
    original: Message | None = None
    followups: list[Message] = field(default_factory=list)
    choices: list[Json] | None = None
    modal: Json | None = None
    timer: asyncio.TimerHandle | None = None


class Interactions:
    def __init__(self, world: World, speech: Speech, *, deadline: float, lifetime: float) -> None:
        self._world = world
        self._speech = speech
        self._deadline = deadline
        self._lifetime = lifetime
        self._by_token: dict[str, Interaction] = {}

    # -- from the actor

    def start(
        self,
        kind: int,
        name: str,
        user: User,
        channel: Channel,
        data: Json,
        around: Json,
        source: Message | None = None,
    ) -> Interaction:
        """Send an interaction to the bot and start its clock."""
        identity, token = self._world.ids.next(), secrets.token_urlsafe(24)
        payload = {**around, "id": str(identity), "token": token, "type": kind, "data": data}
        if source is not None:
            payload["message"] = source.data
        now = self._world.clock()
        interaction = Interaction(identity, token, kind, name, user, channel, payload, now, source)
        self._by_token[token] = interaction
        interaction.timer = asyncio.get_running_loop().call_later(self._deadline, self._expire, interaction)
        self._announce(interaction)
        self._world.emit("INTERACTION_CREATE", payload, channel)
        return interaction

    def stop(self) -> None:
        for interaction in self._by_token.values():
            if interaction.timer is not None:
                interaction.timer.cancel()

    def _expire(self, interaction: Interaction) -> None:
        if interaction.callback is None:
            self._set_state(interaction, "failed")

    def _set_state(self, interaction: Interaction, state: str) -> None:
        interaction.state = state
        self._announce(interaction)

    def _announce(self, interaction: Interaction) -> None:
        data = {
            "id": str(interaction.id),
            "channel_id": str(interaction.channel.id),
            "user_id": str(interaction.user.id),
            "name": interaction.name,
            "state": interaction.state,
            "ephemeral": interaction.ephemeral,
        }
        self._world.emit("INTERACTION_STATE", data, interaction.channel)

    # -- from the bot: the first answer

    def answer(self, identity: str, token: str, body: Json, files: list[Json]) -> Interaction:
        """The callback. Raises ApiError 10062 (unknown or late), 40060 (twice) or 50035."""
        interaction = self._by_token.get(token)
        if interaction is None or str(interaction.id) != identity or interaction.state == "failed":
            raise unknown_interaction()
        if interaction.callback is not None:
            raise already_acknowledged()
        kind, data = body.get("type"), body.get("data") or {}
        if kind not in FITTING[interaction.type]:
            choices = sorted(FITTING[interaction.type])
            raise invalid_form("type", code="BASE_TYPE_CHOICES", message=f"Value must be one of {choices}.")
        self._apply(interaction, kind, data, files)
        interaction.callback = kind
        if interaction.timer is not None:
            interaction.timer.cancel()
        self._set_state(interaction, "deferred" if kind == DEFER else "answered")
        return interaction

    def _apply(self, interaction: Interaction, kind: int, data: Json, files: list[Json]) -> None:
        """What an answer does; raises before anything has changed."""
        if kind in (REPLY, DEFER):
            interaction.ephemeral = bool((data.get("flags") or 0) & EPHEMERAL)
            body = {} if kind == DEFER else data
            interaction.original = self._say(interaction, body, files, LOADING if kind == DEFER else 0)
        elif kind in (UPDATE, DEFER_UPDATE):
            interaction.original = interaction.source
            if kind == UPDATE and interaction.source is not None:
                self._speech.edit(interaction.source, data, files)
        elif kind == CHOICES:
            interaction.choices = self._checked_choices(interaction, data.get("choices") or [])
        else:
            interaction.modal = checked_modal(data)

    def _checked_choices(self, interaction: Interaction, choices: list[Json]) -> list[Json]:
        if len(choices) > 25:
            message = "Must be 25 or fewer in length."
            raise invalid_form("data", "choices", code="BASE_TYPE_MAX_LENGTH", message=message)
        kind = focused_type(interaction.payload["data"].get("options") or [])
        for index, choice in enumerate(choices):
            check_choice(choice, kind, ("data", "choices", index))
        return choices

    def _say(
        self,
        interaction: Interaction,
        body: Json,
        files: list[Json],
        flags: int,
        first: Message | None = None,
    ) -> Message:
        ephemeral = bool(flags & EPHEMERAL) if first is not None else interaction.ephemeral
        flags = flags & ~EPHEMERAL | (EPHEMERAL if ephemeral else 0)
        kind = DEFAULT if first is None else REPLY_MESSAGE
        if first is None and interaction.type == COMMAND:
            is_menu = interaction.payload["data"]["type"] != 1
            kind = CONTEXT_MENU_COMMAND if is_menu else CHAT_INPUT_COMMAND
        extra: Json = {} if first is None else answers(first)
        extra |= {
            "application_id": str(self._world.application_id),
            "webhook_id": str(self._world.application_id),
            "interaction_metadata": metadata(interaction, first),
        }
        only_for = interaction.user.id if ephemeral else None
        draft = Draft(
            interaction.channel,
            self._world.bot,
            body,
            files,
            type=kind,
            flags=flags,
            only_for=only_for,
            extra=extra,
        )
        return self._speech.create(draft)

    # -- from the bot: afterwards, with the token

    def alive(self, application_id: str, token: str) -> Interaction:
        """The answered interaction of a token. Raises ApiError 10015 or 50027."""
        interaction = self._by_token.get(token)
        known = interaction is not None and application_id == str(self._world.application_id)
        if interaction is None or not known or interaction.callback is None:
            raise unknown_webhook()
        if self._world.clock() - interaction.created > self._lifetime:
            raise expired_token()
        return interaction

    def follow_up(self, interaction: Interaction, body: Json, files: list[Json]) -> Message:
        """A further message; straight after a deferral it is the answer itself, as documented."""
        original = interaction.original
        if original is not None and original.thinking and not original.deleted:
            return self.edit(interaction, original, body, files)
        flags = (body.get("flags") or 0) & EPHEMERAL
        if original is None:
            raise unknown_webhook()
        message = self._say(interaction, body, files, flags, original)
        interaction.followups.append(message)
        return message

    def message(self, interaction: Interaction, message_id: str) -> Message:
        """One of the interaction's messages; "@original" is its first answer. Raises ApiError 10008."""
        mine = [interaction.original, *interaction.followups]
        for message in mine[:1] if message_id == "@original" else mine:
            if message is not None and not message.deleted and message_id in ("@original", str(message.id)):
                return message
        raise unknown_message()

    def edit(self, interaction: Interaction, message: Message, body: Json, files: list[Json]) -> Message:
        finishing = message.thinking
        self._speech.edit(message, body, files, finish=finishing)
        if finishing:
            self._set_state(interaction, "answered")
        return message

    def delete(self, interaction: Interaction, message: Message) -> None:
        was_thinking = message.thinking
        self._world.delete_message(message)
        if was_thinking:
            self._set_state(interaction, "answered")


def checked_modal(data: Json) -> Json:
    """A modal with its documented limits. Raises ApiError 50035."""
    for name, limit in (("custom_id", 100), ("title", 45), ("components", 5)):
        if not 1 <= len(data.get(name) or "") <= limit:
            text = f"Must be between 1 and {limit} in length."
            raise invalid_form("data", name, code="BASE_TYPE_BAD_LENGTH", message=text)
    return data


def answers(first: Message) -> Json:
    """A follow-up appears as a reply to the first answer."""
    reference = {"type": 0, "message_id": str(first.id), "channel_id": str(first.channel_id)}
    if "guild_id" in first.data:
        reference["guild_id"] = first.data["guild_id"]
    return {"message_reference": reference, "referenced_message": None if first.deleted else bare(first.data)}


def focused_type(options: list[Json]) -> int:
    for option in options:
        if option.get("focused"):
            return int(option["type"])
        if option["type"] <= 2:
            return focused_type(option.get("options") or [])
    return 3


def metadata(interaction: Interaction, first: Message | None) -> Json:
    """The message's `interaction_metadata`; the sandbox's page also reads `name` from it."""
    data: Json = {
        "id": str(interaction.id),
        "type": interaction.type,
        "user": interaction.user.json(),
        "name": interaction.name,
        "authorizing_integration_owners": interaction.payload["authorizing_integration_owners"],
    }
    if first is not None:
        data["original_response_message_id"] = str(first.id)
    if interaction.source is not None:
        data["interacted_message_id"] = str(interaction.source.id)
    return data
