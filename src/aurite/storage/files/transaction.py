"""Replacing files so that all of them change or none, whatever happens in between.

One file: its new content is written beside it, forced to disk and renamed over it. Several: all new contents are written first,
then a journal in each folder says which renames follow; once the first journal stands, the write has happened, and whoever comes
next finishes it. Folders are locked meanwhile (``flock``, which the kernel gives back when a process dies).
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import stat
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from aurite.errors import OutcomeUnknownError, StorageError
from aurite.storage.file_errors import storage_error
from aurite.storage.files.documents import SUFFIXES
from aurite.storage.files.scan import JOURNAL_PREFIX

_NEW_PREFIX = ".aurite-new-"


@contextlib.contextmanager
def locked_folders(folders: Collection[Path]) -> Iterator[None]:
    """Exclusive locks on folders, always taken in one order so that two writers never wait for each other.

    Raises:
        StorageError: a folder cannot be opened.
    """
    with contextlib.ExitStack() as stack:
        for folder in sorted(folders):
            try:
                descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                stack.callback(os.close, descriptor)
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            except OSError as error:
                raise storage_error(error, folder) from error
        yield


def replace_files(contents: Mapping[Path, bytes | None]) -> None:
    """Give every file its new content, or none of them; None deletes a file. The caller holds the locks of their folders.

    Raises:
        StorageError: disk full, read-only, ...; all files are as before.
    """
    token = secrets.token_hex(8)
    folders = sorted({path.parent for path in contents})
    _sweep(folders)
    made: list[Path] = []
    try:
        renames = _prepare(contents, token, made)
        deletes = [(path, _identity(path)) for path, content in contents.items() if content is None]
        if len(contents) > 1:
            _write_journals(folders, token, renames, deletes, made)
    except BaseException as error:
        for path in made:
            path.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise storage_error(error, Path(error.filename) if isinstance(error.filename, str) else folders[0]) from error
        raise
    try:
        _finish(renames, deletes, folders, [_journal(folder, token) for folder in folders])
    except StorageError as error:
        if len(contents) == 1:
            raise
        raise OutcomeUnknownError(
            f"the write is recorded, but could not be finished: {error.message}", next_step="The next command finishes it"
        ) from error


def _sweep(folders: Iterable[Path]) -> None:
    # Nobody else writes into a locked folder, so what is prepared there belongs to a process that died before it counted.
    for folder in folders:
        for left in folder.glob(f"{_NEW_PREFIX}*"):
            with contextlib.suppress(OSError):
                left.unlink()


def _prepare(contents: Mapping[Path, bytes | None], token: str, made: list[Path]) -> list[tuple[Path, Path]]:
    renames: list[tuple[Path, Path]] = []
    for number, (target, content) in enumerate(contents.items()):
        if content is None:
            if not os.access(target.parent, os.W_OK):
                raise PermissionError(13, "permission denied", str(target.parent))
            continue
        new = target.parent / f"{_NEW_PREFIX}{token}-{number}"
        made.append(new)
        _write_new(new, content, like=target)
        renames.append((new, target))
    return renames


def _write_new(path: Path, content: bytes, *, like: Path | None = None) -> None:
    """A new file forced to disk, with mode and owner of another one where that exists."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        if like is not None:
            _take_over(descriptor, like)
        view = memoryview(content)
        while view:
            view = view[os.write(descriptor, view) :]
        os.fsync(descriptor)
    except OSError as error:
        error.filename = str(like or path)
        raise
    finally:
        os.close(descriptor)


def _take_over(descriptor: int, like: Path) -> None:
    try:
        status = like.stat()
    except FileNotFoundError:
        return
    if not os.access(like, os.W_OK):  # renaming over it would get around its mode
        raise PermissionError(13, "permission denied", str(like))
    with contextlib.suppress(PermissionError):  # only root may give files away
        os.fchown(descriptor, status.st_uid, status.st_gid)
    os.fchmod(descriptor, stat.S_IMODE(status.st_mode))


