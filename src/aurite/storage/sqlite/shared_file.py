"""A database file that another SQLite library in this process may open, too: Python's own ``sqlite3``, to look into it or edit it.

The locks of two libraries in one process do not see each other, and the one that closes its last connection takes itself for the
last user of the file: it folds the WAL into the database and deletes it. The other goes on writing into a deleted file, and what it
commits is lost (https://www.sqlite.org/howtocorrupt.html 2.2.1). Locks of an open file description, which Linux has, are seen by
everyone; the two that are held here keep the WAL and its index in place. On macOS there is no such lock, and no such protection.
"""

from __future__ import annotations

import fcntl
import os
import struct
import threading
import weakref
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

Release: TypeAlias = "weakref.finalize[[], object]"

# Which bytes SQLite locks: os_unix.c, and https://www.sqlite.org/walformat.html 2.3.1.
_SHARED_BYTE = 0x40000002
"""Of the database: whoever has it open holds it; who deletes the WAL takes it for itself before."""
_USED_BYTE = 128
"""Of the ``-shm``: whoever has it open holds it; who finds it free begins the index anew."""
_WRITING_BYTE = 120
"""Of the ``-shm``: held by the one that writes."""

_FLOCK = "@hhqqi4x"
_GET, _SET = (getattr(fcntl, name, None) for name in ("F_OFD_GETLK", "F_OFD_SETLK"))


class SharedFile:
    """The locks on one database file, held as long as somebody in this process uses it."""

    def __init__(self, database: int, index: int) -> None:
        self._database, self._index = database, index
        self._users = 0

    def used_by(self, user: object) -> Release:
        """What gives the locks back when it is called, or when the user is gone; call it before the last connection is closed."""
        with _guard:
            self._users += 1
            if self._users == 1:
                self._set(fcntl.F_RDLCK)
        return weakref.finalize(user, self._leave)

    def is_written(self) -> bool:
        """Whether anybody is in the middle of a write, this process included."""
        return self._index >= 0 and _GET is not None and _lock(self._index, _GET, fcntl.F_WRLCK, _WRITING_BYTE) != fcntl.F_UNLCK

    def close_if_unused(self) -> bool:
        """Whether it is closed now. Closing drops what SQLite holds on the file, so nobody may have a connection any more."""
        if not self._users:
            self.forget()
        return not self._users

    def forget(self) -> None:
        """Close it without touching the locks: in a forked child they are still the parent's."""
        descriptors, self._database, self._index = (self._database, self._index), -1, -1
        for descriptor in descriptors:
            if descriptor >= 0:
                os.close(descriptor)

    def _leave(self) -> None:
        with _guard:
            self._users -= 1
            if not self._users:
                self._set(fcntl.F_UNLCK)

    def _set(self, kind: int) -> None:
        if _SET is not None and self._database >= 0:
            with suppress(OSError):  # a file system without such locks, or somebody who closes the file right now
                _lock(self._database, _SET, kind, _SHARED_BYTE)
                _lock(self._index, _SET, kind, _USED_BYTE)


def shared_file(path: Path) -> SharedFile:
    """The locks on a database file that a connection of this process has read from, so that its ``-shm`` is there."""
    with _guard:
        for key, unused in list(_files.items()):
            if unused.close_if_unused():
                del _files[key]
        there = path.stat()
        key = (there.st_dev, there.st_ino)
        if key not in _files:
            flags = os.O_RDWR | os.O_CLOEXEC
            index = os.open(path.with_name(path.name + "-shm"), flags)
            _files[key] = SharedFile(os.open(path, flags), index)
        return _files[key]


def _lock(descriptor: int, command: int, kind: int, byte: int) -> int:
    answer = fcntl.fcntl(descriptor, command, struct.pack(_FLOCK, kind, os.SEEK_SET, byte, 1, 0))
    held: int = struct.unpack(_FLOCK, answer)[0]
    return held


_guard = threading.RLock()
_files: dict[tuple[int, int], SharedFile] = {}
"""By device and inode."""


def _forget_parent() -> None:
    global _guard  # noqa: PLW0603 - a thread of the parent may have held it
    _guard = threading.RLock()
    for file in _files.values():
        file.forget()
    _files.clear()


os.register_at_fork(after_in_child=_forget_parent)
