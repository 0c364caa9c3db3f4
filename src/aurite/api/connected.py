"""Work that ends when nobody waits for it any more, and streams of events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from aurite.api.errors import told
from aurite.errors import AuriteError, ClientGoneError
from aurite.model.jsontext import encode
from aurite.runtime.results import Event
from aurite.runtime.results import error as error_event
from aurite.runtime.stream import put_away

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

T = TypeVar("T")

HEARTBEAT = 15.0
"""Seconds after which a stream without events says that it is there, so that nobody in between closes it."""


async def while_connected(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """What ``work`` returned.

    Raises:
        ClientGoneError: the client went away first; the work was cancelled and has ended.
        Whatever ``work`` raises.
    """
    task = asyncio.create_task(work)
    gone = asyncio.create_task(_gone(request.receive))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientGoneError("the client went away")
        return task.result()
    finally:
        await put_away(gone, task)


class EventStream(Response):
    """Server-sent events: a ``data:`` line of JSON for each, a comment where nothing happened for a while.

    Args:
        first: the event that has come already.
        events: those that follow; closed when the client goes away, which cancels the run.
    """

    media_type = "text/event-stream"

    def __init__(self, first: Event, events: AsyncGenerator[Event, None]) -> None:
        super().__init__(headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._first = first
        self._events = events

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - the signature is ASGI's
        async def write(data: bytes, *, more: bool = True) -> None:
            await send({"type": "http.response.body", "body": data, "more_body": more})

        gone = asyncio.create_task(_gone(receive))
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            await write(_line(self._first))
            async with aclosing(self._lines(gone)) as lines:
                async for line in lines:
                    await write(line)
            if not gone.done():
                await write(b"", more=False)
        finally:
            await put_away(gone)

    async def _lines(self, gone: asyncio.Task[None]) -> AsyncGenerator[bytes, None]:
        was_told = self._first["type"] == "error"
        async with aclosing(self._events) as events:
            following: asyncio.Task[Event | None] | None = None
            try:
                while True:
                    following = following or asyncio.create_task(_next(events))
                    await asyncio.wait({following, gone}, timeout=HEARTBEAT, return_when=asyncio.FIRST_COMPLETED)
                    if gone.done():
                        return
                    if not following.done():
                        yield b": still here\n\n"
                        continue
                    event, following = following.result(), None
                    if event is None:
                        return
                    was_told = event["type"] == "error"
                    yield _line(event)
            except AuriteError as error:
                if not was_told:
                    yield _line(error_event(told(error)))
            finally:
                if following is not None:
                    await put_away(following)


async def _next(events: AsyncGenerator[Event, None]) -> Event | None:
    return await anext(events, None)


def _line(event: Event) -> bytes:
    return b"data: " + encode(event).encode() + b"\n\n"


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
