"""Drafts: what is made beside its place and put there whole, and is cleared away where its maker was killed."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aurite.storage.file_errors import storage_error

_SUFFIX = ".draft"


@contextmanager
def draft_folder(place: Path) -> Iterator[Path]:
    """A folder of its own (0700) beside a place, on the same file system, that is gone afterwards.

    Drafts for the same place whose makers were killed are cleared away first. Missing parents are made.

    Raises:
        StorageError: it cannot be made.
    """
    import shutil

    prefix = f".{place.name[:60]}-"
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        _clear(place.parent, prefix)
        folder, lock = _made(place.parent, prefix)
    except OSError as error:
        raise storage_error(error, place) from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def bring_to_disk(path: Path) -> None:
    """Returns once a file's content, or a folder's names, are on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _made(parent: Path, prefix: str) -> tuple[Path, int]:
    """A new folder, and the lock on it that the kernel gives back when this process dies, however it dies.

    The folder itself is locked, so that none is without a lock while it is filled or cleared away.
    """
    import tempfile

    while True:
        folder = Path(tempfile.mkdtemp(prefix=prefix, suffix=_SUFFIX, dir=parent))
        try:
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue  # taken for a left one, before it was locked
        fcntl.flock(lock, fcntl.LOCK_EX)
        if folder.exists():
            return folder, lock
        os.close(lock)


def _clear(parent: Path, prefix: str) -> None:
    for entry in list(os.scandir(parent)):
        if entry.name.startswith(prefix) and entry.name.endswith(_SUFFIX) and entry.is_dir(follow_symlinks=False):
            _clear_one(Path(entry.path))


def _clear_one(folder: Path) -> None:
    import shutil

    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return  # cleared by another, or somebody else's
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
    except BlockingIOError:
        pass  # its maker is at work
    finally:
        os.close(descriptor)
