"""The gateway: HELLO, IDENTIFY, heartbeats, dispatch, RESUME, and what goes wrong with them.

Owns sessions and opcodes (Discord's gateway page). Does not know HTTP routes or who causes events: it
listens to the world. A session outlives its socket; what happens meanwhile is replayed on RESUME.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Callable
from typing import Any

from aiohttp import WSMsgType, web

from . import intents, payloads
from .faults import Faults
from .session import Session
from .transport import Socket, compressor
from .world import Event, World

Json = dict[str, Any]
DISPATCH, HEARTBEAT, IDENTIFY, PRESENCE, VOICE_STATE, RESUME = 0, 1, 2, 3, 4, 6
RECONNECT, REQUEST_MEMBERS, INVALID_SESSION, HELLO, ACK = 7, 8, 9, 10, 11
UNKNOWN_OPCODE, DECODE_ERROR, NOT_AUTHENTICATED, AUTH_FAILED, ALREADY_AUTHENTICATED = (
    4001,
    4002,
    4003,
    4004,
    4005,
)
INVALID_SEQ, SESSION_TIMED_OUT, INVALID_SHARD, INVALID_VERSION = 4007, 4009, 4010, 4012
INVALID_INTENTS, DISALLOWED_INTENTS = 4013, 4014
MAX_SESSIONS = 64  # the oldest go first, so that a sandbox left running does not grow
MAX_PAYLOAD = 4096  # bytes; longer ones close the socket with 4002


def frame(operation: int, data: Any = None) -> str:
    return json.dumps({"op": operation, "d": data, "s": None, "t": None})


class Connection:
    """One socket from HELLO on; has a session after IDENTIFY or RESUME."""

    def __init__(self, socket: Socket) -> None:
        self.socket = socket
        self.session: Session | None = None


class Gateway:
    """All sockets and sessions of the bot, and counts of what it did: `identifies`, `resumes`."""

    def __init__(self, world: World, faults: Faults, token: str, granted: int, *, shards: int, heartbeat: float) -> None:
        self._world = world
        self._faults = faults
        self._token = token
        self._granted = granted
        self._heartbeat = heartbeat
        self.shards = shards
        self.url = ""
        self.sessions: dict[str, Session] = {}
        self.connections: set[Connection] = set()
        self.identifies = 0
        self.resumes = 0
        self.heartbeats = 0
        self.on_change: list[Callable[[], None]] = []
        world.listeners.append(self._dispatch)
        faults.attach(self)

    @property
    def online(self) -> bool:
        return any(session.socket is not None for session in self.sessions.values())

    # -- a socket's life

    async def handle(self, request: web.Request) -> web.StreamResponse:
        compression = request.query.get("compress")
        if compression not in (None, "zlib-stream", "zstd-stream"):
            return web.Response(status=400, text="compress must be zlib-stream or zstd-stream, or be left out.")
        compress = compressor(compression) if compression else None
        if compression and compress is None:
            return web.Response(status=400, text="zstd-stream needs the package zstandard: use zlib-stream.")
        ws = web.WebSocketResponse(max_msg_size=0, timeout=0.5)
        await ws.prepare(request)
        connection = Connection(Socket(ws, request, compress))
        self.connections.add(connection)
        writer = asyncio.create_task(connection.socket.write(), name="sandbox-gateway-writer")
        try:
            self._hello(connection, request)
            await self._listen(connection)
        finally:
            self._forget(connection)
            await self._finish(connection, writer)
        return ws

    async def _finish(self, connection: Connection, writer: asyncio.Task[None]) -> None:
        # A close that was put in order (4004, op 9...) is written before the task goes.
        if connection.socket.aborted or not connection.socket.closing:
            writer.cancel()
        await asyncio.wait([writer], timeout=2.0)
        writer.cancel()
        await asyncio.gather(writer, return_exceptions=True)

    def _hello(self, connection: Connection, request: web.Request) -> None:
        if request.query.get("v", "10") not in ("9", "10") or request.query.get("encoding", "json") != "json":
            connection.socket.close(INVALID_VERSION)
            return
        data = {"heartbeat_interval": int(self._heartbeat * 1000), "_trace": ["sandbox"]}
        connection.socket.send(frame(HELLO, data))

    async def _listen(self, connection: Connection) -> None:
        async for received in connection.socket.ws:
            if received.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                break
            text = received.data if isinstance(received.data, str) else received.data.decode("utf-8", "replace")
            try:
                payload = json.loads(text)
                operation = payload["op"]
            except (ValueError, KeyError, TypeError):
                connection.socket.close(DECODE_ERROR)
                continue
            if len(text.encode()) > MAX_PAYLOAD:
                connection.socket.close(DECODE_ERROR)
            elif not connection.socket.closing:
                self._receive(connection, operation, payload.get("d"))

    def _forget(self, connection: Connection) -> None:
        self.connections.discard(connection)
        session = connection.session
        if session is not None and session.socket is connection.socket:
            session.socket = None
            # Closing with 1000 or 1001 is the client's way to say that it will not come back.
            if connection.socket.ws.close_code in (1000, 1001) and not connection.socket.closing:
                self.sessions.pop(session.id, None)
            self._changed()

    def _changed(self) -> None:
        for callback in self.on_change:
            callback()

    # -- what the bot sends

    def _receive(self, connection: Connection, operation: int, data: Any) -> None:
        if operation == HEARTBEAT:
            self._acknowledge(connection)
        elif operation in (IDENTIFY, RESUME):
            if connection.session is not None:
                connection.socket.close(ALREADY_AUTHENTICATED)
            elif not isinstance(data, dict):
                connection.socket.close(DECODE_ERROR)
            else:
                (self._identify if operation == IDENTIFY else self._resume)(connection, data)
        elif operation not in (PRESENCE, VOICE_STATE, REQUEST_MEMBERS):
            connection.socket.close(UNKNOWN_OPCODE)
        elif connection.session is None:
            connection.socket.close(NOT_AUTHENTICATED)
        elif operation == PRESENCE:
            self._world.presence = dict(data)
            self._changed()
        elif operation == REQUEST_MEMBERS:
            self._send_members(connection.session, data)

    def _acknowledge(self, connection: Connection) -> None:
        self.heartbeats += 1
        if not self._faults.silent_heartbeats:
            connection.socket.send(frame(ACK, None))
        self._changed()

    def _refusal(self, data: Json) -> int | None:
        """The close code for an IDENTIFY that Discord would refuse."""
        shard = data.get("shard") or [0, 1]
        wants = data.get("intents")
        if data.get("token") != self._token:
            return AUTH_FAILED
        if len(shard) != 2 or not 0 <= shard[0] < shard[1]:
            return INVALID_SHARD
        if not isinstance(wants, int) or wants < 0 or wants & ~intents.KNOWN:
            return INVALID_INTENTS
        return DISALLOWED_INTENTS if wants & intents.PRIVILEGED & ~self._granted else None

    def _identify(self, connection: Connection, data: Json) -> None:
        self.identifies += 1
        code = self._faults.take_identify_close() or self._refusal(data)
        if code is not None:
            connection.socket.close(code)
            self._changed()
            return
        shard = tuple(data.get("shard") or (0, 1))
        session = Session(secrets.token_hex(16), int(data["intents"]), (shard[0], shard[1]))
        while len(self.sessions) >= MAX_SESSIONS:
            del self.sessions[next(iter(self.sessions))]
        self.sessions[session.id] = session
        session.socket = connection.socket
        connection.session = session
        self._world.presence = {"status": "online", "activities": [], **(data.get("presence") or {})}
        session.dispatch("READY", payloads.ready(self._world, session, self.url, self._granted))
        if session.owns(self._world.guild.id) and intents.wanted("GUILD_CREATE", True, session.intents):
            session.dispatch("GUILD_CREATE", payloads.guild_create(self._world, session.intents))
        self._changed()

    def _resume(self, connection: Connection, data: Json) -> None:
        session = self.sessions.get(str(data.get("session_id")))
        if data.get("token") != self._token:
            connection.socket.close(AUTH_FAILED)
        elif session is None or self._faults.take_resume_refusal() or not session.can_replay(data.get("seq")):
            connection.socket.send(frame(INVALID_SESSION, False))
        elif data["seq"] > session.seq:
            connection.socket.close(INVALID_SEQ)
        else:
            if session.socket is not None:
                session.socket.close(1000)
            self.resumes += 1
            connection.session = session
            session.attach(connection.socket, data["seq"])
            self._changed()

    def _send_members(self, session: Session, data: Json) -> None:
        if str(data.get("guild_id")) == str(self._world.guild.id):
            session.dispatch("GUILD_MEMBERS_CHUNK", payloads.members_chunk(self._world, session.intents, data))

    # -- what the bot gets

    def _dispatch(self, event: Event) -> None:
        for session in self.sessions.values():
            data = payloads.for_session(self._world, session, event)
            if data is not None:
                session.dispatch(event.name, data)

    # -- what tests do to it (through `faults`)

    def broadcast(self, operation: int, data: Any = None) -> None:
        for connection in list(self.connections):
            connection.socket.send(frame(operation, data))

    def invalidate(self, resumable: bool) -> None:
        self.broadcast(INVALID_SESSION, resumable)
        if not resumable:
            for connection in self.connections:
                connection.session = None
            self.sessions.clear()

    def drop(self, code: int | None = None) -> None:
        """Cut every socket: without a close frame, or with a close code."""
        for connection in list(self.connections):
            # Detach at once, so that what happens next is buffered rather than lost on a dying socket.
            if connection.session is not None and connection.session.socket is connection.socket:
                connection.session.socket = None
            if code is None:
                connection.socket.abort()
            else:
                connection.socket.close(code)
        if code in (AUTH_FAILED, INVALID_SEQ, SESSION_TIMED_OUT):
            self.sessions.clear()
        self._changed()

    async def stop(self) -> None:
        for connection in list(self.connections):
            connection.socket.close(1001)
