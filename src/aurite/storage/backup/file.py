"""A backup as one file: a SQLite database of ours, with a manifest that tells one changed byte, one changed row.

Besides the tables of every database it has three: ``backup_manifest`` (names and values), ``backup_rows`` (the digests of rows, in
blocks) and ``backup_seal``, whose only row is the digest of the whole file, taken while zeros stood in its place.
"""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import apsw

from aurite.errors import InvalidValueError, NotAuriteDatabaseError, SameStoreError, StorageError, StoreUnavailableError
from aurite.storage.backup.manifest import FORMAT, Block, Manifest, as_values, from_values
from aurite.storage.backup.seal import SEAL_BYTES, seal_of, write_seal
from aurite.storage.copytext import lines_of
from aurite.storage.drafts import bring_to_disk, draft_folder
from aurite.storage.file_errors import storage_error
from aurite.storage.schema import CURRENT
from aurite.storage.sqlite.database import SqliteDatabase
from aurite.storage.sqlite.errors import translate
from aurite.storage.sqlite.moving import SqliteMovable
from aurite.storage.tables import Table

_MOST_DAMAGE = 20

_TABLES = (
    "CREATE TABLE backup_manifest (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID",
    "CREATE TABLE backup_rows (table_name TEXT NOT NULL, number INTEGER NOT NULL, first BLOB NOT NULL, digests BLOB NOT NULL,"
    " PRIMARY KEY (table_name, number)) STRICT",
    "CREATE TABLE backup_seal (id INTEGER PRIMARY KEY CHECK (id = 1), digest TEXT NOT NULL) STRICT",
)


class BackupFile:
    """A place where a backup lies, or shall lie."""

    def __init__(self, path: Path) -> None:
        self.path = Path(os.path.realpath(path))

    @contextmanager
    def draft(self, *, overwrite: bool, source: str) -> Iterator[Draft]:
        """Begin a backup; it lies in its place once it was sealed, and until then nothing does.

        Args:
            overwrite: another file may be in its place.
            source: the location of the database that it is made from.

        Raises:
            SameStoreError: it would take the place of its source.
            StorageError: something is in its place, or it cannot be written.
        """
        self._require_place(overwrite=overwrite, source=source)
        with draft_folder(self.path) as folder:
            yield Draft(folder / "backup.db", self, overwrite=overwrite)

    def changed_bytes(self) -> bool:
        """Whether a single byte is other than when the file was sealed, or changes lie beside it."""
        wal = self._beside("-wal")
        if wal.exists() and wal.stat().st_size:
            return True
        with self.opened() as backup:
            seal = backup.seal()
        return seal is None or seal_of(self.path, seal) != seal

    @contextmanager
    def opened(self) -> Iterator[OpenBackup]:
        """Read the backup, as it is in the file itself, without making any file beside it.

        Raises:
            NotAuriteDatabaseError: it is no backup.
            StorageError: it is not there, or cannot be read.
        """
        self._require_file()
        try:
            connection = apsw.Connection(
                f"file:{quote(str(self.path))}?mode=ro&immutable=1", flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
            )
            try:
                yield OpenBackup(connection, self.path)
            finally:
                connection.close()
        except apsw.Error as error:
            raise _damaged(self.path) from error

    @contextmanager
    def movable(self, schema_version: int) -> Iterator[SqliteMovable]:
        """The backup as a source to move out of; one with an older schema is upgraded in a copy.

        Raises:
            StorageError: it cannot be read, or a newer Aurite wrote it.
        """
        if schema_version >= CURRENT["sqlite"]:
            try:
                yield SqliteMovable(self.path, sound_check=False)
            finally:
                self._tidy()
            return
        with tempfile.TemporaryDirectory(prefix="aurite-") as folder:
            copy = Path(folder) / self.path.name
            try:
                shutil.copyfile(self.path, copy)
            except OSError as error:
                raise storage_error(error, copy) from error
            SqliteDatabase(copy, synchronous="OFF").close()
            yield SqliteMovable(copy, sound_check=False)

    def _require_file(self) -> None:
        if not self.path.exists():
            raise StoreUnavailableError(f"there is no backup at {self.path}", next_step="Check the path")
        if not self.path.is_file():
            raise StoreUnavailableError(f"{self.path} is no file", next_step="Check the path")
        if not os.access(self.path, os.R_OK):
            raise StoreUnavailableError(f"{self.path} cannot be read", next_step="Check the permissions of the file")

    def _require_place(self, *, overwrite: bool, source: str) -> None:
        if self.path.is_dir():
            raise StoreUnavailableError(f"{self.path} is a folder", next_step="Name a file in it")
        if not self.path.exists():
            return
        if os.path.exists(source) and self.path.samefile(source):  # noqa: PTH110 - a server's location is no path
            raise SameStoreError(f"{self.path} is the database itself", next_step="Name another file for its backup")
        if not overwrite:
            raise StoreUnavailableError(
                f"{self.path} is there already", next_step="Name another file, or replace this one with --overwrite"
            )
        self._tidy()
        for suffix in ("-wal", "-journal"):
            # SQLite would take it for unfinished changes of the new file.
            if (beside := self._beside(suffix)).exists():
                raise StoreUnavailableError(
                    f"{beside} shows that {self.path.name} is in use as a database", next_step="Name another file for the backup"
                )

    def _tidy(self) -> None:
        """Have SQLite take away what a reader left beside the file, unless somebody uses it still."""
        if self._beside("-wal").exists():
            with suppress(apsw.Error):
                connection = apsw.Connection(str(self.path), flags=apsw.SQLITE_OPEN_READWRITE)
                try:
                    connection.execute("SELECT count(*) FROM sqlite_master").fetchall()
                finally:
                    connection.close()

    def _beside(self, suffix: str) -> Path:
        return self.path.with_name(self.path.name + suffix)


