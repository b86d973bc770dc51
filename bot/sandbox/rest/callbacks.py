"""Routes that answer interactions: the callback, and the messages of its webhook token.

They take no bot token, because the path carries the interaction's. The rules are in `interactions.py`.
"""

from __future__ import annotations

from typing import Any

from ..interactions import CHOICES, DEFER, DEFER_UPDATE, MODAL, Interaction
from ..messages import Message
from .messages import form
from .table import NOTHING, Answer, Call, route

Json = dict[str, Any]
WEBHOOK = "/webhooks/{application_id}/{token}"


@route("POST", "/interactions/{interaction_id}/{token}/callback", open=True)
async def callback(call: Call) -> Answer:
    interactions = call.backend.interactions
    interaction = interactions.answer(call["interaction_id"], call["token"], form(call), call.files)
    if call.query.get("with_response", "").lower() not in ("1", "true"):
        return NOTHING
    return Answer(200, callback_response(interaction))


def callback_response(interaction: Interaction) -> Json:
    about: Json = {"id": str(interaction.id), "type": interaction.type}
    answer: Json = {"interaction": about}
    message = interaction.original
    if message is not None:
        about["response_message_id"] = str(message.id)
        about["response_message_loading"] = message.thinking
        about["response_message_ephemeral"] = message.ephemeral
    if interaction.callback not in (CHOICES, MODAL):
        answer["resource"] = {"type": interaction.callback}
        if message is not None and interaction.callback not in (DEFER, DEFER_UPDATE):
            answer["resource"]["message"] = outward(message)
    return answer


def outward(message: Message) -> Json:
    return {key: value for key, value in message.data.items() if key not in ("guild_id", "member")}


def current(call: Call) -> Interaction:
    return call.backend.interactions.alive(call["application_id"], call["token"])


@route("POST", WEBHOOK, open=True)
async def create_followup(call: Call) -> Answer:
    message = call.backend.interactions.follow_up(current(call), form(call), call.files)
    # An interaction's webhook always answers with the message, whatever `wait` says.
    return Answer(200, outward(message))


@route("GET", WEBHOOK + "/messages/{message_id}", open=True)
async def get_answer(call: Call) -> Json:
    return outward(call.backend.interactions.message(current(call), call["message_id"]))


@route("PATCH", WEBHOOK + "/messages/{message_id}", open=True)
async def edit_answer(call: Call) -> Json:
    interactions, interaction = call.backend.interactions, current(call)
    message = interactions.message(interaction, call["message_id"])
    return outward(interactions.edit(interaction, message, form(call), call.files))


@route("DELETE", WEBHOOK + "/messages/{message_id}", open=True)
async def delete_answer(call: Call) -> Answer:
    interactions, interaction = call.backend.interactions, current(call)
    interactions.delete(interaction, interactions.message(interaction, call["message_id"]))
    return NOTHING
