"""Keeps the sandbox to this machine: loopback Host headers, and no pages of other origins.

Owns that check, for every request and for the WebSocket. A name that resolves to 127.0.0.1 (DNS
rebinding) carries its own Host header and is refused here.
"""

from __future__ import annotations

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler
from yarl import URL

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


def host_name(header: str) -> str:
    """The name in a Host header without its port; "" if it is not one."""
    try:
        url = URL(f"http://{header}")
        return "" if url.path != "/" or url.user or url.query_string or url.fragment else url.host or ""
    except ValueError:
        return ""


@web.middleware
async def local_only(request: web.Request, handler: Handler) -> web.StreamResponse:
    host = request.headers.get(hdrs.HOST, "")
    if host_name(host) not in LOOPBACK:
        text = "The sandbox answers on this machine only: use http://127.0.0.1 with its port as the address."
        return web.json_response({"error": text}, status=403)
    origin = request.headers.get(hdrs.ORIGIN)
    if origin is not None and origin != f"http://{host}":
        text = "The sandbox does not answer to pages of other sites: open its own page instead."
        return web.json_response({"error": text}, status=403)
    return await handler(request)
