"""One session as a JSON-lines file: what its lines are, and how they are read from either end and added to.

Each line is an object with one key: ``session`` (the first line), ``run``, ``message``, ``end`` (of a run) or ``state``. A write
is some lines and one ``state`` line behind them, which holds the newest status, title, tags and number of messages, and by being
there says that the write is complete. Whatever follows the last such line was cut off by a crash: readers do not see it, and the
next write removes it. No line holds a byte offset, so a line that somebody edits by hand does not invalidate those behind it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from aurite.errors import InvalidValueError, StorageError
from aurite.model.jsontext import JsonValue, decode, encode
from aurite.model.records import Message, NewMessage, NewRun, NewSession, Run, RunEnd, Session

FORMAT = 1
_SMALL_BLOCK = 4 * 1024
_LARGE_BLOCK = 8 * 1024 * 1024
_BISECT_UNTIL = 64 * 1024

_SESSION = b'{"session":'
_RUN = b'{"run":'
_MESSAGE = b'{"message":'
_END = b'{"end":'
_STATE = b'{"state":'


class State(msgspec.Struct, frozen=True, kw_only=True):
    """What a session is after a write."""

    lines: int = 0
    """How many lines the write has before its state line."""
    messages: int = 0
    status: str = "running"
    title: str | None = None
    tags: tuple[str, ...] = ()
    active_at: int


class Committed(msgspec.Struct, frozen=True):
    """The newest complete write of a file."""

    state: State
    end: int
    """Bytes up to the end of its state line; what lies behind does not count."""


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """What a session is and stays."""

    version: int = FORMAT
    session_id: str
    kind: str
    name: str
    base_session_id: str
    parent_session_id: str | None = None
    created_at: int


# Lines.


def head_line(session: NewSession, created_at: int) -> bytes:
    return _line(
        "session",
        {
            "version": FORMAT,
            "session_id": session.session_id,
            "kind": session.kind,
            "name": session.name,
            "base_session_id": session.base_session_id or session.session_id,
            "parent_session_id": session.parent_session_id,
            "created_at": created_at,
        },
    )


def run_line(run: NewRun, started_at: int) -> bytes:
    return _line("run", {"run_id": run.run_id, "started_at": started_at, "owner": run.owner})


def message_line(message: NewMessage, seq: int, created_at: int) -> bytes:
    return _line(
        "message",
        {
            "seq": seq,
            "role": message.role,
            "created_at": created_at,
            "run_id": message.run_id,
            "provider": message.provider,
            # The JSON text as a string: only so does every blank and every escape in it come back.
            "document": message.document,
            "native": message.native,
        },
    )


def end_line(run_id: str, end: RunEnd, ended_at: int) -> bytes:
    return _line(
        "end",
        {
            "run_id": run_id,
            "status": end.status,
            "ended_at": ended_at,
            "error": end.error,
            "result": end.result,
            "usage": end.usage,
        },
    )


def write_of(lines: Sequence[bytes], state: State) -> bytes:
    """The bytes of one write: the lines and the state behind them."""
    value = msgspec.to_builtins(msgspec.structs.replace(state, lines=len(lines)))
    return b"".join(lines) + _line("state", value)


def _line(key: str, value: dict[str, JsonValue]) -> bytes:
    known = {name: item for name, item in value.items() if item is not None}
    return encode({key: known}).encode() + b"\n"


# Reading and writing a file.


class SessionLog:
    """An open session file. Reading needs no lock; ``write`` needs the caller to hold the file's lock."""

    def __init__(self, descriptor: int, path: Path) -> None:
        self._descriptor = descriptor
        self._path = path

    def committed(self) -> Committed | None:
        """The newest complete write, found from the end of the file; None where not even the first one is complete.

        Raises:
            StorageError: a state line is there and cannot be read.
        """
        lines = _lines_backwards(self._descriptor, os.fstat(self._descriptor).st_size)
        for offset, line in lines:
            if not line.startswith(_STATE) or b"\0" in line:
                continue
            state: State = self._record(line, offset, "state", State)
            end = offset + len(line) + 1
            if self._is_whole(offset, state.lines):
                return Committed(state, end)
        return None

    def _is_whole(self, offset: int, lines: int) -> bool:
        # After a power loss the file system may show a late block of a write and zeros for an earlier one.
        for _, line in _lines_backwards(self._descriptor, offset):
            if lines == 0:
                return True
            if b"\0" in line:
                return False
            lines -= 1
        return lines == 0

    def head(self) -> Head:
        """What the first line says.

        Raises:
            StorageError: it is no session of a version that this program knows.
        """
        for offset, line in _lines_forward(self._descriptor, 0, os.fstat(self._descriptor).st_size, block=_SMALL_BLOCK):
            if line.startswith(_SESSION):
                head: Head = self._record(line, offset, "session", Head)
                if head.version > FORMAT:
                    raise StorageError(
                        f"{self._path} has format {head.version}, and this version of Aurite knows {FORMAT}",
                        next_step="Install a newer version of Aurite.",
                    )
                return head
            break
        raise StorageError(f"{self._path}:1: is not the start of a session", next_step="Move the file to another folder.")

    def session(self) -> Session | None:
        """The session as its head and its newest state have it; None where its first write was cut off."""
        committed = self.committed()
        return None if committed is None else session_of(self.head(), committed.state)

    def messages(self, *, after: int, limit: int | None) -> list[Message]:
        """Messages with ``seq > after``, oldest first, at most ``limit``."""
        committed = self.committed()
        found: list[Message] = []
        if committed is None or committed.state.messages <= after or limit == 0:
            return found
        session_id = self.head().session_id
        start = self._start_of(after, committed.end) if after > 0 else 0
        for offset, line in _lines_forward(self._descriptor, start, committed.end):
            if line.startswith(_MESSAGE):
                message = self._message(session_id, line, offset)
                if message.seq > after:
                    found.append(message)
                    if len(found) == limit:
                        break
            else:
                self._require_known(line, offset)
        return found

    def last_messages(self, count: int) -> list[Message]:
        """The newest ``count`` messages, oldest of them first."""
        committed = self.committed()
        found: list[Message] = []
        if committed is None or count <= 0:
            return found
        session_id = self.head().session_id
        for offset, line in _lines_backwards(self._descriptor, committed.end):
            if line.startswith(_MESSAGE):
                found.append(self._message(session_id, line, offset))
                if len(found) == count:
                    break
            else:
                self._require_known(line, offset)
        found.reverse()
        return found

    def runs(self) -> list[Run]:
        """The runs, oldest first; those of one instant by id."""
        committed = self.committed()
        if committed is None:
            return []
        session_id = self.head().session_id
        runs: dict[str, Run] = {}
        for offset, line in _lines_forward(self._descriptor, 0, committed.end):
            try:
                if line.startswith(_RUN):
                    run = _new_run(session_id, self._value(line, offset, "run"))
                    runs[run.run_id] = run
                elif line.startswith(_END):
                    value = self._value(line, offset, "end")
                    runs[value["run_id"]] = _ended_run(runs[value["run_id"]], value)
            except KeyError as error:
                raise self._damaged(offset, f"a run without {error.args[0]!r}") from error
        return sorted(runs.values(), key=lambda run: (run.started_at, run.run_id))

    def has_run(self, run_id: str, end: int) -> bool:
        """Whether a run of that id was started; costs as much as what was written since."""
        return any(
            line.startswith(_RUN) and self._value(line, offset, "run").get("run_id") == run_id
            for offset, line in _lines_backwards(self._descriptor, end)
        )

    def write(self, data: bytes, *, end: int) -> None:
        """Put one write behind the last complete one, on disk when this returns; a failure leaves what was there before."""
        try:
            if os.fstat(self._descriptor).st_size != end:
                os.ftruncate(self._descriptor, end)
            os.lseek(self._descriptor, end, os.SEEK_SET)
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
            os.fsync(self._descriptor)
        except OSError:
            os.ftruncate(self._descriptor, end)
            raise

    def _start_of(self, after: int, end: int) -> int:
        # Invariant: ``low`` is the start of a line, with no more than ``after`` messages before it.
        low, high = 0, end
        while high - low > _BISECT_UNTIL:
            middle = (low + high) // 2
            found = self._next_state(middle, high)
            if found is None or found.state.messages > after:
                high = middle
            else:
                low = found.end
        return low

    def _next_state(self, start: int, end: int) -> Committed | None:
        lines = _lines_forward(self._descriptor, start, end, block=_SMALL_BLOCK)
        next(lines, None)  # most likely the rest of a line that began before
        for offset, line in lines:
            if line.startswith(_STATE):
                return Committed(self._record(line, offset, "state", State), offset + len(line) + 1)
        return None

    def _message(self, session_id: str, line: bytes, offset: int) -> Message:
        value = self._value(line, offset, "message")
        try:
            return Message(
                session_id,
                value["seq"],
                value["role"],
                value["document"],
                value.get("native"),
                value.get("provider"),
                value.get("run_id"),
                value["created_at"],
            )
        except KeyError as error:
            raise self._damaged(offset, f"a message without {error.args[0]!r}") from error

    def _require_known(self, line: bytes, offset: int) -> None:
        if not line.startswith((_STATE, _RUN, _END, _SESSION)):
            raise self._damaged(offset, "is not a line of a session")

    def _value(self, line: bytes, offset: int, key: str) -> dict[str, JsonValue]:
        try:
            value: dict[str, JsonValue] = decode(line)[key]
        except (InvalidValueError, KeyError, TypeError) as error:
            raise self._damaged(offset, "is not JSON of a session") from error
        if not isinstance(value, dict):
            raise self._damaged(offset, f"{key!r} is not an object")
        return value

    def _record(self, line: bytes, offset: int, key: str, type_: type) -> JsonValue:
        try:
            return msgspec.convert(self._value(line, offset, key), type_)
        except msgspec.ValidationError as error:
            raise self._damaged(offset, f"{key!r} lacks a field or has a wrong one") from error

    def _damaged(self, offset: int, reason: str) -> StorageError:
        before = sum(1 for _ in _lines_forward(self._descriptor, 0, offset))
        return StorageError(
            f"{self._path}:{before + 1}: {reason}", next_step="Correct that line, or move the file to another folder."
        )


