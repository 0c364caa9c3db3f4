"""A SQLite file as the source or target of a move."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

import apsw

from aurite.errors import AuriteError, InvalidValueError, NotAuriteDatabaseError, StoreUnavailableError
from aurite.model.records import Problem
from aurite.storage.copytext import line_of, lines_of, row_of
from aurite.storage.drafts import bring_to_disk, draft_folder
from aurite.storage.file_errors import storage_error
from aurite.storage.legacy.tables import LegacySource
from aurite.storage.merging import clash_statement, clashing_runs, merge_statements, merged_rows, staging_name
from aurite.storage.schema import CURRENT, EMPTY, version_of
from aurite.storage.sqlite.database import SqliteDatabase
from aurite.storage.sqlite.errors import translate
from aurite.storage.sqlite.legacy import SqliteOldDatabase, holds_0_4
from aurite.storage.tables import TABLES, Table


class SqliteMovable:
    """A database file to move out of or into.

    Args:
        path: the file; as a target it may be missing.
        sound_check: read the whole source for damage before anything is moved.
    """

    def __init__(self, path: Path, *, sound_check: bool = True) -> None:
        self.path = Path(os.path.realpath(path))  # SQLite looks for the WAL beside the file that a link leads to
        self._sound_check = sound_check

    @property
    def location(self) -> str:
        return str(self.path)

    def is_plainly(self, identity: tuple[object, ...]) -> bool:
        return _identity(self.path) == identity  # a file opened under two names in one process would confuse its locks

    @contextmanager
    def source(self) -> Iterator[_Source | LegacySource]:
        if _size(self.path) is None:
            raise StoreUnavailableError(
                f"there is no database at {self.path}", next_step="Check the path; a source is never created"
            )
        with _read_only(self.path) as connection:
            try:
                connection.execute("BEGIN").fetchall()
                of_0_4 = holds_0_4(connection)
                if not of_0_4:
                    _require_ours(connection, self.path)
                if self._sound_check:
                    _require_sound(connection, self.path)
                source = _Source(connection, self.path)
                yield source.of_0_4() if of_0_4 else source
            except apsw.Error as error:
                raise translate(error, self.path) from error

    @contextmanager
    def target(self, *, dry_run: bool = False) -> Iterator[SqliteTarget]:
        if _size(self.path):
            with _filled(self.path, self.path) as target:
                yield target
            return
        _refuse_leftovers(self.path)
        with _temporary_folder(self.path) if dry_run else draft_folder(self.path) as folder:
            draft = folder / self.path.name
            # Nobody reads the draft before it is whole, and then it is brought to disk in one go.
            with _filled(draft, self.path, synchronous="OFF") as target:
                yield target
            if target.committed:
                _put_in_place(draft, self.path)


class _Rows:
    """What source and target have in common: reading."""

    def __init__(self, connection: apsw.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path

    @property
    def location(self) -> str:
        return str(self._path)

    @property
    def identity(self) -> tuple[object, ...]:
        return _identity(self._path)

    def config_version(self) -> int:
        version: int = self._connection.execute("SELECT config_version FROM store_meta").get
        return version

    def count(self, table: Table) -> int:
        found: int = self._connection.execute(f"SELECT count(*) FROM {table.name}").get
        return found

    def _select(self, table: Table, source: str) -> Iterator[bytes]:
        order = ", ".join(table.key)
        try:
            rows = self._connection.execute(f"SELECT {', '.join(table.columns)} FROM {source} ORDER BY {order}")
            yield from lines_of(rows, table)
        except UnicodeDecodeError as error:
            raise InvalidValueError(f"{table.name} of {self.location} holds bytes that are not UTF-8") from error
        except apsw.Error as error:  # here, or it would be told of the database that the lines go to
            raise translate(error, self._path) from error


class _Source(_Rows):
    def of_0_4(self) -> LegacySource:
        """The same database, where Aurite 0.4 wrote it."""
        return LegacySource(SqliteOldDatabase(self._connection), location=self.location, identity=self.identity)

    def lines(self, table: Table) -> Iterator[bytes]:
        return self._select(table, table.name)

    def misfits(self, table: Table, *, thorough: bool = False) -> Iterator[Problem]:
        # SQLite keeps a value of any type, and bytes that are no text, in any column, and rows that belong to nothing, where
        # somebody else's program writes; rows that look odd are read one by one.
        odd = " OR ".join([*(_odd(column, table) for column in table.columns), _orphan(table)])
        kinds = ", ".join(f"typeof({column})" for column in table.columns)
        raw = ", ".join(f"CASE typeof({c}) WHEN 'text' THEN CAST({c} AS BLOB) ELSE {c} END" for c in table.columns)
        where = "" if thorough else f" WHERE {odd}"
        rows = self._connection.execute(f"SELECT {_orphan(table)}, {kinds}, {raw} FROM {table.name}{where}")
        for orphan, *row in rows:
            half = len(table.columns)
            values = [_decoded(value, kind) for kind, value in zip(row[:half], row[half:], strict=True)]
            where_it_is = f"{table.name} ({', '.join(repr(value) for value in values[: len(table.key)])})"
            try:
                line_of(values, table)
            except AuriteError as error:
                yield Problem(where_it_is, error.message)
            if orphan:
                yield Problem(where_it_is, "its session is not there")


class SqliteTarget(_Rows):
    """A database inside one transaction; the triggers for edits by hand keep still."""

    def __init__(self, connection: apsw.Connection, path: Path) -> None:
        super().__init__(connection, path)
        self.committed = False
        self._staged: set[str] = set()

    def load(self, table: Table, lines: Iterable[bytes]) -> None:
        self._insert(table, table.name, lines)

    def stage(self, table: Table, lines: Iterable[bytes]) -> None:
        stage = staging_name(table)
        key = ", ".join(table.key)
        self._connection.execute(f"CREATE TEMP TABLE {stage} ({', '.join(table.columns)}, PRIMARY KEY ({key}))").fetchall()
        self._staged.add(table.name)
        self._insert(table, stage, lines)

    def conflicts(self) -> dict[str, int]:
        return {
            unit: self._connection.execute(statement).get
            for unit, statement in merge_statements(replace=False, version=0).conflicts.items()
        }

    def clashes(self, *, replace: bool) -> list[Problem]:
        return clashing_runs(self._connection.execute(clash_statement(replace=replace)).fetchall())

    def merge(self, *, replace: bool, version: int) -> None:
        for statement in merge_statements(replace=replace, version=version).steps:
            self._connection.execute(statement).fetchall()

    def lines(self, table: Table, *, staged: bool = False, merged: bool = False) -> Iterator[bytes]:
        if merged:
            return self._select(table, merged_rows(table))
        return self._select(table, f"temp.{staging_name(table)}" if staged else table.name)

    def commit(self, *, version: int) -> None:
        self._connection.execute("UPDATE store_meta SET config_version = ?, writer = NULL", (version,)).fetchall()
        for name in self._staged:
            self._connection.execute(f"DROP TABLE temp.{staging_name(TABLES[name])}").fetchall()
        self._connection.execute("COMMIT").fetchall()
        self.committed = True

    def _insert(self, table: Table, name: str, lines: Iterable[bytes]) -> None:
        places = ", ".join("?" * len(table.columns))
        statement = f"INSERT INTO {name} ({', '.join(table.columns)}) VALUES ({places})"
        for _ in self._connection.executemany(statement, (row_of(line, table) for line in lines)):
            pass


@contextmanager
def _filled(file: Path, path: Path, *, synchronous: str = "FULL") -> Iterator[SqliteTarget]:
    """A target in one transaction on a file; ``path`` is what it is called."""
    database = SqliteDatabase(file, synchronous=synchronous)
    try:
        with database.alone() as connection:
            try:
                connection.execute("BEGIN IMMEDIATE").fetchall()
                connection.execute("UPDATE store_meta SET writer = 'migrate'").fetchall()
                yield SqliteTarget(connection, path)
            except apsw.Error as error:
                raise translate(error, path) from error
            finally:
                if connection.in_transaction:
                    with suppress(apsw.Error):
                        connection.execute("ROLLBACK").fetchall()
    finally:
        database.close()


@contextmanager
def _temporary_folder(path: Path) -> Iterator[Path]:
    """A folder among temporary files for what is not to be made beside ``path``; gone afterwards."""
    try:
        folder = tempfile.TemporaryDirectory(prefix="aurite-")
    except OSError as error:
        raise storage_error(error, path) from error
    with folder as name:
        yield Path(name)


def _put_in_place(draft: Path, path: Path) -> None:
    """A finished file under its name, on disk with its name."""
    _fold_wal(draft, path)
    try:
        bring_to_disk(draft)
        if _size(path) == 0:
            draft.replace(path)
        else:
            os.link(draft, path)
        bring_to_disk(path.parent)
    except FileExistsError as error:
        raise StoreUnavailableError(f"{path} was made by another program meanwhile", next_step="Name another target") from error
    except OSError as error:
        raise storage_error(error, path) from error


def _fold_wal(draft: Path, path: Path) -> None:
    # The last connection did so as it was closed, but would not have said that the disk is full.
    try:
        connection = apsw.Connection(str(draft), flags=apsw.SQLITE_OPEN_READWRITE)
        try:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        finally:
            connection.close()
    except apsw.Error as error:
        raise translate(error, path) from error


def _refuse_leftovers(path: Path) -> None:
    # SQLite would take such a file for unfinished changes of the new database.
    for suffix in ("-wal", "-journal"):
        leftover = path.with_name(path.name + suffix)
        if leftover.exists():
            raise StoreUnavailableError(
                f"{leftover} is left over from a database that is gone", next_step="Move it away, or name another target"
            )


@contextmanager
def _read_only(path: Path) -> Iterator[apsw.Connection]:
    """A connection that cannot write, the WAL beside the file included.

    Where the folder cannot be written, SQLite may be unable to share the WAL: then a copy of file and WAL is read instead.
    """
    connection = _opened(path)
    if connection is not None:
        try:
            yield connection
        finally:
            connection.close()
        return
    with _temporary_folder(path) as folder:
        copy = folder / path.name
        try:
            for suffix in ("", "-wal"):
                if (part := path.with_name(path.name + suffix)).exists():
                    shutil.copyfile(part, copy.with_name(copy.name + suffix))
        except OSError as error:
            raise storage_error(error, path) from error
        connection = _opened(copy)
        if connection is None:
            raise _unreadable(path)
        try:
            yield connection
        finally:
            connection.close()


def _opened(path: Path) -> apsw.Connection | None:
    try:
        connection = apsw.Connection(f"file:{quote(str(path))}?mode=ro", flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI)
        connection.set_busy_timeout(5000)
        connection.execute("SELECT count(*) FROM sqlite_master").fetchall()
    except (apsw.CantOpenError, apsw.ReadOnlyError):
        if not os.access(path, os.R_OK):
            raise _unreadable(path) from None
        return None
    except apsw.Error as error:
        raise translate(error, path) from error
    return connection


def _identity(path: Path) -> tuple[object, ...]:
    with suppress(OSError):
        found = path.stat()
        return ("sqlite", found.st_dev, found.st_ino)
    return ("sqlite", str(path))


def _size(path: Path) -> int | None:
    """Bytes of a file; None where there is none."""
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise _unreadable(path) from error
    if not stat.S_ISREG(found.st_mode):
        kind = "a folder" if stat.S_ISDIR(found.st_mode) else "a device or a pipe"
        raise StoreUnavailableError(f"{path} is {kind}, not a database file", next_step="Check the path")
    return found.st_size


def _unreadable(path: Path) -> StoreUnavailableError:
    return StoreUnavailableError(
        f"the database {path} cannot be read", next_step="Check the permissions of the file and of its folder"
    )


def _require_ours(connection: apsw.Connection, path: Path) -> None:
    version = version_of(lambda statement: connection.execute(statement).fetchall(), str(path))
    if version == EMPTY:
        raise NotAuriteDatabaseError(f"the database {path} is empty", next_step="Check the path; aurite export fills a database")
    if version != CURRENT["sqlite"]:
        raise NotAuriteDatabaseError(
            f"the database {path} has schema {version}, older than this version's {CURRENT['sqlite']}",
            next_step="Upgrade it first: aurite db upgrade",
        )


def _require_sound(connection: apsw.Connection, path: Path) -> None:
    found = connection.execute("PRAGMA quick_check(1)").get
    if found != "ok":
        raise NotAuriteDatabaseError(
            f"the database {path} is damaged: {str(found).splitlines()[0][:200]}", next_step="Restore it from a backup first"
        )


def _decoded(value: object, kind: str) -> object:
    # What is not UTF-8 becomes lone surrogates, which line_of refuses by name.
    return value.decode("utf-8", "surrogateescape") if kind == "text" and isinstance(value, bytes) else value


def _odd(column: str, table: Table) -> str:
    if column in table.numbers:
        kinds = "'integer', 'null'" if column in table.optional else "'integer'"
        return f"typeof({column}) NOT IN ({kinds})"
    kinds = "'text', 'null'" if column in table.optional else "'text'"
    return f"typeof({column}) NOT IN ({kinds}) OR instr({column}, char(0)) > 0"


def _orphan(table: Table) -> str:
    if table.unit != "session" or table.name == "sessions":
        return "0"
    return f"NOT EXISTS (SELECT 1 FROM sessions WHERE sessions.session_id = {table.name}.session_id)"
