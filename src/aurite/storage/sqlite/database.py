"""A SQLite database file: connections, the write lock, errors, and the care of the file.

Sources: https://www.sqlite.org/wal.html (one writer, readers never wait), https://www.sqlite.org/howtocorrupt.html 2.2 (closing any
file descriptor of a database drops the locks that the process holds on it: this module never opens the file by itself once it
is there).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import apsw

from aurite.errors import StoreUnavailableError
from aurite.model.records import Problem
from aurite.storage.engine import Row, Transaction, now
from aurite.storage.file_errors import storage_error
from aurite.storage.sqlite.errors import translate
from aurite.storage.sqlite.group_commit import GroupCommit
from aurite.storage.sqlite.shared_file import SharedFile, shared_file
from aurite.storage.write_lock import WriteLock

BUSY_TIMEOUT = 5000
"""Milliseconds to wait for a foreign program that holds the database; Aurite's own processes queue at the write lock."""

T = TypeVar("T")

_SYNCHRONOUS = {"OFF": 0, "NORMAL": 1, "FULL": 2, "EXTRA": 3}

_abandoned: list[apsw.Connection] = []
"""Connections of a parent process, kept so that closing them here does not drop the parent's locks."""


class _Transaction:
    """Statements on one connection. Rows are always fetched to the end: a statement left half-way keeps COMMIT busy."""

    def __init__(self, connection: apsw.Connection, clock: Callable[[], int]) -> None:
        self.now = clock
        self._connection = connection

    def rows(self, statement: str, *values: Any) -> list[Row]:
        return _rows(self._connection, statement, values)

    def row(self, statement: str, *values: Any) -> Row | None:
        found = _rows(self._connection, statement, values)
        return found[0] if found else None

    def run(self, statement: str, *values: Any) -> None:
        self._connection.execute(statement, values).fetchall()

    def run_many(self, statement: str, rows: Iterable[Sequence[Any]]) -> None:
        for _ in self._connection.executemany(statement, rows):
            pass


def _rows(connection: apsw.Connection, statement: str, values: tuple[Any, ...]) -> list[Row]:
    """All rows; bytes that are not UTF-8, left by somebody's edit, come as lone surrogates and hide no other row."""
    cursor = connection.execute(statement, values)
    try:
        return cursor.fetchall()
    except UnicodeDecodeError:
        columns = [f"c{number}" for number in range(len(cursor.get_description()))]
        cursor.close(True)
    as_bytes = ", ".join(f"CASE typeof({column}) WHEN 'text' THEN CAST({column} AS BLOB) ELSE {column} END" for column in columns)
    wrapped = f"WITH raw ({', '.join(columns)}) AS ({statement}) SELECT {as_bytes} FROM raw"
    return [
        tuple(value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else value for value in row)
        for row in connection.execute(wrapped, values).fetchall()
    ]


