"""Storage calls run beside the event loop, and one that has begun is finished whoever is cancelled."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from aurite.runtime.bridge import Bridge


def test_a_call_returns_what_the_work_returns_and_raises_what_it_raises() -> None:
    async def inside() -> None:
        bridge = Bridge()
        assert await bridge.call(divmod, 7, 2) == (3, 1)
        with pytest.raises(ZeroDivisionError):
            await bridge.call(divmod, 7, 0)
        bridge.close()

    asyncio.run(inside())


def test_the_event_loop_goes_on_meanwhile() -> None:
    async def inside() -> None:
        bridge = Bridge()
        loop_moved = threading.Event()
        waiting = asyncio.ensure_future(bridge.call(loop_moved.wait, 10))
        await asyncio.sleep(0)
        loop_moved.set()
        assert await waiting is True
        bridge.close()

    asyncio.run(inside())


@pytest.mark.parametrize("times", [1, 3])
def test_a_write_that_has_begun_is_awaited_by_a_cancelled_task(times: int) -> None:
    written: list[str] = []

    def write() -> None:
        time.sleep(0.2)
        written.append("done")

    async def inside() -> None:
        bridge = Bridge()
        task = asyncio.ensure_future(bridge.call(write))
        for _ in range(times):
            await asyncio.sleep(0.02)
            task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert written == ["done"]
        bridge.close()

    asyncio.run(inside())


def test_a_write_that_fails_in_a_cancelled_task_leaves_no_complaint() -> None:
    def fail() -> None:
        time.sleep(0.1)
        raise OSError("full")

    async def inside() -> None:
        bridge = Bridge()
        task = asyncio.ensure_future(bridge.call(fail))
        await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        bridge.close()

    asyncio.run(inside())


def test_more_calls_than_workers_all_get_their_turn() -> None:
    async def inside() -> None:
        bridge = Bridge(workers=2)
        results = await asyncio.gather(*(bridge.call(pow, number, 2) for number in range(50)))
        assert results == [number**2 for number in range(50)]
        bridge.close()

    asyncio.run(inside())
