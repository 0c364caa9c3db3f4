"""Listing the newest sessions, whatever they are filtered by."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import apsw

from aurite.model.records import SessionFilter
from aurite.storage.sessions import SqlSessionStore
from aurite.storage.sqlite.database import SqliteDatabase
from bench import bare, material
from bench.measuring import Measured, at_most, by_turns
from bench.scale import Scale

_COLUMNS = (
    "sessions.session_id, base_session_id, parent_session_id, kind, name, status, title, message_count, sessions.created_at,"
    " active_at"
)
_NEWEST = "ORDER BY sessions.created_at DESC, sessions.session_id LIMIT 50"


def list_newest(scale: Scale, folder: Path) -> Iterator[Measured]:
    """50 sessions: the rows of one index range beside a page of sessions with their tags."""
    for count in scale.listed:
        path = folder / f"list-{count}.db"
        material.store_of_sessions(path, count)
        connection = bare.connect(path)
        store = SqlSessionStore(SqliteDatabase(path))
        for name, (wanted, condition, value) in filters(count).items():
            floor, ours = _by_turns(store, connection, wanted, condition, value, rounds=scale.lists)
            yield Measured(f"list 50 of {count:,}, {name}", floor, ours, "seconds", at_most(3.0))
        store.close()
        connection.close()


def filters(count: int) -> dict[str, tuple[SessionFilter, str, object]]:
    """Each filter, by its name: ours, and the end of the bare statement with its value."""
    middle = count * 1000 // 2
    return {
        "any": (SessionFilter(), "WHERE ?1 IS NULL", None),
        "by agent": (SessionFilter(agent="agent 3"), "WHERE kind = 'agent' AND name = ?1", "agent 3"),
        "by workflow": (SessionFilter(workflow="workflow 4"), "WHERE kind = 'workflow' AND name = ?1", "workflow 4"),
        "by base": (SessionFilter(base_session_id=material.BASE_OF_STEPS), "WHERE base_session_id = ?1", material.BASE_OF_STEPS),
        "by parent": (
            SessionFilter(parent_session_id=material.BASE_OF_STEPS),
            "WHERE parent_session_id = ?1",
            material.BASE_OF_STEPS,
        ),
        "by status": (SessionFilter(status="failed"), "WHERE status = ?1", "failed"),
        "since": (SessionFilter(created_from=middle), "WHERE sessions.created_at >= ?1", middle),
        "until": (SessionFilter(created_until=middle), "WHERE sessions.created_at < ?1", middle),
        "by tag": (
            SessionFilter(tag=material.TAG),
            "JOIN session_tags USING (session_id) WHERE tag = ?1 ORDER BY session_tags.created_at DESC, session_tags.session_id"
            " LIMIT 50",
            material.TAG,
        ),
    }


def _by_turns(
    store: SqlSessionStore, connection: apsw.Connection, filter: SessionFilter, condition: str, value: object, *, rounds: int
) -> list[float]:
    order = "" if "LIMIT" in condition else _NEWEST
    statement = f"SELECT {_COLUMNS} FROM sessions {condition} {order}"
    return by_turns(
        lambda: connection.execute(statement, (value,)).fetchall(),
        lambda: store.list(filter, limit=50),
        rounds=rounds,
    )
