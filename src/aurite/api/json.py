"""JSON in and out, exactly: integers of any size, floats as written, lone surrogates as escapes; NaN is refused."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from fastapi import Request
from fastapi.routing import APIRoute
from starlette.responses import JSONResponse, Response

from aurite.errors import InvalidValueError
from aurite.model.jsontext import check, decode, encode


class Json(JSONResponse):
    """A value as the answer."""

    def render(self, content: Any) -> bytes:
        return encode(content).encode()


class JsonText(Response):
    """A text that is JSON already as the answer: what a store keeps is handed on byte for byte."""

    media_type = "application/json"


def list_of(texts: Iterable[str]) -> JsonText:
    """JSON texts as one list."""
    return JsonText(f"[{','.join(texts)}]".encode())


class ExactRequest(Request):
    """A request whose body is read as the stores read JSON."""

    async def json(self) -> Any:
        """The body's value.

        Raises:
            json.JSONDecodeError: it is not JSON or is nested too deeply; becomes a 422.
        """
        raw = await self.body()
        try:
            return _value(raw) if len(raw) < _LARGE else await asyncio.to_thread(_value, raw)
        except InvalidValueError as error:
            raise json.JSONDecodeError(error.message, "", 0) from error


_LARGE = 256 * 1024
"""Bytes from which on a body is read in a thread, so that others need not wait for it."""


def _value(raw: bytes) -> Any:
    value = decode(raw)
    check(value, what="body", max_bytes=1 << 62)  # the number of bytes was looked at before
    return value


class ExactRoute(APIRoute):
    """A route that is given exact requests."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def exactly(request: Request) -> Response:
            return await handle(ExactRequest(request.scope, request.receive))

        return exactly