class SqliteDatabase:
    """One database file, for all threads of a process; created with the current schema where it is missing or empty.

    Writers queue at ``<file>.wlock`` and then begin; readers see the last commit and wait for nobody. After a fork the child
    opens connections of its own.

    Args:
        path: the database file; missing parent folders are created.
        synchronous: FULL (a commit is on disk), EXTRA, NORMAL (the last commits may be lost at a power cut) or OFF.
        clock: microseconds since 1970 UTC.

    Raises:
        StorageError: the file cannot be opened, belongs to something else, or has a schema that this version cannot use.
    """

    dialect = "sqlite"

    def __init__(self, path: Path, *, synchronous: str = "FULL", clock: Callable[[], int] = now) -> None:
        from aurite.storage.schema import prepare_sqlite

        self.path = path.absolute()
        self._file = str(self.path)
        self.now = clock
        self._synchronous = _SYNCHRONOUS[synchronous]
        self._start()
        try:
            self.steps_taken = prepare_sqlite(self)
        except BaseException:
            self.close()
            raise

    @property
    def location(self) -> str:
        return str(self.path)

    @property
    def seconds_waited(self) -> float:
        """How long the writers of this process have waited for their turn, taken together."""
        return self._lock.seconds_waited

    def config_version(self) -> int:
        connection = self._lease()
        try:
            version: int = connection.execute("SELECT config_version FROM store_meta").get
        except apsw.Error as error:
            raise translate(error, self.path) from error
        finally:
            self._idle.append(connection)
        return version

    def note_config_version(self, version: int) -> None:
        """Nothing to do: the counter is read from the file whenever it is asked for."""

    def read(self, statement: str, *values: Any) -> list[Row]:
        connection = self._lease()
        try:
            return _rows(connection, statement, values)
        except (apsw.Error, UnicodeEncodeError) as error:
            raise translate(error, self.path) from error
        finally:
            self._idle.append(connection)

    def read_somewhat_late(self, statement: str, *values: Any) -> list[Row]:
        return self.read(statement, *values)

    def write(self, statement: str, *values: Any) -> list[Row]:
        with self.transaction() as work:
            return work.rows(statement, *values)

    def write_small(self, work: Callable[[Transaction], T]) -> T:
        self._be_of_this_process()
        return self._group.write(work)

    @contextmanager
    def snapshot(self) -> Iterator[_Transaction]:
        connection = self._lease()
        try:
            connection.execute("BEGIN").fetchall()
            try:
                yield _Transaction(connection, self.now)
            finally:
                connection.execute("COMMIT").fetchall()
        except (apsw.Error, UnicodeEncodeError) as error:
            raise translate(error, self.path) from error
        finally:
            self._idle.append(connection)

    @contextmanager
    def transaction(self) -> Iterator[_Transaction]:
        self._be_of_this_process()
        with self._lock.held():
            connection = self._lease()  # only now: while it waited, another file may have taken this one's place
            try:
                self._wait_for_other_library()
                connection.execute("BEGIN IMMEDIATE").fetchall()
                yield _Transaction(connection, self.now)
                connection.execute("COMMIT").fetchall()
            except BaseException as error:
                if connection.in_transaction:
                    with suppress(apsw.Error):
                        connection.execute("ROLLBACK").fetchall()
                if isinstance(error, apsw.Error | UnicodeEncodeError):
                    raise translate(error, self.path) from error
                raise
            finally:
                self._idle.append(connection)

    @contextmanager
    def alone(self) -> Iterator[apsw.Connection]:
        """A connection outside any transaction, while no other process of Aurite writes: for migrations and VACUUM."""
        self._be_of_this_process()
        with self._lock.held():
            connection = self._lease()
            try:
                yield connection
            except (apsw.Error, UnicodeEncodeError) as error:
                raise translate(error, self.path) from error
            finally:
                self._idle.append(connection)

    def status(self) -> dict[str, object]:
        """Path, versions, rows per table, sizes and file modes."""
        from aurite.storage.sqlite.file import describe

        return describe(self)

    def check(self) -> list[Problem]:
        """What is wrong with the database; empty where all is well."""
        from aurite.storage.sqlite.file import examine

        return examine(self)

    def close(self) -> None:
        """Close the idle connections; the last one folds the WAL into the file."""
        self._closed = True
        if self._process == os.getpid():
            self._close_idle()
        self._lock.close()

    def _start(self) -> None:
        self._closed = False
        self._process = os.getpid()
        self._inode = 0
        self._idle: list[apsw.Connection] = []
        self._shared: SharedFile | None = None
        self._lock = WriteLock(self.path.with_name(self.path.name + ".wlock"))
        self._group = GroupCommit(self.transaction)

    def _be_of_this_process(self) -> None:
        if self._process != os.getpid():
            _abandoned.extend(self._idle)
            self._start()

    def _lease(self) -> apsw.Connection:
        if self._closed:
            raise StoreUnavailableError(f"the database {self.path} was closed")
        self._be_of_this_process()
        try:
            inode = os.stat(self._file).st_ino  # noqa: PTH116  Path.stat takes three times as long, on each read
        except OSError:
            inode = 0
        if inode != self._inode:  # replaced by another file, by a restore for instance
            self._close_idle()
        with suppress(IndexError):
            return self._idle.pop()
        return self._open()

    def _open(self) -> apsw.Connection:
        from aurite.storage.sqlite.file import create_if_missing

        create_if_missing(self.path, self._lock)
        try:
            connection = apsw.Connection(self._file, flags=apsw.SQLITE_OPEN_READWRITE)
            connection.set_busy_timeout(BUSY_TIMEOUT)
            self._set_pragmas(connection)
        except apsw.Error as error:
            raise translate(error, self.path) from error
        self._inode = self.path.stat().st_ino
        if self._shared is None:
            self._share(connection)
        return connection

    def _share(self, connection: apsw.Connection) -> None:
        try:
            connection.execute("SELECT count(*) FROM sqlite_schema").fetchall()  # the first read makes the -shm
            self._shared = shared_file(self.path)
        except apsw.Error as error:
            raise translate(error, self.path) from error
        except OSError as error:
            raise storage_error(error, self.path) from error
        self._release = self._shared.used_by(self)

    def _close_idle(self) -> None:
        if self._shared is not None:
            self._release()
            self._shared = None
        while self._idle:
            with suppress(apsw.Error, IndexError):
                self._idle.pop().close()

    def _wait_for_other_library(self) -> None:
        """Wait for a transaction of another SQLite library in this process: its lock does not stop ours."""
        patience = BUSY_TIMEOUT
        while self._shared is not None and self._shared.is_written():
            if not patience:
                raise apsw.BusyError("database is locked")
            time.sleep(0.001)
            patience -= 1

    def _set_pragmas(self, connection: apsw.Connection) -> None:
        mode = connection.pragma("journal_mode")
        if mode != "wal":
            from aurite.storage.schema import version_of

            # What belongs to another program, or to Aurite 0.4, keeps its journal mode: it is refused without a byte changed.
            version_of(lambda statement: connection.execute(statement).fetchall(), self.location)
            with self._lock.held():
                mode = connection.pragma("journal_mode", "wal")
        wanted = {
            "synchronous": self._synchronous,  # what a returned commit means
            "foreign_keys": 1,  # off unless asked, on every connection
            "trusted_schema": 0,  # no function with side effects from a schema that somebody else edited
        }
        for name, value in wanted.items():
            connection.pragma(name, value)
        found = {name: connection.pragma(name) for name in wanted}
        if mode != "wal" or found != wanted:
            raise StoreUnavailableError(
                f"the database {self.path} does not take the settings it needs: journal_mode {mode}, {found}",
                next_step="Put it on a local disk; network file systems cannot share a WAL",
            )
