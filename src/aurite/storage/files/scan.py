"""Which files of components there are, and whether anything about them changed since the last look."""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from aurite.model.records import Problem
from aurite.model.sources import Source
from aurite.storage.files.documents import SUFFIXES, shown_path

JOURNAL_PREFIX = ".aurite-journal-"

Stamp: TypeAlias = tuple[int, int, int, int, int]
"""Times of change of content and of inode (ns), size, inode, device."""

_YOUNG = 100_000_000
_QUICK = 0.005
_REST = 20
_LONGEST_REST = 1.0


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file that may hold components."""

    path: str
    source: Source
    stamp: Stamp


@dataclass(slots=True)
class Scan:
    """All files of all sources, by path, in order of rank."""

    files: dict[str, FoundFile] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    journals: list[str] = field(default_factory=list)
    """Marks of writes over several files that are under way, or were interrupted."""
    version: int = 0


def scan(sources: Sequence[Source]) -> Scan:
    """A look at all folders: sources in their order, within one by path. A file or folder reached twice counts once."""
    result = Scan()
    folders: set[tuple[int, int]] = set()
    inodes: set[tuple[int, int]] = set()
    for source in sources:
        found: list[FoundFile] = []
        for folder in source.config_folders:
            found += _walk(os.fspath(folder), source, folders, result)
        for file in sorted(found, key=lambda file: file.path):
            inode = file.stamp[3:]
            if inode not in inodes:
                inodes.add(inode)
                result.files[file.path] = file
    return result


def _walk(top: str, source: Source, folders: set[tuple[int, int]], result: Scan) -> Iterator[FoundFile]:
    waiting = [top]
    while waiting:
        folder = waiting.pop()
        try:
            status = Path(folder).stat()
            if (status.st_dev, status.st_ino) in folders:  # reached by another way, or a link back to a folder above
                continue
            folders.add((status.st_dev, status.st_ino))
            with os.scandir(folder) as entries:
                listed = sorted(entries, key=lambda entry: entry.name)
        except FileNotFoundError:
            continue  # whoever read the .aurite says so; others were deleted while we looked
        except OSError as error:
            result.problems.append(Problem(shown_path(folder), _unreadable(error)))
            continue
        below = []
        for entry in listed:
            if entry.name.startswith("."):
                if entry.name.startswith(JOURNAL_PREFIX):
                    result.journals.append(entry.path)
            elif _is_folder(entry):
                below.append(entry.path)
            elif entry.name.endswith(SUFFIXES):
                yield from _found(entry, source, result)
        waiting += reversed(below)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself, or to where nobody may look; told where it has the name of a file of ours
        return False


def _found(entry: os.DirEntry[str], source: Source, result: Scan) -> Iterator[FoundFile]:
    try:
        status = entry.stat()
    except FileNotFoundError:
        if entry.is_symlink():
            result.problems.append(Problem(shown_path(entry.path), "is a link to a file that does not exist"))
        return
    except OSError as error:
        result.problems.append(Problem(shown_path(entry.path), _unreadable(error)))
        return
    if stat.S_ISREG(status.st_mode):
        stamp = (status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino, status.st_dev)
        yield FoundFile(entry.path, source, stamp)
    else:
        result.problems.append(Problem(shown_path(entry.path), "is not a regular file"))


def _unreadable(error: OSError) -> str:
    return f"cannot be read: {(error.strerror or type(error).__name__).lower()}"


class FileWatch:
    """A counter that rises when a file of the sources appears, changes or goes.

    A look that takes longer than 5 ms is not repeated at once: the next one comes after twenty times as long, at most a second
    later. Another program's change to a large set of files is therefore seen within a second; own writes are seen at once.
    """

    def __init__(self, sources: Sequence[Source], *, always_scan: bool) -> None:
        self._sources = tuple(sources)
        self._always = always_scan
        self._seen: Scan | None = None
        self._digests: dict[str, bytes] = {}
        self._changed_at: dict[str, int] = {}
        self._version = 0
        self._rest_until = 0.0
        self._folders: set[Path] = set()

    def look(self, *, now: bool = False) -> Scan:
        """What there is, with the counter's value; ``now`` looks even if the last look was a moment ago."""
        if self._seen is not None and not now and time.monotonic() < self._rest_until:
            return self._seen
        started = time.monotonic()
        seen = scan(self._sources)
        seen.problems += self._gone()
        self._compare(seen)
        took = time.monotonic() - started
        if took > _QUICK and not self._always:
            self._rest_until = started + took + min(took * _REST, _LONGEST_REST)
        return seen

    def _gone(self) -> Iterator[Problem]:
        """A problem for each folder that was there before: what was in it must not vanish in silence."""
        for folder in (folder for source in self._sources for folder in source.config_folders):
            if os.path.lexists(folder):
                self._folders.add(folder)
            elif folder in self._folders:
                yield Problem(shown_path(folder), "the folder is gone, and the components in it")

    def changed_at(self, path: str) -> int:
        """The counter's value when the file was last seen changed."""
        return self._changed_at[path]

    def _compare(self, seen: Scan) -> None:
        before = self._seen.files if self._seen is not None else {}
        digests = self._digests_of_young(seen)
        changed = [
            path
            for path, file in seen.files.items()
            if path not in before
            or before[path].stamp != file.stamp
            or (path in self._digests and self._digests[path] != digests.get(path, self._digests[path]))
        ]
        order_changed = list(before) != list(seen.files)
        problems_changed = self._seen is not None and self._seen.problems != seen.problems
        if self._seen is None or changed or order_changed or problems_changed:
            self._version += 1
        self._changed_at = {path: self._changed_at.get(path, self._version) for path in seen.files}
        self._changed_at.update(dict.fromkeys(changed, self._version))
        self._digests = digests
        seen.version = self._version
        self._seen = seen

    def _digests_of_young(self, seen: Scan) -> dict[str, bytes]:
        # Two changes within one tick of the file system's clock leave equal stamps, so what changed a moment ago, or had when it
        # was last looked at, is compared by content.
        oldest = time.time_ns() - _YOUNG
        digests = {}
        for path, file in seen.files.items():
            young = max(file.stamp[0], file.stamp[1]) > oldest
            if young or path in self._digests:
                digest = _digest(path)
                if young or digest != self._digests.get(path):
                    digests[path] = digest
        return digests


def _digest(path: str) -> bytes:
    try:
        return hashlib.blake2b(Path(path).read_bytes()).digest()
    except OSError:
        return b""
