"""A small stand-in for the Hugging Face hub: one repository, and some that are refused."""

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self

COMMIT = "c0ffee" * 6 + "cafe"
REFUSALS = {
    "missing": (404, "RepoNotFound"),
    "private": (401, "RepoNotFound"),
    "gated": (403, "GatedRepo"),
    "nope": (404, "RevisionNotFound"),
    "broken": (500, ""),
}


class Hub:
    """Serves a folder as "user/cat" on a loopback port while the block runs; `asked` are the paths of all requests."""

    def __init__(self, folder: Path, extra: dict[str, bytes] | None = None) -> None:
        self.files = {path.name: path.read_bytes() for path in folder.iterdir()} | (extra or {})
        self.asked: list[str] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever)
        self.address = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, path: str) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body for a path."""
        self.asked.append(path)
        for word, (status, code) in REFUSALS.items():
            if word in path:
                return status, {"X-Error-Code": code} if code else {}, b"{}"
        if "/resolve/" in path:
            body = self.files[path.rpartition("/")[2]]
            return 200, {"ETag": f'"{hashlib.sha256(body).hexdigest()}"', "X-Repo-Commit": COMMIT}, body
        if "/tree/" in path:
            entries = [{"type": "file", "path": name, "size": len(body), "oid": "0"} for name, body in self.files.items()]
            return 200, {"Content-Type": "application/json"}, json.dumps(entries).encode()
        about = {"id": "user/cat", "sha": COMMIT, "siblings": [{"rfilename": name} for name in self.files]}
        return 200, {"Content-Type": "application/json"}, json.dumps(about).encode()


def _handler(hub: Hub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(with_body=True)

        def do_HEAD(self) -> None:
            self._answer(with_body=False)

        def _answer(self, *, with_body: bool) -> None:
            status, headers, body = hub.answer(self.path)
            self.send_response(status)
            for name, value in (headers | {"Content-Length": str(len(body))}).items():
                self.send_header(name, value)
            self.end_headers()
            if with_body:
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    return Handler
