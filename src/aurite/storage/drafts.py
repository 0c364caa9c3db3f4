"""Drafts: what is made beside its place and put there whole, and is cleared away where its maker was killed."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aurite.storage.file_errors import storage_error

_LOCK = ".lock"
_SUFFIX = ".draft"


@contextmanager
def draft_folder(place: Path) -> Iterator[Path]:
    """A folder of its own (0700) beside a place, on the same file system, that is gone afterwards.

    Drafts for the same place whose makers were killed are cleared away first. Missing parents are made.

    Raises:
        StorageError: it cannot be made.
    """
    import shutil
    import tempfile

    prefix = f".{place.name[:60]}-"
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        _clear(place.parent, prefix)
        folder = Path(tempfile.mkdtemp(prefix=prefix, suffix=_SUFFIX, dir=place.parent))
    except OSError as error:
        raise storage_error(error, place) from error
    lock = -1
    try:
        lock = _lock(folder)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if lock >= 0:
            os.close(lock)


def bring_to_disk(path: Path) -> None:
    """Returns once a file's content, or a folder's names, are on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _lock(folder: Path) -> int:
    """A lock that the kernel gives back when this process dies, however it dies."""
    try:
        descriptor = os.open(folder / _LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    except OSError as error:
        raise storage_error(error, folder) from error
    return descriptor


def _clear(parent: Path, prefix: str) -> None:
    for entry in list(os.scandir(parent)):
        if entry.name.startswith(prefix) and entry.name.endswith(_SUFFIX) and entry.is_dir(follow_symlinks=False):
            _clear_one(Path(entry.path))


def _clear_one(folder: Path) -> None:
    import shutil

    try:
        descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return  # just being made, or somebody else's
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
    except BlockingIOError:
        pass  # its maker is at work
    finally:
        os.close(descriptor)
