"""What stands before every route: who may come in, which paths there can be, how large a body may be, and what is noted of it."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import logging
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

from aurite.api.errors import refusal
from aurite.api.metrics import Metrics

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from aurite.settings import Secret

access = logging.getLogger("aurite.access")

SLASH = "\x1f"
"""Stands for a slash inside a segment of a path (``%2F``): names may hold one. No name holds this character."""

LONGEST_PATH = 4096
MOST_BYTES = 16 * 1024 * 1024
"""Of a body: a document of 8 MiB with room for its escapes."""
MOST_BYTES_OF_A_RUN = 65 * 1024 * 1024
"""Of the body of a run: a message of 64 MiB."""

PAGES = ("/api-docs", "/redoc", "/openapi.json", "/static/")
"""What a browser opens: the key may come as the password of HTTP Basic there."""


class KeyCheck:
    """Lets health pass, and everything else with the right key."""

    def __init__(self, app: ASGIApp, key: Secret | None) -> None:
        self._app = app
        # Digests have one length: comparing them tells nothing about that of the key.
        self._digest = None if key is None else hashlib.sha256(key.reveal().encode("utf-8", "surrogateescape")).digest()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or is_open(scope["path"]) or self._is_right(scope):
            await self._app(scope, receive, send)
            return
        if self._digest is None:
            code, detail = "no_api_key", "this service has no API_KEY, so it serves /health alone"
        else:
            code, detail = "unauthorized", "Invalid or missing API Key"
        headers = {"WWW-Authenticate": 'Basic realm="aurite"'} if scope["path"].startswith(PAGES) and self._digest else {}
        await refusal(401, code, detail, path=scope["path"], headers=headers)(scope, receive, send)

    def _is_right(self, scope: Scope) -> bool:
        if self._digest is None:
            return False
        given = next((value for name, value in scope["headers"] if name == b"x-api-key"), None)
        if given is None and scope["path"].startswith(PAGES):
            given = _password(scope["headers"])
        return given is not None and hmac.compare_digest(hashlib.sha256(given).digest(), self._digest)


def is_open(path: str) -> bool:
    """Whether a path is served without a key."""
    return path == "/health" or path.startswith("/health/")


def _password(headers: Iterable[tuple[bytes, bytes]]) -> bytes | None:
    given = next((value for name, value in headers if name == b"authorization"), b"")
    scheme, _, encoded = given.partition(b" ")
    if scheme.lower() != b"basic":
        return None
    try:
        return base64.b64decode(encoded, validate=True).partition(b":")[2]
    except binascii.Error:
        return None


class Paths:
    """Hands on paths that can be: UTF-8, without control characters, a slash inside a segment marked."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path = _read(scope["raw_path"] if scope.get("raw_path") else scope["path"].encode())
            if path is None:
                await refusal(400, "bad_path", "the path is no UTF-8, too long, or holds control characters")(scope, receive, send)
                return
            scope["path"] = path
        await self._app(scope, receive, send)


def _read(raw: bytes) -> str | None:
    if len(raw) > LONGEST_PATH:
        return None
    try:
        segments = [unquote_to_bytes(segment).decode() for segment in raw.split(b"/")]
    except UnicodeDecodeError:
        return None
    if any(ord(character) < 0x20 or ord(character) == 0x7F for segment in segments for character in segment):
        return None
    path = "/".join(segment.replace("/", SLASH) for segment in segments)
    # 0.4 sent those who wrote a slash too many to the right place; here they are there at once.
    return path.removesuffix("/") if len(path) > 1 and path != "/tools/" else path


class BodyLimit:
    """Refuses bodies that are too large before they are read."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            limit = MOST_BYTES_OF_A_RUN if scope["path"].startswith("/execution/") else MOST_BYTES
            replayed = await _within(limit, scope, receive)
            if replayed is None:
                detail = f"the body is larger than {limit // 1024 // 1024} MiB"
                await refusal(413, "too_large", detail, path=scope["path"], headers={"Connection": "close"})(scope, receive, send)
                return
            receive = replayed
        await self._app(scope, receive, send)


async def _within(limit: int, scope: Scope, receive: Receive) -> Receive | None:
    """What to receive the body from; None where it is too large."""
    headers = dict(scope["headers"])
    if b"transfer-encoding" not in headers:
        said = headers.get(b"content-length", b"0")
        return receive if said.isdigit() and int(said) <= limit else None  # the server holds the client to what it said
    pieces: list[Message] = []
    size = 0
    while True:
        message = await receive()
        pieces.append(message)
        size += len(message.get("body", b""))
        if size > limit:
            return None
        if not message.get("more_body", False):
            break
    waiting = iter(pieces)

    async def replay() -> Message:
        return next(waiting, None) or await receive()

    return replay


class Observed:
    """Counts every request, and writes a line about it: never its query, headers or body."""

    def __init__(self, app: ASGIApp, metrics: Callable[[], Metrics]) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        metrics = self._metrics()
        began = time.perf_counter()
        raw = scope.get("raw_path") or scope["path"].encode()
        status = 500

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        metrics.in_progress += 1
        try:
            await self._app(scope, receive, watched)
        finally:
            metrics.in_progress -= 1
            seconds = time.perf_counter() - began
            metrics.request_ended(scope["method"] if scope["method"] in _METHODS else "OTHER", _route(scope), status, seconds)
            facts: dict[str, Any] = {
                "client": scope["client"][0] if scope.get("client") else None,
                "method": scope["method"],
                "path": raw.decode("ascii", "backslashreplace"),
                "status": status,
                "ms": round(seconds * 1000, 2),
            }
            access.info("%(method)s %(path)s %(status)s %(ms)s ms", facts, extra={"facts": facts})


_METHODS = frozenset({"GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"})


def _route(scope: Scope) -> str:
    route = scope.get("route")
    path: str = getattr(route, "path_format", None) or getattr(route, "path", None) or "unmatched"
    return path
