"""The events of a run as a stream, and how the run ends when nobody listens any more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import Any, TypeAlias

from aurite.runtime.results import Event

Emit: TypeAlias = Callable[[Event], None]


async def events_of(run: Callable[[Emit], Coroutine[Any, Any, object]]) -> AsyncGenerator[Event, None]:
    """The events that a run tells, as they happen. Whoever stops listening (``aclose``, a cancelled task) cancels the run.

    Raises:
        What the run raises, behind its last event.
    """
    events: asyncio.Queue[Event | None] = asyncio.Queue()
    task = asyncio.create_task(run(events.put_nowait))
    task.add_done_callback(lambda _: events.put_nowait(None))
    try:
        while (event := await events.get()) is not None:
            yield event
        await task
    finally:
        await put_away(task)


async def put_away(*tasks: asyncio.Task[Any]) -> None:
    """End tasks whose outcome is not needed, or was seen already; each has had its time to store how it ended."""
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks)
    for task in tasks:
        if not task.cancelled():
            task.exception()
