"""What the two SQL stores need of a database: the one seam between them and SQLite or PostgreSQL."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeVar

from aurite.model.records import Problem

Row = tuple[Any, ...]
T = TypeVar("T")


def now() -> int:
    """Microseconds since 1970-01-01 UTC."""
    return time.time_ns() // 1000


class Transaction(Protocol):
    """Statements that see one state of the database and, where they write, are committed together."""

    def rows(self, statement: str, *values: object) -> list[Row]:
        """All rows of a statement."""
        ...

    def row(self, statement: str, *values: object) -> Row | None:
        """The only row of a statement, or None."""
        ...

    def run(self, statement: str, *values: object) -> None:
        """Carry out a statement that returns nothing."""
        ...

    def now(self) -> int:
        """The clock that stamps this write, microseconds since 1970 UTC: the database's own where it is a server."""
        ...

    def run_many(self, statement: str, rows: Iterable[Sequence[object]]) -> None:
        """Carry out a statement once for each row of values."""
        ...


class Engine(Protocol):
    """A database of Aurite: opened, with its schema as this version of the code wants it."""

    @property
    def dialect(self) -> str:
        """``sqlite`` or ``postgresql``: which texts of the named statements to use."""
        ...

    @property
    def location(self) -> str:
        """Where it is, for people; never a secret."""
        ...

    def config_version(self) -> int:
        """The counter of component changes: at most a moment old."""
        ...

    def note_config_version(self, version: int) -> None:
        """Hear of a counter that this process has just read or written."""
        ...

    def read(self, statement: str, *values: object) -> list[Row]:
        """All rows of one statement that reads."""
        ...

    def write(self, statement: str, *values: object) -> list[Row]:
        """All rows of one statement that writes, committed by itself. Waits its turn among writers."""
        ...

    def write_small(self, work: Callable[[Transaction], T]) -> T:
        """What ``work`` returned, once it is committed; perhaps in one transaction with the small writes of other threads.

        Args:
            work: what to write; it may be carried out by another thread, and again where the first attempt was taken back.
        """
        ...

    def snapshot(self) -> AbstractContextManager[Transaction]:
        """Reads that all see the same state; no writer waits for them."""
        ...

    def transaction(self) -> AbstractContextManager[Transaction]:
        """Reads and writes, committed at the end of the block, rolled back where it raises. Waits its turn among writers."""
        ...

    def read_somewhat_late(self, statement: str, *values: object) -> list[Row]:
        """All rows of one statement that may miss the newest writes: for listings, which a replica may serve."""
        ...

    def close(self) -> None: ...


class Database(Engine, Protocol):
    """An engine that can be looked after."""

    @property
    def seconds_waited(self) -> float:
        """How long the callers of this process have waited: for their turn to write a file, or for a connection."""
        ...

    def status(self) -> dict[str, object]:
        """Where it is, versions, rows per table, sizes."""
        ...

    def check(self) -> list[Problem]:
        """What is wrong with it; empty where all is well."""
        ...
