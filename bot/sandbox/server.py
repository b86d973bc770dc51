"""The sandbox as one object: a loopback Discord on a port of 127.0.0.1, and the verbs to use it in tests.

Owns start and stop. Does not know protocols: it builds the parts, mounts them on one server and hands
out what tests ask for. Everything it starts ends with its `async with` block.
"""

# ruff: noqa: ASYNC109 - a test says in the call how long it is ready to wait

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from . import intents
from .actors import Actors, Invocation
from .backend import Backend
from .commands import Commands
from .entities import Channel, User
from .faults import Faults
from .gateway import Gateway
from .interactions import Interactions
from .local_only import local_only
from .messages import Message
from .rest import application, callbacks, commands, guilds, messages
from .rest.table import Api, Asked, RateLimits
from .speech import Speech
from .ui import Ui
from .watch import Watch
from .world import World

Json = dict[str, Any]
Where = str | int | Channel
Who = str | int | User
ROUTES = (application, callbacks, commands, guilds, messages)  # imported for the routes that they register


class Sandbox:
    """A loopback Discord.

    `message_content`, `members` and `presences` switch the privileged intents on. Times are in seconds:
    `interaction_deadline` to a first answer, `token_lifetime` of an interaction's token,
    `heartbeat_interval` of the gateway. `rate_limit` is (requests, seconds) for each bucket.
    `clock` gives the time of day, for ids, nonces and token lifetimes.
    """

    def __init__(
        self,
        port: int = 0,
        token: str = "sandbox.token",
        *,
        message_content: bool = False,
        members: bool = False,
        presences: bool = False,
        shards: int = 1,
        interaction_deadline: float = 3.0,
        token_lifetime: float = 900.0,
        heartbeat_interval: float = 41.25,
        rate_limit: tuple[int, float] = (200, 1.0),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.port = port
        self.token = token
        self.world = World(clock)
        self.faults = Faults()
        granted = message_content * intents.MESSAGE_CONTENT
        granted |= members * intents.GUILD_MEMBERS | presences * intents.GUILD_PRESENCES
        self.gateway = Gateway(self.world, self.faults, token, granted, shards=shards, heartbeat=heartbeat_interval)
        speech = Speech(self.world)
        self.interactions = Interactions(self.world, speech, deadline=interaction_deadline, lifetime=token_lifetime)
        self.backend = Backend(
            self.world,
            speech,
            Commands(self.world),
            self.interactions,
            self.faults,
            self.gateway,
            token,
            granted,
        )
        self._api = Api(self.backend, RateLimits(*rate_limit))
        self._watch = Watch(self._describe)
        self.actors = Actors(self.backend, self._watch)
        self._ui = Ui(self.backend, self.actors)
        self._runner: web.AppRunner | None = None
        self._listen()

    def _listen(self) -> None:
        self.world.listeners.append(lambda _: self._watch.notify())
        self.gateway.on_change.append(self._watch.notify)
        self._api.on_request.append(self._watch.notify)

    def _describe(self) -> str:
        recent = ", ".join(f"{asked.method} {asked.path} {asked.status}" for asked in list(self.requests)[-5:])
        state = "online" if self.gateway.online else "offline"
        return f"The bot is {state}; its last requests: {recent or 'none'}."

    # -- start and stop

    async def __aenter__(self) -> Self:
        app = web.Application(middlewares=[local_only])
        app.router.add_get("/gateway", self.gateway.handle)
        app.router.add_get("/gateway/", self.gateway.handle)
        self._api.mount(app)
        self._ui.mount(app)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, "127.0.0.1", self.port).start()
        except OSError:
            await self._runner.cleanup()
            raise
        self.port = self._runner.addresses[0][1]
        self.gateway.url = f"ws://127.0.0.1:{self.port}/gateway"
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        assert self._runner is not None
        self.faults.clear()
        self.interactions.stop()
        self._ui.stop()
        await self.gateway.stop()
        await self._runner.cleanup()

    # -- addresses and records

    @property
    def api_base(self) -> str:
        """What the bot takes as the base of Discord's HTTP API."""
        return f"http://127.0.0.1:{self.port}/api/v10"

    @property
    def gateway_url(self) -> str:
        return self.gateway.url

    @property
    def page_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    @property
    def requests(self) -> deque[Asked]:
        """The last 1,000 API requests: method, path (without /api/v10), status."""
        return self._api.requests

    @property
    def unknown_routes(self) -> list[str]:
        """Requests for routes that the sandbox does not have, as "METHOD path"."""
        return self._api.unknown_routes

    @property
    def identifies(self) -> int:
        return self.gateway.identifies

    @property
    def resumes(self) -> int:
        return self.gateway.resumes

    @property
    def commands(self) -> list[Json]:
        """The global commands that the bot has registered."""
        return self.backend.commands.all(None)

    @property
    def guild_commands(self) -> list[Json]:
        return self.backend.commands.all(self.world.guild.id)

    @property
    def command_writes(self) -> int:
        """How many requests wrote commands."""
        return self.backend.commands.writes

    # -- waiting

    async def wait_for(self, look: Callable[[], object], timeout: float = 10.0, what: str = "such state") -> None:
        """Wait until `look()` is true; it is asked again whenever anything happens here."""
        await self._watch.until(lambda: bool(look()) or None, timeout, what)

    async def wait_ready(self, timeout: float = 10.0) -> None:
        """Wait until every shard has identified and was sent READY, or has resumed."""
        await self.wait_for(self._is_ready, timeout, "bot that is ready")

    def _is_ready(self) -> bool:
        connected = {session.shard for session in self.gateway.sessions.values() if session.socket is not None}
        return bool(connected) and len(connected) == next(iter(connected))[1]

    async def wait_commands(self, timeout: float = 10.0) -> list[Json]:
        """Wait until the bot has registered global commands."""
        await self.wait_for(lambda: self.commands, timeout, "registered commands")
        return self.commands

    # -- talking

    def messages(self, channel: Where = "general", user: Who = "member") -> list[Message]:
        """What a user sees in a channel, oldest first."""
        return self.world.history(self.world.place(channel, user), self.world.actor(user).id)

    async def say(
        self,
        channel: Where,
        text: str,
        *,
        author: Who = "member",
        mention: bool = False,
        reply_to: Message | None = None,
        ping_reply: bool = True,
        attachments: Iterable[str] = (),
        stickers: Iterable[str] = (),
    ) -> Message:
        """Post as an actor; `mention` puts the bot's mention in front. Raises SandboxError."""
        content = f"<@{self.world.bot.id}> {text}" if mention else text
        return self.actors.say(
            channel,
            content,
            author,
            reply_to=reply_to,
            ping_reply=ping_reply,
            attachments=attachments,
            stickers=stickers,
        )

    async def edit(self, message: Message, text: str) -> Message:
        """Change what an actor said."""
        return self.actors.edit(message, text)

    async def delete(self, message: Message) -> None:
        self.actors.delete(message)

    async def next_reply(
        self,
        channel: Where = "general",
        *,
        after: Message | None = None,
        user: Who = "member",
        timeout: float = 10.0,
    ) -> Message:
        """The bot's first message in a channel after a given one (or after now). Raises TimeoutError."""
        place = self.world.place(channel, user)
        since = after.id if after is not None else self.world.ids.next()

        def look() -> Message | None:
            mine = (m for m in self.messages(place, user) if m.author_id == self.world.bot.id and m.id > since)
            return next((message for message in mine if not message.thinking), None)

        return await self._watch.until(look, timeout, f"reply in {place.name}")

    # -- interactions

    async def command(
        self, name: str, *, channel: Where = "general", user: Who = "member", options: Json | None = None
    ) -> Invocation:
        """Run a slash command ("meow", "admin reload"). Raises SandboxError where a client would refuse."""
        return self.actors.command(name, channel, user, options)

    async def autocomplete(
        self,
        name: str,
        focused: str,
        value: Any = "",
        *,
        channel: Where = "general",
        user: Who = "member",
        options: Json | None = None,
        timeout: float = 10.0,
    ) -> list[Json]:
        """The choices that the bot offers while `value` is typed into the option `focused`."""
        started = self.actors.autocomplete(name, channel, user, focused, {**(options or {}), focused: value})
        return await started.choices(timeout)

    async def context_menu(
        self, name: str, target: Message | Who, *, channel: Where = "general", user: Who = "member"
    ) -> Invocation:
        return self.actors.context_menu(name, target, channel, user)

    async def press(
        self, message: Message, custom_id: str, *, user: Who = "member", values: list[str] | None = None
    ) -> Invocation:
        return self.actors.press(message, custom_id, user, values)

    async def submit(self, opened: Invocation, values: Json) -> Invocation:
        return self.actors.submit(opened, values)
