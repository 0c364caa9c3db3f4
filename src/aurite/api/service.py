"""What the routes work with: one Aurite, and the way to its stores that leaves the event loop free."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar, cast

from fastapi import Depends, Request

from aurite.api.metered import MeteredSessions
from aurite.api.metrics import Metrics
from aurite.app import Aurite
from aurite.config.workspace import Context, discover
from aurite.errors import StoreBusyError
from aurite.runtime.bridge import Bridge
from aurite.runtime.host import ToolHost
from aurite.runtime.stream import put_away
from aurite.runtime.trial import Trials
from aurite.stores import counter_of

if TYPE_CHECKING:
    from aurite.config.manager import ConfigManager, Validation
    from aurite.storage.ports import SessionStore

T = TypeVar("T")

_FILE_WORKERS = 8
_MOST_WORKERS = 32
WAITING = 200
"""Calls that may wait for the store or be carried out by it; one more is told to come back later."""
PATIENCE = 5.0
"""Seconds that a probe waits for the store."""
_LAST_WRITES = 30.0
"""Seconds that runs may take to store how they ended."""
RUNS = 500
"""Runs that may be under way at once in one process."""


@dataclass(frozen=True, slots=True)
class Health:
    """Whether requests can be served."""

    ready: bool
    reason: str | None = None
    code: str | None = None
    store_version: int | None = None
    loaded_version: int | None = None

    @property
    def lag(self) -> int | None:
        """How many changes of components this process has not seen yet."""
        if self.store_version is None or self.loaded_version is None:
            return None
        return max(0, self.store_version - self.loaded_version)


class Service:
    """One process of the service."""

    def __init__(self, aurite: Aurite) -> None:
        self.aurite = aurite
        self.metrics = Metrics()
        self.started_at = time.time()
        self.stopping = False
        settings = aurite.settings
        on_server = settings.enable_db and settings.db_type == "postgresql"
        self.workers = min(settings.db_pool_size, _MOST_WORKERS) if on_server else _FILE_WORKERS
        self._bridge = Bridge(self.workers)
        self._turns = asyncio.Semaphore(self.workers)
        self._probe = Bridge(1)
        self._looking: asyncio.Task[Health] | None = None
        self._opening = threading.Lock()
        self._former: list[Aurite] = []
        self._metered: MeteredSessions | None = None
        self.runs_under_way = 0
        self.assigned: set[str] = set()
        """Variables that clients have set."""
        self.waiting = 0
        self.counted: tuple[float, dict[str, object]] | None = None
        """When the tables were last counted, and what came out."""
        self.tools = ToolHost(lambda: self.config, settings, self._bridge)

    # The stores, from threads of the bridge alone.

    @property
    def config(self) -> ConfigManager:
        """The components; loaded by the first who asks, also after an attempt that failed.

        Raises:
            StorageError, NoProjectError.
        """
        with self._opening:
            return self.aurite.config

    def validations(self) -> list[Validation]:
        """What is to be said about each component."""
        return self.config.validate_all_components()

    @property
    def sessions(self) -> SessionStore:
        """The sessions. Raises: StorageError."""
        with self._opening:
            if self._metered is None:
                self._metered = MeteredSessions(self.aurite.sessions, self.metrics)
                self.aurite.sessions = cast("SessionStore", self._metered)  # runs are recorded through it
            return self.aurite.sessions

    def surroundings(self) -> Context:
        """The project and workspace around the served folder as they are at this moment."""
        return discover(self.aurite.start_dir, home=Path.home())

    def reload(self) -> None:
        """Load the configuration anew, also where other folders hold it by now.

        Raises:
            StorageError, NoProjectError.
        """
        if self.in_database or self.surroundings() == self.aurite.context:
            self.config.refresh()
            return
        with self._opening:
            # Runs that are under way go on with what they began with.
            self._former.append(self.aurite)
            self.aurite = Aurite(self.aurite.start_dir, settings=self.aurite.settings, writer="api")
            self._metered = None
        self.config.refresh()

    @property
    def in_database(self) -> bool:
        return self.aurite.settings.enable_db

    async def call(self, work: Callable[[], T]) -> T:
        """What ``work`` returned, carried out in a thread.

        Raises:
            StoreBusyError: too many calls wait already, or none of those under way ended in time.
            Whatever ``work`` raises.
        """
        if self.waiting >= WAITING:
            raise StoreBusyError("too much is asked of the store at this moment", next_step="Try again in a moment")
        self.waiting += 1
        try:
            await self._take_turn()
            try:
                return await self._bridge.call(work)
            finally:
                self._turns.release()
        finally:
            self.waiting -= 1

    async def _take_turn(self) -> None:
        try:
            async with asyncio.timeout(self.aurite.settings.db_pool_timeout):
                await self._turns.acquire()
        except TimeoutError as error:
            raise StoreBusyError(
                f"{self.workers} calls of the store are under way, and none ended in time", next_step="Try again in a moment"
            ) from error

    # Runs.

    @asynccontextmanager
    async def run(self, kind: str) -> AsyncIterator[None]:
        """The block is a run: it is counted, and the service does not close before it has ended.

        Raises:
            StoreBusyError: too many runs are under way.
            StorageError, NoProjectError: the configuration cannot be loaded.
        """
        if self.runs_under_way >= RUNS:
            raise StoreBusyError(f"{RUNS} runs are under way already", next_step="Try again in a moment")
        self.runs_under_way += 1
        outcome = "failed"
        try:
            await self.call(lambda: (self.config, self.sessions))
            yield
            outcome = "completed"
        except (asyncio.CancelledError, GeneratorExit):
            outcome = "cancelled"
            raise
        finally:
            self.metrics.run_ended(kind, outcome)
            self.runs_under_way -= 1

    async def trials(self) -> Trials:
        """What components are tried with. Raises: StorageError, NoProjectError."""
        config, sessions = await self.call(lambda: (self.config, self.sessions))
        return Trials(config, sessions, self.aurite.settings, self._bridge)

    # Its state.

    async def health(self) -> Health:
        """Whether the store answers and the configuration is loaded; asked of the store itself.

        Raises:
            AuriteError: it is not well.
        """
        # Beside all other calls, and one for all who ask: a probe must not wait behind what it is asked about.
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._probe.call(self._look))
        await asyncio.wait({self._looking}, timeout=PATIENCE)
        if not self._looking.done():
            raise StoreBusyError("the store does not answer", next_step="Try again in a moment")
        return self._looking.result()

    def _look(self) -> Health:
        config = self.config
        config.problems()  # brings the memory to where this process has heard of
        store_version = counter_of(self.aurite.database()) if self.in_database else self.aurite.components.version()
        return Health(ready=True, store_version=store_version, loaded_version=config.version)

    async def close(self) -> None:
        """Wait until the runs that were cancelled have stored how they ended, and give everything back."""
        self.stopping = True
        deadline = time.monotonic() + _LAST_WRITES
        while self.runs_under_way and time.monotonic() < deadline:  # noqa: ASYNC110 - once in the life of a process
            await asyncio.sleep(0.05)
        if self._looking is not None:
            await put_away(self._looking)
        await self.tools.close()
        for aurite in (*self._former, self.aurite):
            await aurite.aclose()
        self._bridge.close()
        self._probe.close()


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


Served = Annotated[Service, Depends(_service)]
"""A route's way to the service."""
