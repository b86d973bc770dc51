"""One gateway socket: ordered sending, optional compression, closing.

Owns the bytes on the wire. Does not know opcodes, sessions or events. Sending never waits, so that the
order of events is the order in which they were sent; one task per socket writes them out.
"""

from __future__ import annotations

import asyncio
import importlib
import zlib
from collections.abc import Callable

from aiohttp import web


def zlib_stream() -> Callable[[bytes], bytes]:
    """One zlib context for the whole connection; each message ends with Z_SYNC_FLUSH (00 00 FF FF)."""
    context = zlib.compressobj()
    return lambda data: context.compress(data) + context.flush(zlib.Z_SYNC_FLUSH)


def zstd_stream() -> Callable[[bytes], bytes] | None:
    """The same with zstandard, if that package is there; None if not."""
    try:
        zstandard = importlib.import_module("zstandard")
    except ImportError:
        return None
    context = zstandard.ZstdCompressor().compressobj()
    flush = zstandard.COMPRESSOBJ_FLUSH_BLOCK
    return lambda data: bytes(context.compress(data) + context.flush(flush))


def compressor(name: str) -> Callable[[bytes], bytes] | None:
    return {"zlib-stream": zlib_stream, "zstd-stream": zstd_stream}[name]()


class Socket:
    """Wraps an accepted WebSocket. `send` and `close` only put in order; `write` does the work."""

    def __init__(self, ws: web.WebSocketResponse, request: web.Request, compress: Callable[[bytes], bytes] | None) -> None:
        self.ws = ws
        self._request = request
        self._compress = compress
        self._queue: asyncio.Queue[str | int] = asyncio.Queue()
        self.closing = False
        self.aborted = False

    def send(self, text: str) -> None:
        if not self.closing:
            self._queue.put_nowait(text)

    def close(self, code: int) -> None:
        """Close with a code once everything sent before has gone out."""
        if not self.closing:
            self.closing = True
            self._queue.put_nowait(code)

    def abort(self) -> None:
        """Cut the connection as a lost network does: no close frame."""
        self.closing = self.aborted = True
        if self._request.transport is not None:
            self._request.transport.abort()

    async def write(self) -> None:
        """Write out what was sent until the socket is gone."""
        try:
            while True:
                item = await self._queue.get()
                if isinstance(item, int):
                    await self.ws.close(code=item)
                    return
                await self._write_one(item)
        except ConnectionError:
            self.closing = True

    async def _write_one(self, text: str) -> None:
        if self._compress is None:
            await self.ws.send_str(text)
        else:
            await self.ws.send_bytes(self._compress(text.encode()))
