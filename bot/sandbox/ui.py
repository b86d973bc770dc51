"""The chat page's server side: its files, state, actions and the stream of events.

Owns everything under / and /sandbox/. Does not know Discord's API: it acts through `Actors` and reads
the world. Errors are {"error": sentence}.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from aiohttp import web

from . import permissions as perm
from .actors import Actors
from .backend import Backend
from .entities import TEXT, THREAD, Channel, User
from .errors import InteractionFailed, SandboxError
from .messages import Message
from .world import Event

Json = dict[str, Any]
PAGE = Path(__file__).parent / "page"
ROLES = {"member": "member", "manager": "may manage the server", "owner": "owns the app and the server"}
KEEP_ALIVE = 15.0  # seconds between comments on a silent event stream
AUTOCOMPLETE_TIMEOUT = 5.0
Action = Callable[[web.Request], Awaitable[Any]]


class Ui:
    def __init__(self, backend: Backend, actors: Actors) -> None:
        self._backend = backend
        self._world = backend.world
        self._actors = actors
        self._streams: set[asyncio.Queue[tuple[Event, str] | None]] = set()
        self._online = False
        self._world.listeners.append(self._publish)
        backend.gateway.on_change.append(self._bot_state)

    def mount(self, app: web.Application) -> None:
        app.router.add_get("/", self._index)
        app.router.add_get("/static/{name}", self._static)
        app.router.add_get("/sandbox/state", answering(self._state))
        app.router.add_get("/sandbox/channels/{id}/messages", answering(self._messages))
        app.router.add_post("/sandbox/channels/{id}/messages", answering(self._say))
        app.router.add_get("/sandbox/commands", answering(self._commands))
        app.router.add_post("/sandbox/interactions", answering(self._interact))
        app.router.add_post("/sandbox/autocomplete", answering(self._autocomplete))
        app.router.add_get("/sandbox/events", self._events)

    def stop(self) -> None:
        """End every event stream, so that the server can close."""
        for stream in self._streams:
            stream.put_nowait(None)

    # -- files

    async def _index(self, _: web.Request) -> web.StreamResponse:
        return page_file("index.html")

    async def _static(self, request: web.Request) -> web.StreamResponse:
        return page_file(request.match_info["name"])

    # -- reading

    async def _state(self, request: web.Request) -> Json:
        user, world = self._actor(request.query), self._world
        channels = [c for c in world.channels.values() if c.type in (TEXT, THREAD) and self._sees(user, c)]
        channels.append(world.dm(user))
        return {
            "bot": {
                "id": str(world.bot.id),
                "username": world.bot.username,
                "online": self._backend.gateway.online,
            },
            "guild": {"id": str(world.guild.id), "name": world.guild.name},
            "actors": [
                {
                    "key": key,
                    "id": str(world.actor(key).id),
                    "username": world.actor(key).username,
                    "role": role,
                }
                for key, role in ROLES.items()
            ],
            "channels": [self._channel_json(channel) for channel in channels],
        }

    def _channel_json(self, channel: Channel) -> Json:
        kind = "dm" if channel.private else "thread" if channel.type == THREAD else "text"
        name = self._world.bot.username if channel.private else channel.name
        parent = None if channel.parent_id is None else str(channel.parent_id)
        return {"id": str(channel.id), "key": channel.key, "name": name, "kind": kind, "parent": parent}

    async def _messages(self, request: web.Request) -> list[Json]:
        user = self._actor(request.query)
        channel = self._channel(request.match_info["id"], user)
        return [page_message(message) for message in self._world.history(channel, user.id)]

    async def _commands(self, request: web.Request) -> list[Json]:
        user = self._actor(request.query)
        return self._backend.commands.usable(user, self._channel(request.query.get("channel", ""), user))

    # -- acting

    async def _say(self, request: web.Request) -> Json:
        body = await json_body(request)
        user = self._actor(body)
        reply = body.get("reply_to")
        message = self._actors.say(
            self._channel(request.match_info["id"], user),
            str(body.get("content") or ""),
            user,
            reply_to=int(reply) if reply else None,
            attachments=body.get("attachments") or [],
            stickers=body.get("stickers") or [],
        )
        return page_message(message)

    async def _interact(self, request: web.Request) -> Json:
        body = await json_body(request)
        user = self._actor(body)
        where = str(self._channel(str(body.get("channel", "")), user).id)
        name = str(body.get("command", ""))
        return {"id": str(self._actors.command_from_page(name, where, user.key, body.get("options") or []).id)}

    async def _autocomplete(self, request: web.Request) -> Json:
        body = await json_body(request)
        user = self._actor(body)
        where = str(self._channel(str(body.get("channel", "")), user).id)
        options = body.get("options") or []
        name = str(body.get("command", ""))
        started = self._actors.command_from_page(name, where, user.key, options, complete=True)
        try:
            return {"choices": await started.choices(AUTOCOMPLETE_TIMEOUT)}
        except (InteractionFailed, TimeoutError):
            raise SandboxError("Loading options failed: the bot did not answer in time.") from None

    # -- events

    def _publish(self, event: Event) -> None:
        if event.name.startswith("MESSAGE_REACTION") and event.message is not None:
            event = Event("MESSAGE_UPDATE", event.message.data, event.channel, event.message)
        if event.name not in PUBLISHED:
            return
        data = page_event(event)
        # Written out at once, because the objects go on changing.
        line = json.dumps({"t": event.name, "d": data})
        for stream in self._streams:
            stream.put_nowait((event, line))

    def _bot_state(self) -> None:
        if self._online != self._backend.gateway.online:
            self._online = self._backend.gateway.online
            self._publish(Event("BOT_STATE", {"online": self._online}))

    async def _events(self, request: web.Request) -> web.StreamResponse:
        try:
            user = self._actor(request.query)
        except SandboxError as error:
            return web.json_response({"error": str(error)}, status=400)
        headers = {"Content-Type": "text/event-stream", "Cache-Control": "no-store"}
        response = web.StreamResponse(headers=headers)
        stream: asyncio.Queue[tuple[Event, str] | None] = asyncio.Queue()
        self._streams.add(stream)
        try:
            await response.prepare(request)
            await response.write(b": hello\n\n")
            await self._pump(user, stream, response)
        except ConnectionError:
            pass  # the page was closed
        finally:
            self._streams.discard(stream)
        return response

    async def _pump(self, user: User, stream: asyncio.Queue[tuple[Event, str] | None], response: web.StreamResponse) -> None:
        while True:
            try:
                item = await asyncio.wait_for(stream.get(), KEEP_ALIVE)
            except TimeoutError:
                await response.write(b": still here\n\n")
                continue
            if item is None:
                return
            if self._may_see(user, item[0]):
                await response.write(f"data: {item[1]}\n\n".encode())

    def _may_see(self, user: User, event: Event) -> bool:
        if event.name == "INTERACTION_STATE" and event.data["user_id"] != str(user.id):
            return False
        if event.message is not None and event.message.only_for not in (None, user.id):
            return False
        return event.channel is None or self._sees(user, event.channel)

    # -- who and where

    def _actor(self, source: Any) -> User:
        key = source.get("as")
        if key not in ROLES:
            raise SandboxError(f"Say who you are: as must be one of {', '.join(ROLES)}.")
        return self._world.actor(key)

    def _channel(self, identity: str, user: User) -> Channel:
        channel = self._world.place(identity, user)
        if not self._sees(user, channel):
            raise SandboxError(f"{user.username} cannot see that channel: choose another one.")
        return channel

    def _sees(self, user: User, channel: Channel) -> bool:
        return bool(self._world.permissions(user, channel) & perm.VIEW_CHANNEL)


PUBLISHED = frozenset(
    {
        "MESSAGE_CREATE",
        "MESSAGE_UPDATE",
        "MESSAGE_DELETE",
        "TYPING_START",
        "INTERACTION_STATE",
        "BOT_STATE",
        "COMMANDS_UPDATE",
    }
)


def page_event(event: Event) -> Json:
    if event.name in ("MESSAGE_CREATE", "MESSAGE_UPDATE") and event.message is not None:
        return page_message(event.message)
    if event.name == "TYPING_START":
        return {"channel_id": event.data["channel_id"], "user_id": event.data["user_id"]}
    return event.data


def page_message(message: Message) -> Json:
    """Discord's message object with the lists that it leaves out when they are empty."""
    always: Json = {
        "message_reference": None,
        "referenced_message": None,
        "reactions": [],
        "sticker_items": [],
    }
    return {**always, **message.data}


def answering(action: Action) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Turn what an action returns into JSON, and what an actor did wrong into a 400 with a sentence."""

    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            return web.json_response(await action(request))
        except SandboxError as error:
            return web.json_response({"error": str(error)}, status=400)

    return handle


async def json_body(request: web.Request) -> Json:
    try:
        body = json.loads(await request.text())
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise SandboxError("Send a JSON object as the body.")
    return body


def page_file(name: str) -> web.StreamResponse:
    path = PAGE / name
    if path.parent != PAGE or not path.is_file():
        return web.json_response({"error": f"There is no file {name}: the page is at /."}, status=404)
    return web.FileResponse(path, headers={"Cache-Control": "no-store", "Content-Security-Policy": "default-src 'self'"})
