"""Workers of these tests."""

from __future__ import annotations

from typing import Any, ClassVar

from tests.processes.programs import Worker
from tests.transfer.databases import Store
from tests.transfer.worker import told


class Mover(Worker):
    """A process that carries out a task of ``worker.py`` on stores."""

    module: ClassVar[str] = "tests.transfer.worker"

    def __init__(self, task: str, *stores: Store | str) -> None:
        super().__init__(task, *(store if isinstance(store, str) else told(store) for store in stores))


def outcome(worker: Mover) -> Any:
    """The last thing that a worker reports: the digests, or the error."""
    return worker.wait()[-1]
