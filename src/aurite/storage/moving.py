"""What a database is to a move, in words, for every engine: a source that is only read, a target that is filled in one transaction.

Rows travel as the lines of :mod:`aurite.storage.copytext`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Protocol

from aurite.model.records import Problem
from aurite.storage.tables import Table


class MoveSource(Protocol):
    """One consistent look at a database, for all tables and for the proof; other writers go on meanwhile, unseen."""

    @property
    def location(self) -> str:
        """Where it is, for people; never a secret."""
        ...

    @property
    def identity(self) -> tuple[object, ...]:
        """Equal for two ways of naming the same database, different for two databases."""
        ...

    def config_version(self) -> int:
        """The counter of component changes."""
        ...

    def count(self, table: Table) -> int:
        """How many rows a table has."""
        ...

    def lines(self, table: Table) -> Iterator[bytes]:
        """The rows of a table in the order of their keys.

        Raises:
            InvalidValueError: a row cannot be told as a line; see :meth:`misfits`.
        """
        ...

    def misfits(self, table: Table, *, thorough: bool = False) -> Iterator[Problem]:
        """The rows of a table that no other database could hold, each with its key and the reason.

        Args:
            thorough: read every row, and not only those that look odd from outside.
        """
        ...


class MoveTarget(Protocol):
    """A database that is being filled. Whatever happens before :meth:`commit` leaves it as it was."""

    @property
    def location(self) -> str: ...

    @property
    def identity(self) -> tuple[object, ...]: ...

    def config_version(self) -> int: ...

    def count(self, table: Table) -> int: ...

    def load(self, table: Table, lines: Iterable[bytes]) -> None:
        """Put rows into a table that holds none of their keys.

        Raises:
            StorageError, InvalidValueError: a row was refused, or the database failed.
        """
        ...

    def stage(self, table: Table, lines: Iterable[bytes]) -> None:
        """Put rows beside a table, for :meth:`merge`."""
        ...

    def conflicts(self) -> dict[str, int]:
        """How many components and sessions are both staged and there, by unit."""
        ...

    def clashes(self, *, replace: bool) -> list[Problem]:
        """The staged rows that cannot be brought in, because a row that would stay has their key and belongs to something else."""
        ...

    def merge(self, *, replace: bool, version: int) -> None:
        """Bring the staged rows into their tables: those whose component or session is there already replace it, or are left out.

        The staged rows are afterwards those that were brought in. Components get the revision ``version``, with a line of history.
        """
        ...

    def lines(self, table: Table, *, staged: bool = False, merged: bool = False) -> Iterator[bytes]:
        """The rows of a table in the order of their keys, read from the database again.

        Args:
            staged: those beside the table.
            merged: only those of the table that belong to a component or session that is staged.
        """
        ...

    def commit(self, *, version: int) -> None:
        """Set the counter and make all of it last.

        Raises:
            OutcomeUnknownError: the connection broke while it was being committed.
            StorageError: it was not committed; the target is as it was.
        """
        ...


class Movable(Protocol):
    """A database that rows can be moved out of or into; each context ends with everything closed."""

    @property
    def location(self) -> str: ...

    def is_plainly(self, identity: tuple[object, ...]) -> bool:
        """Whether it can be told without opening it that it is the database of that identity."""
        ...

    def source(self) -> AbstractContextManager[MoveSource]:
        """Open it read-only.

        Raises:
            StorageError: it is missing (and is not created), is not one of ours, or cannot be read.
        """
        ...

    def target(self, *, dry_run: bool = False) -> AbstractContextManager[MoveTarget]:
        """Open it to be filled; it gets the schema where it is empty. Left without a commit, it is as it was.

        Args:
            dry_run: it will not be committed, so nothing is made in its place.

        Raises:
            StorageError: it cannot be opened or written, or is not one of ours.
        """
        ...


class Takeover(Protocol):
    """A database that Aurite 0.4 may have written, to be upgraded where it is."""

    @property
    def location(self) -> str: ...

    def conversion(self) -> AbstractContextManager[tuple[MoveSource, MoveTarget] | None]:
        """Its old tables, under other names, and today's beside them, to be filled in the transaction that renamed the old ones.

        None where it is no database of 0.4 (any more). Left without a commit, it is as it was.

        Raises:
            StorageError: it cannot be changed.
        """
        ...

    def kept(self) -> dict[str, int]:
        """The names of the old tables that an upgrade kept, with their numbers of rows."""
        ...

    def drop_kept(self) -> dict[str, int]:
        """The same, after they were deleted, all of them."""
        ...
