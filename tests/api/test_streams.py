"""A stream says that it is there when nothing happens, and closes its run when nobody listens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from aurite.api import connected
from aurite.api.connected import EventStream
from aurite.errors import StoreUnavailableError


class Wire:
    """What a server gives an application: a way to send, and the news that the client went away."""

    def __init__(self) -> None:
        self.sent = b""
        self.hung_up = asyncio.Event()

    async def receive(self) -> dict[str, Any]:
        await self.hung_up.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        self.sent += message.get("body", b"")


FIRST = {"type": "session_info", "data": {"session_id": None}}


def test_a_silent_stream_has_a_heartbeat(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connected, "HEARTBEAT", 0.05)

    async def slow() -> AsyncGenerator[dict[str, Any], None]:
        await asyncio.sleep(0.3)
        yield {"type": "llm_response_start", "data": {}}

    async def listen() -> bytes:
        wire = Wire()
        await EventStream(FIRST, slow())({}, wire.receive, wire.send)
        return wire.sent

    sent = asyncio.run(listen())
    assert sent.count(b": still here\n\n") >= 2
    assert sent.startswith(b'data: {"type":"session_info"')
    assert sent.endswith(b'data: {"type":"llm_response_start","data":{}}\n\n')


def test_a_stream_that_nobody_hears_ends_its_run() -> None:
    ended = []

    async def endless() -> AsyncGenerator[dict[str, Any], None]:
        try:
            await asyncio.sleep(3600)
            yield {}
        finally:
            ended.append("run")

    async def listen() -> None:
        wire = Wire()
        listening = asyncio.create_task(EventStream(FIRST, endless())({}, wire.receive, wire.send))
        await asyncio.sleep(0.05)
        wire.hung_up.set()
        await asyncio.wait_for(listening, 5)

    asyncio.run(listen())
    assert ended == ["run"]


def test_a_store_that_fails_behind_the_last_event_is_told_in_the_stream() -> None:
    async def failing() -> AsyncGenerator[dict[str, Any], None]:
        yield {"type": "llm_response_start", "data": {}}
        raise StoreUnavailableError("the database is away")

    async def listen() -> bytes:
        wire = Wire()
        await EventStream(FIRST, failing())({}, wire.receive, wire.send)
        return wire.sent

    assert asyncio.run(listen()).endswith(b'data: {"type":"error","data":{"message":"the database is away"}}\n\n')