class Draft:
    """A backup that is being made."""

    def __init__(self, path: Path, place: BackupFile, *, overwrite: bool) -> None:
        self.movable = SqliteMovable(path)
        self._path = path
        self._place = place
        self._overwrite = overwrite

    @contextmanager
    def proving(self) -> Iterator[Proof]:
        """Read the filled file again and note what it holds."""
        try:
            connection = apsw.Connection(str(self._path), flags=apsw.SQLITE_OPEN_READWRITE)
            try:
                connection.pragma("synchronous", 0)  # nobody needs the draft before it is sealed
                with connection:
                    for statement in _TABLES:
                        connection.execute(statement).fetchall()
                    yield Proof(connection, self._path)
                connection.pragma("wal_checkpoint(TRUNCATE)")
            finally:
                connection.close()
        except apsw.Error as error:
            raise translate(error, self._place.path) from error

    def seal(self) -> None:
        """Write the digest of the file into it, and put it in its place, on disk with its name.

        Raises:
            StorageError: it cannot be written there, or somebody else put something there meanwhile.
        """
        place = self._place.path
        try:
            write_seal(self._path)
            self._path.chmod(0o600)
            bring_to_disk(self._path)
            if self._overwrite:
                self._path.replace(place)
            else:
                os.link(self._path, place)
            bring_to_disk(place.parent)
        except FileExistsError as error:
            raise StoreUnavailableError(f"{place} was made by another program meanwhile", next_step="Name another file") from error
        except OSError as error:
            raise storage_error(error, place) from error