def _identity(path: Path) -> list[int]:
    status = path.stat()
    return [status.st_ino, status.st_mtime_ns]


def _journal(folder: Path, token: str) -> Path:
    return folder / f"{JOURNAL_PREFIX}{token}"


def _write_journals(
    folders: list[Path], token: str, renames: list[tuple[Path, Path]], deletes: list[tuple[Path, list[int]]], made: list[Path]
) -> None:
    """A journal in each folder, so that every reader of one of them finds it. The first one that stands is the commit."""
    for folder in folders:
        _sync_folder(folder)  # the prepared files must be there before anything says that they count
    plan = {
        "renames": [[str(new), str(target)] for new, target in renames],
        "deletes": [[str(path), identity] for path, identity in deletes],
    }
    drafts = [(folder / f"{_NEW_PREFIX}{token}-journal", _journal(folder, token)) for folder in folders]
    for draft, _ in drafts:
        made.append(draft)
        _write_new(draft, json.dumps(plan).encode())
    for number, (draft, journal) in enumerate(drafts):
        try:
            draft.rename(journal)
        except OSError:
            if number == 0:
                raise
            break  # it is committed by now; the first journal is enough to finish it
    _sync_folder(folders[0])


def _finish(
    renames: Iterable[tuple[Path, Path]],
    deletes: Iterable[tuple[Path, list[int]]],
    folders: Iterable[Path],
    journals: Iterable[Path],
) -> None:
    try:
        for new, target in renames:
            with contextlib.suppress(FileNotFoundError):
                new.rename(target)
        for path, identity in deletes:
            with contextlib.suppress(FileNotFoundError):
                if _identity(path) == identity:
                    path.unlink()
        for folder in folders:
            _sync_folder(folder)
        for journal in journals:
            journal.unlink(missing_ok=True)
    except OSError as error:
        raise storage_error(error, Path(error.filename) if isinstance(error.filename, str) else Path()) from error


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def finish_interrupted(journals: Iterable[str], may_write: Callable[[Path], bool]) -> None:
    """Wait for the writes that the journals stand for, and finish those whose process died.

    Args:
        may_write: whether a path is one that components are kept in; a journal that came with somebody's files moves no others.

    Raises:
        StorageError: a write was interrupted, and this process cannot finish it.
    """
    for name in journals:
        journal = Path(name)
        plan = _read_journal(journal, may_write)
        if plan is None:
            continue
        renames, deletes = plan
        folders = {path.parent for path in (*(target for _, target in renames), *(path for path, _ in deletes), journal)}
        with locked_folders(folders):
            if journal.exists():
                _finish(renames, deletes, folders, [folder / journal.name for folder in folders])


def _read_journal(
    journal: Path, may_write: Callable[[Path], bool]
) -> tuple[list[tuple[Path, Path]], list[tuple[Path, list[int]]]] | None:
    try:
        plan: dict[str, Any] = json.loads(journal.read_bytes())
        renames = [(Path(new), Path(target)) for new, target in plan["renames"]]
        deletes = [(Path(path), list(identity)) for path, identity in plan["deletes"]]
    except FileNotFoundError:
        return None
    except OSError as error:
        raise storage_error(error, journal) from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise _strange(journal) from error
    for new, target in renames:
        if new.parent != target.parent or not new.name.startswith(_NEW_PREFIX) or not _fits(target, may_write):
            raise _strange(journal)
    if not all(_fits(path, may_write) for path, _ in deletes):
        raise _strange(journal)
    return renames, deletes


def _fits(path: Path, may_write: Callable[[Path], bool]) -> bool:
    return path.name.endswith(SUFFIXES) and may_write(path)


def _strange(journal: Path) -> StorageError:
    return StorageError(
        f"{journal} is not a journal of this project's files", next_step="Delete it, if the files beside it are as you want them"
    )