def session_of(head: Head, state: State) -> Session:
    return Session(
        session_id=head.session_id,
        base_session_id=head.base_session_id,
        parent_session_id=head.parent_session_id,
        kind=head.kind,
        name=head.name,
        status=state.status,
        title=state.title,
        message_count=state.messages,
        created_at=head.created_at,
        active_at=state.active_at,
        tags=state.tags,
    )


def _new_run(session_id: str, value: dict[str, JsonValue]) -> Run:
    return Run(value["run_id"], session_id, "running", value["started_at"], None, None, None, None, value.get("owner"))


def _ended_run(run: Run, value: dict[str, JsonValue]) -> Run:
    return msgspec.structs.replace(
        run,
        status=value["status"],
        ended_at=value["ended_at"],
        error=value.get("error"),
        result=value.get("result"),
        usage=value.get("usage"),
    )


def _lines_forward(descriptor: int, start: int, end: int, *, block: int = 64 * 1024) -> Iterator[tuple[int, bytes]]:
    """Offset and text of each complete line from ``start`` on."""
    rest = b""
    position, offset = start, start
    while position < end:
        data = os.pread(descriptor, min(block, end - position), position)
        if not data:
            return
        position += len(data)
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            yield offset, line
            offset += len(line) + 1
        block = min(block * 2, _LARGE_BLOCK)


def _lines_backwards(descriptor: int, end: int) -> Iterator[tuple[int, bytes]]:
    """Offset and text of each complete line before ``end``, last one first; what follows the last newline is no line."""
    rest = b""
    position, block, cut_off = end, _SMALL_BLOCK, True
    while position > 0:
        size = min(block, position)
        position -= size
        rest, *lines = (os.pread(descriptor, size, position) + rest).split(b"\n")
        if cut_off and lines:
            lines.pop()
            cut_off = False
        offset = position + len(rest) + 1
        starts: list[tuple[int, bytes]] = []
        for line in lines:
            starts.append((offset, line))
            offset += len(line) + 1
        yield from reversed(starts)
        block = min(block * 2, _LARGE_BLOCK)
    if not cut_off:
        yield 0, rest
