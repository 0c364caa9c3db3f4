"""A SQLite file as the source or target of a move."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

import apsw

from aurite.errors import AuriteError, InvalidValueError, NotAuriteDatabaseError, StoreUnavailableError
from aurite.model.records import Problem
from aurite.storage.copytext import line_of, lines_of, row_of
from aurite.storage.file_errors import storage_error
from aurite.storage.merging import merge_statements, staging_name
from aurite.storage.schema import CURRENT, EMPTY, version_of
from aurite.storage.sqlite import SqliteDatabase
from aurite.storage.sqlite_errors import translate
from aurite.storage.tables import TABLES, Table


class SqliteMovable:
    """A database file to move out of or into.

    Args:
        path: the file; as a target it may be missing.
        sound_check: read the whole source for damage before anything is moved.
    """

    def __init__(self, path: Path, *, sound_check: bool = True) -> None:
        self.path = path.absolute()
        self._sound_check = sound_check

    @property
    def location(self) -> str:
        return str(self.path)

    @contextmanager
    def source(self) -> Iterator[_Source]:
        _require_file(self.path)
        with _read_only(self.path) as connection:
            try:
                _require_ours(connection, self.path)
                connection.execute("BEGIN").fetchall()
                if self._sound_check:
                    _require_sound(connection, self.path)
                yield _Source(connection, self.path)
            except apsw.Error as error:
                raise translate(error, self.path) from error

    @contextmanager
    def target(self, *, dry_run: bool = False) -> Iterator[_Target]:
        if self.path.exists() and not _is_empty_file(self.path):
            with _filled(self.path, self.path) as target:
                yield target
            return
        _refuse_leftovers(self.path)
        with _beside(self.path, elsewhere=dry_run) as draft:
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
        with suppress(OSError):
            found = self._path.stat()
            return ("sqlite", found.st_dev, found.st_ino)
        return ("sqlite", str(self._path.resolve()))

    def config_version(self) -> int:
        version: int = self._connection.execute("SELECT config_version FROM store_meta").get
        return version

    def count(self, table: Table) -> int:
        found: int = self._connection.execute(f"SELECT count(*) FROM {table.name}").get
        return found

    def _select(self, table: Table, source: str) -> Iterator[bytes]:
        order = ", ".join(table.key)
        rows = self._connection.execute(f"SELECT {', '.join(table.columns)} FROM {source} ORDER BY {order}")
        try:
            yield from lines_of(rows, table)
        except UnicodeDecodeError as error:
            raise InvalidValueError(f"{table.name} of {self.location} holds bytes that are not UTF-8") from error


class _Source(_Rows):
    def lines(self, table: Table) -> Iterator[bytes]:
        return self._select(table, table.name)

    def misfits(self, table: Table, *, thorough: bool = False) -> Iterator[Problem]:
        # SQLite keeps a value of any type, and bytes that are no text, in any column; rows that look odd are read one by one.
        odd = " OR ".join(_odd(column, table) for column in table.columns)
        kinds = ", ".join(f"typeof({column})" for column in table.columns)
        raw = ", ".join(f"CASE typeof({c}) WHEN 'text' THEN CAST({c} AS BLOB) ELSE {c} END" for c in table.columns)
        where = "" if thorough else f" WHERE {odd}"
        rows = self._connection.execute(f"SELECT {kinds}, {raw} FROM {table.name}{where}")
        for row in rows:
            half = len(table.columns)
            values = [_decoded(value, kind) for kind, value in zip(row[:half], row[half:], strict=True)]
            try:
                line_of(values, table)
            except AuriteError as error:
                key = ", ".join(repr(value) for value in values[: len(table.key)])
                yield Problem(f"{table.name} ({key})", error.message)


class _Target(_Rows):
    """A database inside one transaction; the triggers for edits by hand keep still."""

    def __init__(self, connection: apsw.Connection, path: Path) -> None:
        super().__init__(connection, path)
        self.committed = False
        self._staged: set[str] = set()

    def load(self, table: Table, lines: Iterable[bytes]) -> None:
        self._insert(table, table.name, lines)

    def stage(self, table: Table, lines: Iterable[bytes]) -> None:
        stage = staging_name(table)
        self._connection.execute(f"CREATE TEMP TABLE {stage} ({', '.join(table.columns)})").fetchall()
        self._staged.add(table.name)
        self._insert(table, stage, lines)

    def conflicts(self) -> dict[str, int]:
        return {
            unit: self._connection.execute(statement).get
            for unit, statement in merge_statements(replace=False, version=0).conflicts.items()
        }

    def merge(self, *, replace: bool, version: int) -> None:
        for statement in merge_statements(replace=replace, version=version).steps:
            self._connection.execute(statement).fetchall()

    def lines(self, table: Table, *, staged: bool = False, merged: bool = False) -> Iterator[bytes]:
        if merged:
            joined = " AND ".join(f"staged.{column} = {table.name}.{column}" for column in table.key)
            return self._select(
                table, f"{table.name} WHERE EXISTS (SELECT 1 FROM temp.{staging_name(table)} AS staged WHERE {joined})"
            )
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
def _filled(file: Path, path: Path, *, synchronous: str = "FULL") -> Iterator[_Target]:
    """A target in one transaction on a file; ``path`` is what it is called."""
    database = SqliteDatabase(file, synchronous=synchronous)
    try:
        with database.alone() as connection:
            connection.execute("BEGIN IMMEDIATE").fetchall()
            try:
                connection.execute("UPDATE store_meta SET writer = 'migrate'").fetchall()
                yield _Target(connection, path)
            finally:
                if connection.in_transaction:
                    with suppress(apsw.Error):
                        connection.execute("ROLLBACK").fetchall()
    finally:
        database.close()


def _put_in_place(draft: Path, path: Path) -> None:
    """A finished file under its name, on disk with its name."""
    try:
        _sync(draft)
        if path.exists():
            draft.replace(path)  # an empty file
        else:
            os.link(draft, path)
        _sync(path.parent)
    except FileExistsError as error:
        raise StoreUnavailableError(f"{path} was made by another program meanwhile", next_step="Name another target") from error
    except OSError as error:
        raise storage_error(error, path) from error


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _refuse_leftovers(path: Path) -> None:
    # SQLite would take such a file for unfinished changes of the new database.
    for suffix in ("-wal", "-journal"):
        leftover = path.with_name(path.name + suffix)
        if leftover.exists():
            raise StoreUnavailableError(
                f"{leftover} is left over from a database that is gone", next_step="Move it away, or name another target"
            )


@contextmanager
def _beside(path: Path, *, elsewhere: bool) -> Iterator[Path]:
    """A name for a file beside another, in a folder of its own that is gone afterwards; among temporary files where asked."""
    try:
        if not elsewhere:
            path.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{path.name[:60]}-", suffix=".moving", dir=None if elsewhere else path.parent))
    except OSError as error:
        raise storage_error(error, path) from error
    try:
        yield folder / path.name
    finally:
        shutil.rmtree(folder, ignore_errors=True)


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
    with tempfile.TemporaryDirectory(prefix="aurite-") as folder:
        copy = Path(folder) / path.name
        try:
            for suffix in ("", "-wal"):
                if (part := path.with_name(path.name + suffix)).exists():
                    shutil.copyfile(part, copy.with_name(copy.name + suffix))
        except OSError as error:
            raise storage_error(error, path) from error
        connection = _opened(copy)
        if connection is None:
            raise StoreUnavailableError(f"the database {path} cannot be read", next_step="Check the permissions of its folder")
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
            raise StoreUnavailableError(
                f"the database {path} cannot be read", next_step="Check the permissions of the file and of its folder"
            ) from None
        return None
    except apsw.Error as error:
        raise translate(error, path) from error
    return connection


def _require_file(path: Path) -> None:
    if not path.exists():
        raise StoreUnavailableError(f"there is no database at {path}", next_step="Check the path; a source is never created")
    if path.is_dir():
        raise StoreUnavailableError(f"{path} is a folder, not a database file", next_step="Check the path")


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


def _is_empty_file(path: Path) -> bool:
    try:
        return path.is_file() and path.stat().st_size == 0 and not path.with_name(path.name + "-wal").exists()
    except OSError as error:
        raise storage_error(error, path) from error


def _decoded(value: object, kind: str) -> object:
    # What is not UTF-8 becomes lone surrogates, which line_of refuses by name.
    return value.decode("utf-8", "surrogateescape") if kind == "text" and isinstance(value, bytes) else value


def _odd(column: str, table: Table) -> str:
    if column in table.numbers:
        kinds = "'integer', 'null'" if column in table.optional else "'integer'"
        return f"typeof({column}) NOT IN ({kinds})"
    kinds = "'text', 'null'" if column in table.optional else "'text'"
    return f"typeof({column}) NOT IN ({kinds}) OR instr({column}, char(0)) > 0"
