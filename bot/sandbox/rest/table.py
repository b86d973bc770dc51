"""The table of API routes and the way of a request through it: token, faults, rate limit, answer, log.

Owns everything that routes share. Does not know any route: a module adds one with `@route(...)`.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiohttp import BodyPartReader, hdrs, web

from ..errors import ApiError, not_json, unauthorized, unknown_route
from ..faults import Fault

if TYPE_CHECKING:
    from ..backend import Backend

Json = dict[str, Any]
PREFIX = "/api/v10"


@dataclass(frozen=True)
class Asked:
    """One line of the log of what the bot asked for. `path` is without /api/v10."""

    method: str
    path: str
    status: int


@dataclass
class Call:
    """A request as a route sees it: `path` parameters, `query`, JSON `body`, uploaded `files`."""

    backend: Backend
    path: dict[str, str]
    query: dict[str, str]
    body: Any = None
    files: list[Json] = field(default_factory=list)

    def __getitem__(self, name: str) -> str:
        return self.path[name]


@dataclass(frozen=True)
class Answer:
    """An answer that is not plain 200 with JSON: 201, or 204 with nothing."""

    status: int
    body: Any = None


NOTHING = Answer(204)
Route = Callable[[Call], Awaitable[Any]]


@dataclass(frozen=True)
class Entry:
    method: str
    path: str
    run: Route
    open: bool  # no bot token is asked for: the path carries a token of its own


TABLE: list[Entry] = []


def route(method: str, path: str, *, open: bool = False) -> Callable[[Route], Route]:
    """Register a route; `path` is relative to /api/v10 with {name} for parameters."""

    def add(run: Route) -> Route:
        TABLE.append(Entry(method, path, run, open))
        return run

    return add


class RateLimits:
    """Buckets by route and major parameter: `limit` requests in each window of `seconds`."""

    def __init__(self, limit: int, seconds: float) -> None:
        self.limit = limit
        self.seconds = seconds
        self._windows: dict[str, tuple[float, int]] = {}

    def count(self, bucket: str) -> tuple[int, float]:
        """Count a request: what remains (negative if over the limit) and the seconds to the reset."""
        now = time.monotonic()
        start, used = self._windows.get(bucket, (now, 0))
        if now - start >= self.seconds:
            start, used = now, 0
        self._windows[bucket] = (start, used + 1)
        return self.limit - used - 1, start + self.seconds - now

    def headers(self, entry: Entry, remaining: int, reset_after: float) -> dict[str, str]:
        identity = hashlib.md5(f"{entry.method} {entry.path}".encode(), usedforsecurity=False).hexdigest()
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(max(0, remaining)),
            "X-RateLimit-Reset": f"{time.time() + reset_after:.3f}",
            "X-RateLimit-Reset-After": f"{reset_after:.3f}",
            "X-RateLimit-Bucket": identity,
        }


class Api:
    """Serves the table for one sandbox."""

    def __init__(self, backend: Backend, limits: RateLimits) -> None:
        self._backend = backend
        self._limits = limits
        self.requests: deque[Asked] = deque(maxlen=1000)
        self.unknown_routes: list[str] = []
        self.on_request: list[Callable[[], None]] = []

    def mount(self, app: web.Application) -> None:
        for entry in TABLE:
            app.router.add_route(entry.method, PREFIX + entry.path, self._handler(entry))
        app.router.add_route("*", "/api/{tail:.*}", self._unknown)

    def _handler(self, entry: Entry) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            response = await self._serve(entry, request)
            self._log(request, response.status)
            return response

        return handle

    async def _unknown(self, request: web.Request) -> web.StreamResponse:
        self.unknown_routes.append(f"{request.method} {request.path}")
        self._log(request, 404)
        error = unknown_route()
        return reply(error.status, error.body)

    def _log(self, request: web.Request, status: int) -> None:
        self.requests.append(Asked(request.method, request.path.removeprefix(PREFIX), status))
        for callback in self.on_request:
            callback()

    async def _serve(self, entry: Entry, request: web.Request) -> web.StreamResponse:
        path = request.path.removeprefix(PREFIX)
        faults = self._backend.faults.take(request.method, path)
        for fault in faults:
            if fault.kind == "slow":
                await asyncio.sleep(fault.seconds)
        failing = next((fault for fault in faults if fault.kind != "slow"), None)
        if failing is not None and failing.kind != "drop":
            await request.read()
            return broken(failing)
        if failing is not None and not failing.processed:
            return cut(request)
        response = await self._answer(entry, request)
        return cut(request) if failing is not None else response

    async def _answer(self, entry: Entry, request: web.Request) -> web.StreamResponse:
        major = request.match_info.get("channel_id") or request.match_info.get("token") or ""
        remaining, reset_after = self._limits.count(f"{entry.method} {entry.path} {major}")
        headers = self._limits.headers(entry, remaining, reset_after)
        if remaining < 0:
            return limited(reset_after, "user", headers)
        try:
            if not entry.open and request.headers.get(hdrs.AUTHORIZATION) != f"Bot {self._backend.token}":
                raise unauthorized()
            body, files = await read_body(request)
            call = Call(self._backend, dict(request.match_info), dict(request.query), body, files)
            result = await entry.run(call)
        except ApiError as error:
            return reply(error.status, error.body, headers)
        if isinstance(result, Answer):
            return reply(result.status, result.body, headers)
        return reply(200, result, headers)


def reply(status: int, body: Any, headers: dict[str, str] | None = None) -> web.Response:
    if status == 204:
        return web.Response(status=204, headers=headers)
    # Without a charset: clients compare this header with exactly "application/json".
    return web.Response(
        status=status,
        body=json.dumps(body).encode(),
        headers={**(headers or {}), "Content-Type": "application/json"},
    )


def limited(retry_after: float, scope: str, headers: dict[str, str] | None = None) -> web.Response:
    wide = scope == "global"
    body = {"message": "You are being rate limited.", "retry_after": round(retry_after, 3), "global": wide}
    # discord.py takes a 429 without Via for a ban by the network in front of Discord.
    extra = {"Retry-After": str(math.ceil(retry_after)), "X-RateLimit-Scope": scope, "Via": "1.1 sandbox"}
    if wide:
        extra["X-RateLimit-Global"] = "true"
    return reply(429, body, {**(headers or {}), **extra})


def broken(fault: Fault) -> web.Response:
    if fault.kind == "rate_limit":
        return limited(fault.seconds, fault.scope)
    return reply(fault.status, {"message": f"{fault.status}: Server Error", "code": 0})


def cut(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=499)


async def read_body(request: web.Request) -> tuple[Any, list[Json]]:
    """JSON, or a multipart form with `payload_json` and `files[n]`. Raises ApiError 50109."""
    if request.content_type.startswith("multipart/"):
        return await read_form(request)
    text = await request.text()
    return (parse_json(text) if text else None), []


async def read_form(request: web.Request) -> tuple[Any, list[Json]]:
    body: Any = {}
    files: list[Json] = []
    async for part in await request.multipart():
        if not isinstance(part, BodyPartReader) or part.name is None:
            continue
        data = bytes(await part.read())
        if part.name == "payload_json":
            body = parse_json(data.decode())
        else:
            files.append({"filename": part.filename or part.name, "size": len(data)})
    return body, files


def parse_json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise not_json() from None