class Proof:
    """The manifest of a draft, being written in one transaction."""

    def __init__(self, connection: apsw.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path

    def lines(self, table: Table) -> Iterator[bytes]:
        """The rows of a table as they lie in the file, in the order of their keys."""
        return _lines(self._connection, table)

    def note_rows(self, table: Table, blocks: Iterable[Block]) -> None:
        """Keep the digests of a table's rows; the blocks may be made while they are taken."""
        rows = ((table.name, number, block.first, block.digests) for number, block in enumerate(blocks))
        for _ in self._connection.executemany("INSERT INTO backup_rows VALUES (?, ?, ?, ?)", rows):
            pass

    def schema_version(self) -> int:
        version: int = self._connection.execute("SELECT max(version) FROM schema_migrations").get
        return version

    def note(self, manifest: Manifest) -> None:
        """Keep the manifest."""
        for _ in self._connection.executemany("INSERT INTO backup_manifest VALUES (?, ?)", as_values(manifest).items()):
            pass
        self._connection.execute("INSERT INTO backup_seal VALUES (1, ?)", (secrets.token_hex(SEAL_BYTES),)).fetchall()


class OpenBackup:
    """A backup that is being read.

    Raises:
        NotAuriteDatabaseError: it is no backup.
    """

    def __init__(self, connection: apsw.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path
        self.manifest = self._manifest()

    def seal(self) -> str | None:
        """The digest of the file as its maker noted it; None where none can be read."""
        try:
            seal = self._connection.execute("SELECT digest FROM backup_seal").get
        except UnicodeDecodeError:
            return None
        return seal if isinstance(seal, str) and len(seal) == 2 * SEAL_BYTES and seal.isascii() else None

    def lines(self, table: Table) -> Iterator[bytes]:
        """The rows of a table in the order of their keys.

        Raises:
            InvalidValueError, StorageError: a row is damaged, or the file.
        """
        try:
            yield from _lines(self._connection, table)
        except apsw.Error as error:
            raise _damaged(self._path) from error

    def blocks(self, table: Table) -> list[Block]:
        """The digests of the table's rows when the backup was made.

        Raises:
            StorageError: they are damaged.
        """
        statement = "SELECT first, digests FROM backup_rows WHERE table_name = ? ORDER BY number"
        try:
            rows: list[tuple[Any, ...]] = self._connection.execute(statement, (table.name,)).fetchall()
        except apsw.Error as error:
            raise _damaged(self._path) from error
        return [Block(*row) for row in rows]

    def damage(self) -> list[str]:
        """What is wrong with the file as a database; empty where nothing is."""
        try:
            found = self._connection.execute(f"PRAGMA integrity_check({_MOST_DAMAGE})").fetchall()
        except apsw.Error:
            return ["it cannot be checked as a database"]
        return [_in_short(str(text)) for (text,) in found if text != "ok"]

    def _require_manifest(self) -> None:
        tables = {name for (name,) in self._connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()}
        if {"backup_manifest", "backup_seal", "backup_rows"} <= tables:
            return
        ours = {"store_meta", "components"} <= tables
        raise NotAuriteDatabaseError(
            f"{self._path} is {'a database of Aurite, but no backup' if ours else 'no backup of Aurite'}: it has no manifest",
            next_step=f"Move it with aurite migrate --source-path {self._path}" if ours else "Check the path",
        )

    def _manifest(self) -> Manifest:
        try:
            self._require_manifest()
            rows: list[tuple[Any, ...]] = self._connection.execute("SELECT name, value FROM backup_manifest").fetchall()
            values = {name: str(value) for name, value in rows}
            if int(values["format"]) > FORMAT:
                raise NotAuriteDatabaseError(
                    f"{self._path} is a backup of a newer version of Aurite",
                    next_step="Install the newer version: pip install --upgrade aurite",
                )
            return from_values(values)
        except (KeyError, ValueError, TypeError, InvalidValueError) as error:
            raise _damaged(self._path) from error


def _damaged(path: Path) -> StorageError:
    return NotAuriteDatabaseError(
        f"{path} is a damaged backup, or none of Aurite's",
        next_step=f"Use another backup; what can still be read of this one moves with aurite migrate --source-path {path}",
    )


def _in_short(text: str) -> str:
    # The first line of a finding on several may be no more than "*** in database main ***".
    return " ".join(text.split())[:200]


def _lines(connection: apsw.Connection, table: Table) -> Iterator[bytes]:
    rows = connection.execute(f"SELECT {', '.join(table.columns)} FROM {table.name} ORDER BY {', '.join(table.key)}")
    try:
        yield from lines_of(rows, table)
    except UnicodeDecodeError as error:
        raise InvalidValueError(f"{table.name} holds bytes that are not UTF-8") from error
