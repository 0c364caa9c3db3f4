"""A database of Aurite 0.4 as the source of a move: its rows, told as rows of today's tables, on either engine.

Components, sessions with their messages and runs, the older ``agent_history`` and the results of evaluations are taken over; a
table that an older 0.4 did not have yet counts as empty.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from types import MappingProxyType
from typing import Any, Protocol, TypeAlias

from aurite.errors import InvalidValueError
from aurite.model.jsontext import check, decode, encode
from aurite.model.names import MAX_NAME, check_text
from aurite.model.records import ComponentRevision, Problem
from aurite.storage.copytext import line_of
from aurite.storage.engine import Row
from aurite.storage.legacy.records import (
    LegacySession,
    OldMessage,
    OldSession,
    component_of,
    instant_of,
    session_of,
    session_of_history,
)
from aurite.storage.tables import TABLES, Table

OLD_TABLES: Mapping[str, str] = MappingProxyType(
    {
        "components": "component_type",
        "sessions": "execution_result",
        "agent_history": "content_json",
        "qa_test_results": "evaluation_config_id",
    }
)
"""The tables of 0.4, each with a column by which it is told from others of its name."""
KEPT = "legacy_"
"""Stands before the names of the tables that an upgrade in place keeps."""

_HOME = {"component": "components", "history": "components", "session": "sessions", "evaluation": "evaluation_results"}
"""By unit, the table under which the rows that cannot be moved are told."""

_Rows: TypeAlias = Mapping[str, Sequence[Row]]
"""By table of today."""


class OldDatabase(Protocol):
    """Reading a database of 0.4: what differs between the engines."""

    def has(self, table: str) -> bool: ...

    def rows(self, statement: str, *values: str) -> Iterator[Row]:
        """The rows of a statement with ``$1``, ``$2``, ... in it, one by one; another may be asked meanwhile."""
        ...

    def text(self, column: str) -> str:
        """The SQL that reads a column of text or JSON, as text or as bytes of UTF-8."""
        ...

    def instant(self, column: str) -> str:
        """The SQL that reads a time as ISO 8601 in UTC."""
        ...

    def by_code_point(self, column: str) -> str:
        """The SQL that sorts by a column of text."""
        ...


@dataclass(frozen=True, slots=True)
class _Thing:
    """Something that 0.4 kept, and how to tell it as rows of today."""

    key: bytes
    """Of its row in the first of its tables: things come in this order."""
    where: str
    """Table and key there, for people."""
    rows: Callable[[], _Rows]
    """Raises InvalidValueError where it cannot be held."""


class LegacySource:
    """The tables of 0.4 as a ``MoveSource``.

    Args:
        location: where it is, for people.
        identity: see ``MoveSource``.
        prefix: stands before the names of the old tables.
    """

    def __init__(self, database: OldDatabase, *, location: str, identity: tuple[object, ...], prefix: str = "") -> None:
        self._database = database
        self._prefix = prefix
        self.location = location
        self.identity = identity

    def config_version(self) -> int:
        return 1  # 0.4 did not count: all components come with the first change

    def count(self, table: Table) -> int:
        return self._survey[0][table.name]

    def lines(self, table: Table) -> Iterator[bytes]:
        for thing in self._things(table):
            for row in thing.rows().get(table.name, ()):
                yield line_of(row, table)

    def misfits(self, table: Table, *, thorough: bool = False) -> Iterator[Problem]:  # noqa: ARG002 - every row is looked at
        if table.name == _HOME[table.unit]:
            yield from (problem for home, problem in self._survey[1] if home == table.name)

    @cached_property
    def _survey(self) -> tuple[dict[str, int], list[tuple[str, Problem]]]:
        """How many rows each table gets, and what cannot be held."""
        counts = dict.fromkeys(TABLES, 0)
        problems: list[tuple[str, Problem]] = []
        for home in dict.fromkeys(_HOME.values()):
            for thing in self._things(TABLES[home]):
                try:
                    rows = thing.rows()
                    for name, each in rows.items():
                        for row in each:
                            line_of(row, TABLES[name])
                except InvalidValueError as error:
                    problems.append((home, Problem(thing.where, error.message)))
                    continue
                for name, each in rows.items():
                    counts[name] += len(each)
        return counts, problems

    def _things(self, table: Table) -> Iterator[_Thing]:
        if table.name == "session_tags":
            return iter(())  # 0.4 knew none
        if table.unit in ("component", "history"):
            return self._components()
        if table.unit == "evaluation":
            return self._results()
        return heapq.merge(self._sessions(), self._histories(), key=lambda thing: thing.key)

    def _components(self) -> Iterator[_Thing]:
        order = ("component_type", "name")
        for row in self._select("components", ("component_type", "name", "config"), ("created_at", "last_updated"), order):
            yield _Thing(_key(row[:2]), f"components ({_shown(row[1])})", partial(_component_rows, row))

    def _sessions(self) -> Iterator[_Thing]:
        texts = ("session_id", "base_session_id", "name", "result_type", "execution_result", "agents_involved")
        for row in self._select(
            "sessions", texts, ("created_at", "last_updated"), texts[:1], plain=("is_workflow", "message_count")
        ):
            yield _Thing(_key(row[:1]), f"sessions ({_shown(row[0])})", partial(_session_rows, row))

    def _results(self) -> Iterator[_Thing]:
        texts = ("result_id", "evaluation_config_id", "result", "component_type", "status")
        for row in self._select("qa_test_results", texts, ("created_at",), texts[:1], plain=("overall_score",)):
            yield _Thing(_key(row[:1]), f"qa_test_results ({_shown(row[0])})", partial(_result_rows, row))

    def _histories(self) -> Iterator[_Thing]:
        for session_id, (known_as, agent) in sorted(self._history_ids.items(), key=lambda item: _key(item[:1])):
            where = f"agent_history ({known_as!r}, {agent!r})"
            yield _Thing(_key((session_id,)), where, partial(self._history_rows, session_id, known_as, agent))

    @cached_property
    def _history_ids(self) -> dict[str, tuple[str, str]]:
        """By the id that each gets today, the session id and agent of the rows of ``agent_history``.

        An id is kept where nothing else has it; otherwise the name of the agent is added.
        """
        if not self._database.has(self._prefix + "agent_history"):
            return {}
        columns = ", ".join(map(self._database.text, ("session_id", "agent_name")))
        found = {
            (_escaped(known_as), _escaped(agent))
            for known_as, agent in self._database.rows(f"SELECT DISTINCT {columns} FROM {self._prefix}agent_history")
        }
        ids: dict[str, tuple[str, str]] = {}
        others = []
        for known_as, agent in sorted(found):
            if self._is_free(known_as, ids):
                ids[known_as] = (known_as, agent)
            else:
                others.append((known_as, agent))
        for known_as, agent in others:
            named = f"{known_as}-{agent}"
            digest = hashlib.sha256(encode([known_as, agent]).encode()).hexdigest()
            ids[named if self._is_free(named, ids) else f"{known_as[:180]}-{digest}"] = (known_as, agent)
        return ids

    def _is_free(self, session_id: str, taken: Container[str]) -> bool:
        if session_id in taken or len(session_id) > MAX_NAME:
            return False
        if not session_id.isprintable() or not self._database.has(self._prefix + "sessions"):
            return True
        return not any(self._database.rows(f"SELECT 1 FROM {self._prefix}sessions WHERE session_id = $1", session_id))

    def _history_rows(self, session_id: str, known_as: str, agent: str) -> _Rows:
        check_text(known_as, "session_id")
        check_text(_bounded(agent, "agent_name"), "agent_name")
        columns = ", ".join((*map(self._database.text, ("role", "content_json")), self._database.instant('"timestamp"')))
        rows = self._database.rows(
            f'SELECT {columns} FROM {self._prefix}agent_history WHERE session_id = $1 AND agent_name = $2 ORDER BY "timestamp", id',
            known_as,
            agent,
        )
        messages = [
            OldMessage(_text(role, "role"), _json(content, "content_json"), instant_of(_plain(timestamp), "timestamp"))
            for role, content, timestamp in rows
        ]
        return _rows_of(session_of_history(_bounded(session_id, "session_id"), agent, messages, known_as=known_as))

    def _select(
        self, table: str, texts: Sequence[str], instants: Sequence[str], order: Sequence[str], *, plain: Sequence[str] = ()
    ) -> Iterator[Row]:
        if not self._database.has(self._prefix + table):
            return iter(())
        columns = ", ".join((*map(self._database.text, texts), *plain, *map(self._database.instant, instants)))
        sorted_by = ", ".join(map(self._database.by_code_point, order))
        return self._database.rows(f"SELECT {columns} FROM {self._prefix}{table} ORDER BY {sorted_by}")


def _component_rows(row: Row) -> _Rows:
    type_, name, config, created_at, last_updated = row
    component = component_of(
        _bounded(type_, "component_type"),
        _bounded(name, "name"),
        _json(config, "config"),
        created_at=instant_of(_plain(created_at), "created_at"),
        updated_at=instant_of(_plain(last_updated), "last_updated"),
    )
    revision = ComponentRevision(
        component.revision,
        component.type,
        component.name,
        "create",
        component.document,
        component.provenance,
        component.writer,
        None,
        component.updated_at,
    )
    return {"components": [_row(component, "components")], "component_revisions": [_row(revision, "component_revisions")]}


def _session_rows(row: Row) -> _Rows:
    session_id, base_session_id, name, result_type, execution_result, agents_involved, *rest = row
    is_workflow, message_count, created_at, last_updated = rest
    old = OldSession(
        session_id=_bounded(session_id, "session_id"),
        base_session_id=None if base_session_id is None else _text(base_session_id, "base_session_id"),
        name=_bounded(name, "name"),
        result_type=_text(result_type, "result_type"),
        is_workflow=bool(is_workflow),
        message_count=message_count if isinstance(message_count, int) else None,
        result=decode(_json(execution_result, "execution_result")),
        agents_involved=None if agents_involved is None else decode(_json(agents_involved, "agents_involved")),
        created_at=instant_of(_plain(created_at), "created_at"),
        last_updated=instant_of(_plain(last_updated), "last_updated"),
    )
    return _rows_of(session_of(old))


def _rows_of(legacy: LegacySession) -> _Rows:
    return {
        "sessions": [_row(legacy.session, "sessions")],
        "runs": [_row(legacy.run, "runs")],
        "messages": [_row(message, "messages") for message in legacy.messages],
    }


def _result_rows(row: Row) -> _Rows:
    result_id, evaluation, result, component_type, status, score, created_at = row
    document = _json(result, "result")
    decode(document)  # raises where it is not JSON
    told = (
        _bounded(result_id, "result_id"),
        _bounded(evaluation, "evaluation_config_id"),
        document,
        None if component_type is None else _text(component_type, "component_type"),
        None if score is None else check(score, what="overall_score"),
        None if status is None else _text(status, "status"),
        instant_of(_plain(created_at), "created_at"),
    )
    return {"evaluation_results": [told]}


def _row(record: Any, table: str) -> Row:
    return tuple(getattr(record, column) for column in TABLES[table].columns)


def _text(value: object, column: str) -> str:
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            raise InvalidValueError(f"{column} is not UTF-8") from None
    if not isinstance(value, str):
        raise InvalidValueError(f"{column} holds no text")
    return value


def _bounded(value: object, column: str) -> str:
    text = _text(value, column)
    if not 1 <= len(text) <= MAX_NAME:
        raise InvalidValueError(f"{column} has {len(text)} characters; between 1 and {MAX_NAME} are allowed")
    return text


def _json(value: object, column: str) -> str:
    # SQLite takes the type JSON for one of numbers, and makes numbers of texts that look like one.
    return encode(value) if isinstance(value, int | float) else _text(value, column)


def _plain(value: object) -> object:
    return _escaped(value) if isinstance(value, bytes) else value


def _escaped(value: object) -> str:
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else str(value)


def _key(values: Sequence[object]) -> bytes:
    return b"\0".join(_escaped(value).encode("utf-8", "surrogateescape") for value in values)


def _shown(value: object) -> str:
    return repr(_escaped(value))
