"""Sessions in files: one JSON-lines file each in the project's ``.aurite_cache``, and those that Aurite 0.4 left there."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from aurite.errors import InvalidValueError, SessionNotFoundError, StorageError
from aurite.model.jsontext import decode
from aurite.model.names import check_name, check_text
from aurite.model.records import (
    Cursor,
    DeletedSessions,
    Message,
    NewMessage,
    NewRun,
    NewSession,
    Page,
    Problem,
    Run,
    RunEnd,
    Session,
    SessionFilter,
)
from aurite.storage.legacy.records import LegacySession
from aurite.storage.legacy.sessions import as_log, read_legacy
from aurite.storage.session_files import log as session_log
from aurite.storage.session_files.folder import SUFFIX, SessionFolder, file_name, reading, writing
from aurite.storage.session_files.log import Committed, SessionLog, State
from aurite.storage.session_files.selection import Order, fits, page_of, resolve, with_children
from aurite.storage.session_rules import (
    ABANDONED,
    check_end,
    check_message,
    check_new_session,
    require_same_owner,
    session_not_found,
)

_LEGACY_SUFFIX = ".json"
_TAKEN_OVER = ".taken-over"
_MAX_FILE_NAME = 255 - len(_TAKEN_OVER)
_PAGE = 1000

_Stamp = tuple[int, int, int]
"""Inode, size and time of the last change in nanoseconds: equal means unchanged, since these files only grow."""


def _now() -> int:
    return time.time_ns() // 1000


@dataclass(frozen=True, slots=True)
class _Scan:
    sessions: dict[str, Session]
    problems: tuple[Problem, ...]


class FileSessionStore:
    """A ``SessionStore`` in a folder, which is made at the first write.

    Listing reads the first line and the end of each file that is new or has grown since the last listing.
    """

    def __init__(self, folder: Path, *, clock: Callable[[], int] = _now) -> None:
        self._folder = SessionFolder(folder)
        self._clock = clock
        self._known: dict[str, tuple[_Stamp, Session | Problem | None]] = {}

    @property
    def location(self) -> str:
        """The path of the folder."""
        return str(self._folder.path)

    # Writing.

    def start_run(self, session: NewSession, run: NewRun, messages: Sequence[NewMessage] = ()) -> Session:
        """See :class:`aurite.storage.ports.SessionStore`."""
        check_new_session(session, run)
        for message in messages:
            check_message(message)
        with self._written(session.session_id, create=True) as log:
            committed = log.committed()
            now = self._clock()
            lines = [session_log.run_line(run, now)]
            if committed is None:
                lines.insert(0, session_log.head_line(session, now))
                committed = Committed(State(title=session.title, active_at=now), end=0)
            else:
                require_same_owner(session_log.session_of(log.head(), committed.state), session)
            count = committed.state.messages
            lines += _numbered(messages, count, now)
            state = msgspec.structs.replace(committed.state, status="running", active_at=now, messages=count + len(messages))
            log.write(session_log.write_of(lines, state), end=committed.end)
            if committed.end == 0:
                self._folder.sync()
            return session_log.session_of(log.head(), state)

    def append(self, session_id: str, messages: Sequence[NewMessage]) -> int:
        """See :class:`aurite.storage.ports.SessionStore`."""
        for message in messages:
            check_message(message)
        with self._changed(session_id) as (log, committed):
            now, count = self._clock(), committed.state.messages
            if not messages:
                return count
            state = msgspec.structs.replace(committed.state, messages=count + len(messages))
            log.write(session_log.write_of(_numbered(messages, count, now), state), end=committed.end)
            return state.messages

    def end_run(self, session_id: str, run_id: str, end: RunEnd) -> None:
        """See :class:`aurite.storage.ports.SessionStore`."""
        check_end(end)
        _check_json(end.result, "the result of a run")
        _check_json(end.usage, "the usage of a run")
        with self._changed(session_id) as (log, committed):
            if not log.has_run(run_id, committed.end):
                raise session_not_found(session_id, run_id)
            now = self._clock()
            state = msgspec.structs.replace(committed.state, status=end.status, active_at=now)
            log.write(session_log.write_of([session_log.end_line(run_id, end, now)], state), end=committed.end)

    def end_abandoned_runs(self, is_abandoned: Callable[[Run], bool]) -> list[Run]:
        """See :class:`aurite.storage.ports.SessionStore`."""
        ended: list[Run] = []
        for session in self._scan().sessions.values():
            # A run in progress behind one that has ended is told by the status of its session alone.
            if session.status == "running" and any(map(is_abandoned, _in_progress(self.runs(session.session_id)))):
                with suppress(SessionNotFoundError):
                    ended += self._interrupt(session.session_id, is_abandoned)
        return sorted(ended, key=lambda run: (run.started_at, run.run_id))

    def _interrupt(self, session_id: str, is_abandoned: Callable[[Run], bool]) -> list[Run]:
        with self._changed(session_id) as (log, committed):
            in_progress = _in_progress(log.runs())
            abandoned = [run for run in in_progress if is_abandoned(run)]
            if abandoned:
                end = RunEnd("interrupted", error=ABANDONED)
                lines = [session_log.end_line(run.run_id, end, self._clock()) for run in abandoned]
                status = "interrupted" if len(abandoned) == len(in_progress) else committed.state.status
                state = msgspec.structs.replace(committed.state, status=status)
                log.write(session_log.write_of(lines, state), end=committed.end)
            return abandoned

    def set_title(self, session_id: str, title: str | None) -> None:
        """See :class:`aurite.storage.ports.SessionStore`."""
        check_text(title, "title")
        with self._changed(session_id) as (log, committed):
            if title != committed.state.title:
                state = msgspec.structs.replace(committed.state, title=title)
                log.write(session_log.write_of([], state), end=committed.end)

    def tag(self, session_id: str, *, add: Sequence[str] = (), remove: Sequence[str] = ()) -> Session:
        """See :class:`aurite.storage.ports.SessionStore`."""
        for tag in (*add, *remove):
            check_name(tag, "tag")
        with self._changed(session_id) as (log, committed):
            tags = tuple(sorted((set(committed.state.tags) - set(remove)) | set(add)))
            state = msgspec.structs.replace(committed.state, tags=tags)
            if state != committed.state:
                log.write(session_log.write_of([], state), end=committed.end)
            return session_log.session_of(log.head(), state)

    def delete(self, session_ids: Sequence[str], *, dry_run: bool = False) -> DeletedSessions:
        """See :class:`aurite.storage.ports.SessionStore`."""
        chosen = with_children(session_ids, self._scan().sessions)
        if not chosen or dry_run:
            return _deleted(chosen)
        with writing(self._folder.path), self._folder.exclusive():
            chosen = with_children(session_ids, self._scan().sessions)
            names = [name for session in chosen for name in _names_of(session.session_id)]
            self._folder.delete([name for name in names if (self._folder.path / name).exists()])
        return _deleted(chosen)

    # Reading.

    def get(self, session_id: str) -> Session | None:
        """See :class:`aurite.storage.ports.SessionStore`."""
        with self._read(session_id) as log:
            session = log.session() if log else None
            if session is not None:
                return session
        legacy = self._legacy(session_id)
        return legacy.session if legacy else None

    def find(self, reference: str) -> Session:
        """See :class:`aurite.storage.ports.SessionStore`."""
        return resolve(reference, self._scan().sessions)

    def messages(self, session_id: str, *, after: int = 0, limit: int | None = None) -> list[Message]:
        """See :class:`aurite.storage.ports.SessionStore`."""
        with self._read(session_id) as log:
            if log and log.committed():
                return log.messages(after=after, limit=limit)
        legacy = self._legacy(session_id)
        found = [message for message in legacy.messages if message.seq > after] if legacy else []
        return found if limit is None else found[:limit]

    def last_messages(self, session_id: str, count: int) -> list[Message]:
        """See :class:`aurite.storage.ports.SessionStore`."""
        with self._read(session_id) as log:
            if log and log.committed():
                return log.last_messages(count)
        legacy = self._legacy(session_id)
        return list(legacy.messages[-count:]) if legacy and count > 0 else []

    def runs(self, session_id: str) -> list[Run]:
        """See :class:`aurite.storage.ports.SessionStore`."""
        with self._read(session_id) as log:
            if log and log.committed():
                return log.runs()
        legacy = self._legacy(session_id)
        return [legacy.run] if legacy else []

    def list(self, filter: SessionFilter, *, limit: int, after: Cursor | None = None, order: Order = "created") -> Page:
        """See :class:`aurite.storage.ports.SessionStore`."""
        sessions = self._scan().sessions.values()
        return page_of((session for session in sessions if fits(session, filter)), limit=limit, after=after, order=order)

    def count(self, filter: SessionFilter) -> int:
        """See :class:`aurite.storage.ports.SessionStore`."""
        return sum(fits(session, filter) for session in self._scan().sessions.values())

    def iterate(self, filter: SessionFilter) -> Iterator[Session]:
        """See :class:`aurite.storage.ports.SessionStore`."""
        page = self.list(filter, limit=_PAGE)
        yield from page.sessions
        while page.next is not None:
            page = self.list(filter, limit=_PAGE, after=page.next)
            yield from page.sessions

    def problems(self) -> tuple[Problem, ...]:
        """Files in the folder that cannot be read as sessions; the others are listed all the same."""
        return self._scan().problems

    def close(self) -> None:
        """See :class:`aurite.storage.ports.SessionStore`. No file stays open between two calls."""
        self._known = {}

    # Files.

    @contextmanager
    def _read(self, session_id: str) -> Iterator[SessionLog | None]:
        name = file_name(session_id)
        path = self._folder.path / name
        with reading(path), self._folder.opened(name) as descriptor:
            yield None if descriptor is None else SessionLog(descriptor, path)

    @contextmanager
    def _written(self, session_id: str, *, create: bool = False) -> Iterator[SessionLog]:
        name = file_name(session_id)
        path = self._folder.path / name
        with writing(path):
            if create:
                self._folder.make()
            self._take_over(session_id)
            try:
                descriptor = self._folder.lock(name, create=create)
            except FileNotFoundError as error:
                raise session_not_found(session_id) from error
            try:
                yield SessionLog(descriptor, path)
            finally:
                self._folder.release(descriptor)

    @contextmanager
    def _changed(self, session_id: str) -> Iterator[tuple[SessionLog, Committed]]:
        """The locked file of a session that is there already, and where its next write goes."""
        with self._written(session_id) as log:
            committed = log.committed()
            if committed is None:
                raise session_not_found(session_id)
            yield log, committed

    def _legacy(self, session_id: str) -> LegacySession | None:
        name = _legacy_name(session_id)
        if name is None:
            return None
        path = self._folder.path / name
        with reading(path), self._folder.opened(name) as descriptor:
            if descriptor is None:
                return None
            with open(descriptor, "rb", closefd=False) as file:
                data = file.read()
            modified_at = os.fstat(descriptor).st_mtime_ns // 1000
        try:
            return read_legacy(data, session_id=session_id, modified_at=modified_at)
        except InvalidValueError as error:
            raise StorageError(f"{path}: {error.message}", next_step="Move the file to another folder.") from error

    def _take_over(self, session_id: str) -> None:
        """Turn a session of 0.4 into a log before the first write to it."""
        name = _legacy_name(session_id)
        if name is None or not (self._folder.path / name).is_file():
            return
        with self._folder.exclusive():
            legacy = self._legacy(session_id)
            if legacy is None:
                return
            with self._read(session_id) as log:
                is_log = log is not None and log.committed() is not None
            if not is_log:
                self._folder.replace(file_name(session_id), as_log(legacy))
            (self._folder.path / name).rename(self._folder.path / (name + _TAKEN_OVER))

    def _scan(self) -> _Scan:
        sessions: dict[str, Session] = {}
        problems: list[Problem] = []
        known: dict[str, tuple[_Stamp, Session | Problem | None]] = {}
        with reading(self._folder.path):
            entries = self._folder.entries()
        # Logs first: one that was just taken over wins over the file of 0.4 beside it.
        for suffix in (SUFFIX, _LEGACY_SUFFIX):
            for entry in entries:
                if entry.name.endswith(suffix):
                    found = self._looked_at(entry, known)
                    if isinstance(found, Session):
                        sessions.setdefault(found.session_id, found)
                    elif found is not None:
                        problems.append(found)
        self._known = known
        return _Scan(sessions, tuple(problems))

    def _looked_at(
        self, entry: os.DirEntry[str], known: dict[str, tuple[_Stamp, Session | Problem | None]]
    ) -> Session | Problem | None:
        try:
            status = entry.stat()
        except OSError:  # deleted since the folder was listed
            return None
        stamp = (status.st_ino, status.st_size, status.st_mtime_ns)
        before = self._known.get(entry.name)
        found = before[1] if before and before[0] == stamp else self._examined(entry)
        known[entry.name] = (stamp, found)
        return found

    def _examined(self, entry: os.DirEntry[str]) -> Session | Problem | None:
        try:
            if entry.name.endswith(_LEGACY_SUFFIX):
                legacy = self._legacy(entry.name.removesuffix(_LEGACY_SUFFIX))
                return legacy.session if legacy else None
            path = self._folder.path / entry.name
            with reading(path), self._folder.opened(entry.name) as descriptor:
                session = SessionLog(descriptor, path).session() if descriptor is not None else None
        except StorageError as error:
            return Problem(entry.path, error.message.removeprefix(f"{entry.path}: "))
        if session is not None and file_name(session.session_id) != entry.name:
            return Problem(entry.path, f"holds session {session.session_id!r}, but its name is that of another one")
        return session


def _in_progress(runs: Sequence[Run]) -> list[Run]:
    return [run for run in runs if run.status == "running"]


def _numbered(messages: Sequence[NewMessage], count: int, now: int) -> list[bytes]:
    return [session_log.message_line(message, seq, now) for seq, message in enumerate(messages, start=count + 1)]


def _check_json(text: str | None, what: str) -> None:
    if text is None:
        return
    try:
        decode(text)
    except InvalidValueError as error:
        raise InvalidValueError(f"{what} is not JSON: {error.message}") from error


def _legacy_name(session_id: str) -> str | None:
    """The name of the file in which 0.4 kept a session; None where it could not have."""
    name = session_id + _LEGACY_SUFFIX
    try:
        check_name(session_id, "session id")
    except InvalidValueError:
        return None
    return None if "/" in name or name.startswith(".") or len(name.encode()) > _MAX_FILE_NAME else name


def _names_of(session_id: str) -> tuple[str, ...]:
    legacy = _legacy_name(session_id)
    return (file_name(session_id),) if legacy is None else (file_name(session_id), legacy, legacy + _TAKEN_OVER)


def _deleted(sessions: Sequence[Session]) -> DeletedSessions:
    ids = tuple(session.session_id for session in sessions)
    return DeletedSessions(ids, sum(session.message_count for session in sessions))
