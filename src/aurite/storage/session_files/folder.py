"""The folder of the session files: names, locks, and deletion of many files as one."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from aurite.errors import StoreUnavailableError
from aurite.model.jsontext import decode, encode
from aurite.storage.file_errors import storage_error

SUFFIX = ".jsonl"
_SAFE = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789-_")
_MAX_STEM = 200
_LOCK = ".lock"
_JOURNAL = ".deleting"


_locked: set[int] = set()
"""Descriptors that hold a lock. A forked child shares them, and would keep the locks of a parent that was killed."""


def _leave_locks_to_the_parent() -> None:
    while _locked:
        os.close(_locked.pop())


os.register_at_fork(after_in_child=_leave_locks_to_the_parent)


def file_name(session_id: str) -> str:
    """The name of a session's file: different ids never share one, even where the file system ignores case."""
    raw = session_id.encode("utf-8", "surrogatepass")
    stem = "".join(chr(byte) if byte in _SAFE else f"%{byte:02x}" for byte in raw)
    if len(stem) > _MAX_STEM:
        # "~" is escaped in every other name, so that no id can be made to look like a shortened one.
        stem = f"{stem[:150]}~{hashlib.sha256(raw).hexdigest()[:40]}"
    return stem + SUFFIX


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Errors of the operating system as a :class:`StorageError` that names the path."""
    try:
        yield
    except OSError as error:
        raise StoreUnavailableError(
            f"{error.filename or path} cannot be read: {error.strerror}", next_step="Check the path and its permissions."
        ) from error


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """The same for a write: a full disk and a read-only place are told apart from the rest."""
    try:
        yield
    except OSError as error:
        raise storage_error(error, Path(error.filename or path)) from error


class SessionFolder:
    """A folder that is made at the first write. Methods raise OSError; the caller wraps them in ``reading`` or ``writing``."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def make(self) -> None:
        if not self.path.is_dir():
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            _sync(self.path.parent)

    def entries(self) -> list[os.DirEntry[str]]:
        """Files that may hold sessions, by name; hidden ones are the store's own."""
        try:
            with os.scandir(self.path) as found:
                entries = [entry for entry in found if not entry.name.startswith(".")]
        except FileNotFoundError:
            return []
        gone = self.deleted()
        return sorted((entry for entry in entries if entry.name not in gone), key=lambda entry: entry.name)

    @contextmanager
    def opened(self, name: str) -> Iterator[int | None]:
        """A descriptor to read a file with; None where it is not there, or deleted already."""
        descriptor = None
        if name not in self.deleted():
            with suppress(FileNotFoundError):
                descriptor = os.open(self.path / name, os.O_RDONLY | os.O_CLOEXEC)
        try:
            yield descriptor
        finally:
            if descriptor is not None:
                os.close(descriptor)

    def lock(self, name: str, *, create: bool = False) -> int:
        """A descriptor of a file that nobody else writes until it is given to :meth:`release`.

        Raises:
            FileNotFoundError: it is not there, or was deleted while this waited for its lock.
        """
        path = self.path / name
        flags = os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT if create else 0)
        while True:
            descriptor = os.open(path, flags, 0o600)
            _locked.add(descriptor)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                gone = name in self.deleted()
                if not gone and _is_at(descriptor, path):
                    return descriptor
            except BaseException:
                self.release(descriptor)
                raise
            self.release(descriptor)
            if gone and not create:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
            if gone:
                with self.exclusive():
                    pass

    def release(self, descriptor: int) -> None:
        """Let others write to what :meth:`lock` gave."""
        _locked.discard(descriptor)
        os.close(descriptor)

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """The folder for oneself while files are deleted or taken over; a deletion that was cut off is finished first."""
        descriptor = os.open(self.path / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        _locked.add(descriptor)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            self._finish_deletion()
            yield
        finally:
            self.release(descriptor)

    def delete(self, names: list[str]) -> None:
        """Delete files, all or none, while :meth:`exclusive` is held.

        The list of names is written first. From the moment it is there the files count as deleted; whoever is killed
        before they are leaves the rest to the next one.
        """
        if len(names) == 1:
            (self.path / names[0]).unlink()
        elif names:
            self.replace(_JOURNAL, encode(names).encode())
            self._finish_deletion()
        self.sync()

    def deleted(self) -> frozenset[str]:
        """Names of files that count as deleted, though some may still be there."""
        try:
            data = (self.path / _JOURNAL).read_bytes()
        except FileNotFoundError:
            return frozenset()
        return frozenset(decode(data))

    def _finish_deletion(self) -> None:
        names = self.deleted()
        for name in names:
            (self.path / name).unlink(missing_ok=True)
        if names:
            self.sync()
            (self.path / _JOURNAL).unlink()

    def replace(self, name: str, data: bytes) -> None:
        """Put a whole file in place at once, while :meth:`exclusive` is held."""
        draft = self.path / ".draft"
        try:
            draft.unlink(missing_ok=True)
            with open(draft, "xb", opener=_open_private) as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            draft.rename(self.path / name)
        except OSError:
            draft.unlink(missing_ok=True)
            raise
        self.sync()

    def sync(self) -> None:
        """Make new and removed names survive a power loss."""
        _sync(self.path)


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        there = path.stat()
    except FileNotFoundError:
        return False
    return os.path.samestat(os.fstat(descriptor), there)
