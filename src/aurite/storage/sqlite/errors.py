"""What SQLite's errors mean for the caller: the one place that translates them."""

from __future__ import annotations

import os
from pathlib import Path

import apsw

from aurite.errors import (
    AuriteError,
    InvalidValueError,
    NotAuriteDatabaseError,
    StorageError,
    StoreBusyError,
    StoreFullError,
    StoreReadOnlyError,
    StoreUnavailableError,
)


def translate(error: apsw.Error | UnicodeEncodeError, path: Path) -> AuriteError:
    """Aurite's error for one of SQLite's, naming the file and the next step; texts with values in them are left out."""
    if isinstance(error, UnicodeEncodeError):
        return InvalidValueError(
            f"the database {path} cannot hold or look up a text with a lone surrogate, as bytes that are not UTF-8 become",
            next_step="Give the text in UTF-8",
        )
    code = getattr(error, "extendedresult", 0)
    if isinstance(error, apsw.CantOpenError):
        return _cannot_open(path)
    if isinstance(error, apsw.ReadOnlyError | apsw.PermissionsError) or (isinstance(error, apsw.IOError) and not _writable(path)):
        return _read_only(path)
    if isinstance(error, apsw.ConstraintError):
        return InvalidValueError(f"the database {path} refused a row ({_constraint(code)})")
    kind = apsw.FullError if code in _NO_ROOM_FOR_INDEX else type(error)
    for kinds, meaning, message, next_step in _MEANINGS:
        if issubclass(kind, kinds):
            return meaning(message.format(path), next_step=next_step)
    return StorageError(f"the database {path} failed ({type(error).__name__}, code {code})")


_NO_ROOM_FOR_INDEX = (apsw.SQLITE_IOERR_SHMSIZE, apsw.SQLITE_IOERR_SHMMAP)
"""On a full disk SQLite cannot make the ``-shm``, which a reader needs, too."""

_MEANINGS: tuple[tuple[tuple[type[apsw.Error], ...], type[StorageError], str, str], ...] = (
    (
        (apsw.FullError,),
        StoreFullError,
        "no space left for the database {}; nothing of this write was kept",
        "Free disk space, then run the command again",
    ),
    (
        (apsw.BusyError, apsw.LockedError),
        StoreBusyError,
        "another program keeps the database {} locked",
        "Close it or end its transaction (fuser shows who has the file open), then run the command again",
    ),
    (
        (apsw.NotADBError, apsw.CorruptError),
        NotAuriteDatabaseError,
        "{} is not a sound SQLite database",
        "Check AURITE_DB_PATH, or restore the file from a backup",
    ),
)


def _read_only(path: Path) -> StoreReadOnlyError:
    return StoreReadOnlyError(
        f"the database {path} cannot be written", next_step="Check the permissions of the file and of its folder"
    )


def _cannot_open(path: Path) -> StorageError:
    if path.is_dir():
        return StoreUnavailableError(f"{path} is a folder, not a database file", next_step="Check AURITE_DB_PATH")
    if path.exists() and not (_writable(path) and os.access(path.parent, os.W_OK)):
        return _read_only(path)
    return StoreUnavailableError(
        f"the database {path} cannot be opened", next_step="Check AURITE_DB_PATH and the permissions of its folder"
    )


def _writable(path: Path) -> bool:
    return os.access(path, os.W_OK)


def _constraint(code: int) -> str:
    kinds = {
        apsw.SQLITE_CONSTRAINT_CHECK: "a check",
        apsw.SQLITE_CONSTRAINT_FOREIGNKEY: "a foreign key",
        apsw.SQLITE_CONSTRAINT_NOTNULL: "a missing value",
        apsw.SQLITE_CONSTRAINT_PRIMARYKEY: "a key that is there already",
        apsw.SQLITE_CONSTRAINT_UNIQUE: "a key that is there already",
    }
    return kinds.get(code, "a constraint")
