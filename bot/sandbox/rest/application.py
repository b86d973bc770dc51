"""Routes about the application, its bot user, the gateway's address and direct messages.

Owns their shapes only. Does not know messages or commands.
"""

from __future__ import annotations

from typing import Any

from ..errors import cannot_dm, invalid_form, unknown_user
from ..payloads import application_flags
from .table import Call, route

Json = dict[str, Any]
INSTALL: Json = {"scopes": ["applications.commands", "bot"], "permissions": "274877975552"}


def application(call: Call) -> Json:
    world = call.backend.world
    return {
        "id": str(world.application_id),
        "name": world.bot.username,
        "icon": None,
        "description": "A cat.",
        "summary": "",
        "type": None,
        "bot": world.bot.json(),
        "bot_public": True,
        "bot_require_code_grant": False,
        "owner": world.users[world.guild.owner_id].json(),
        "team": None,
        "verify_key": "0" * 64,
        "flags": application_flags(call.backend.granted),
        "tags": [],
        "redirect_uris": [],
        "interactions_endpoint_url": None,
        "role_connections_verification_url": None,
        "install_params": INSTALL,
        "integration_types_config": {"0": {"oauth2_install_params": INSTALL}, "1": {}},
        "approximate_guild_count": 1,
        "approximate_user_install_count": len(world.user_installs),
    }


@route("GET", "/gateway", open=True)
async def get_gateway(call: Call) -> Json:
    return {"url": call.backend.gateway.url}


@route("GET", "/gateway/bot")
async def get_gateway_bot(call: Call) -> Json:
    gateway = call.backend.gateway
    limit = {
        "total": 1000,
        "remaining": max(0, 1000 - gateway.identifies),
        "reset_after": 86_400_000,
        "max_concurrency": 1,
    }
    return {"url": gateway.url, "shards": gateway.shards, "session_start_limit": limit}


@route("GET", "/users/@me")
async def get_me(call: Call) -> Json:
    return {
        **call.backend.world.bot.json(),
        "verified": True,
        "mfa_enabled": True,
        "flags": 0,
        "locale": "en-US",
    }


@route("GET", "/users/{user_id}")
async def get_user(call: Call) -> Json:
    user = call.backend.world.users.get(int(call["user_id"])) if call["user_id"].isdecimal() else None
    if user is None:
        raise unknown_user()
    return user.json()


@route("GET", "/oauth2/applications/@me")
async def get_own_application(call: Call) -> Json:
    return application(call)


@route("GET", "/applications/@me")
async def get_current_application(call: Call) -> Json:
    return application(call)


@route("GET", "/applications/{application_id}")
async def get_application(call: Call) -> Json:
    return application(call)


@route("POST", "/users/@me/channels")
async def open_dm(call: Call) -> Json:
    world = call.backend.world
    wanted = str((call.body or {}).get("recipient_id", ""))
    user = world.users.get(int(wanted)) if wanted.isdecimal() else None
    if user is None:
        raise invalid_form("recipient_id", code="NUMBER_TYPE_COERCE", message=f'Value "{wanted}" is not a user.')
    if user.bot or user.webhook:
        raise cannot_dm()
    return world.dm(user).json(world.bot.id)
