"""The user that the service runs as in a container, and the folder that is made theirs."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from aurite.errors import SettingsError, StoreReadOnlyError, UsageError

SERVICE_USER = 10001
"""User and group id, as in the Dockerfile; above those of people, so that it is nobody's on the host."""

_NOT_OURS = frozenset(
    Path("/") / name
    for name in ("", "bin", "boot", "dev", "etc", "home", "lib", "lib64", "opt", "proc", "root", "run", "sbin", "sys", "usr", "var")
)
"""Folders that belong to the system, whatever a variable says."""

_FILES_OF_A_DATABASE = ("", "-wal", "-shm", ".wlock")


@dataclass(frozen=True, slots=True)
class Place:
    """A folder that Aurite writes to, and the beginning of the names of its files there; empty for all files."""

    folder: Path
    prefix: str = ""


def hand_over(place: Place, *, to: int = SERVICE_USER) -> None:
    """Make a place that the user cannot write theirs: the folder, made where it is missing, and the files; not what lies deeper.

    Only root can.

    Raises:
        SettingsError: the folder belongs to the system.
        StoreReadOnlyError: the folder cannot be made, or its owner cannot be changed.
    """
    try:
        _make(place.folder, to)
        is_writable = _is_writable_for(to, place.folder)
        if is_writable and place.folder.is_symlink():
            return
        if not is_writable and place.folder.resolve() in _NOT_OURS:
            raise SettingsError(
                f"the data folder {place.folder} belongs to the system",
                next_step="Let AURITE_DB_PATH name a file in a folder of its own, such as /data/aurite.db",
            )
        # A symbolic link could lead root to any folder.
        descriptor = os.open(place.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            if not is_writable:
                os.fchown(descriptor, to, to)
            _hand_over_files(descriptor, place.prefix, to)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise _not_writable(place.folder, to, error.strerror or type(error).__name__) from error


def become(user: int = SERVICE_USER) -> None:
    """Give up root for good.

    Raises:
        UsageError: root in this container may not.
    """
    try:
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
    except PermissionError as error:
        raise UsageError(
            f"root may not become the user {user} in this container",
            next_step=f"Give it CAP_SETUID and CAP_SETGID, or start it as another user: --user {user}:{user}",
        ) from error


def require_writable(place: Place) -> None:
    """Returns where this process can write to the place of a database; makes the folder where it is missing.

    Raises:
        StoreReadOnlyError: it cannot.
    """
    try:
        place.folder.mkdir(mode=0o750, parents=True, exist_ok=True)
    except OSError as error:
        raise _not_writable(place.folder, os.getuid(), error.strerror or type(error).__name__) from error
    if not os.access(place.folder, os.W_OK | os.X_OK):
        raise _not_writable(place.folder, os.getuid(), "permission denied")
    for path in (place.folder / f"{place.prefix}{end}" for end in _FILES_OF_A_DATABASE):
        if path.exists() and not os.access(path, os.R_OK | os.W_OK):
            raise _not_writable(path, os.getuid(), "permission denied")


def _make(folder: Path, owner: int) -> None:
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    for path in reversed(missing):
        path.mkdir(mode=0o750)
        os.chown(path, owner, owner)


def _hand_over_files(folder: int, prefix: str, owner: int) -> None:
    with os.scandir(folder) as entries:
        for entry in entries:
            if not entry.name.startswith(prefix):
                continue
            with suppress(FileNotFoundError):  # another container has just closed the database
                there = entry.stat(follow_symlinks=False)
                if stat.S_ISREG(there.st_mode) and there.st_uid != owner:
                    os.chown(entry.name, owner, owner, dir_fd=folder, follow_symlinks=False)


def _is_writable_for(user: int, folder: Path) -> bool:
    """Asked by a process of that user: mode bits alone know nothing of access lists and read-only mounts."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            become(user)
            status = 0 if os.access(folder, os.W_OK | os.X_OK) else 1
        finally:
            os._exit(status)
    return os.waitpid(child, 0)[1] == 0


def _not_writable(path: Path, user: int, reason: str) -> StoreReadOnlyError:
    return StoreReadOnlyError(
        f"{path} cannot be written by the user {user}: {reason}",
        next_step=f"Mount a folder that this user may write, or make it theirs: chown -R {user} FOLDER",
    )
