"""The SQL of listings: made from a filter, one index range per page whichever single filter is set."""

from __future__ import annotations

from aurite.model.records import Cursor, SessionFilter
from aurite.storage.statements import written_for

_COLUMNS = (
    "sessions.session_id, base_session_id, parent_session_id, kind, name, status, title, message_count,"
    " sessions.created_at, active_at"
)


def one_session(dialect: str, tags: str) -> str:
    """The statement that reads one session by its id."""
    return written_for(dialect, f"SELECT {_COLUMNS}, {tags} FROM sessions WHERE session_id = $1")


def listing(
    filter: SessionFilter, *, limit: int, after: Cursor | None, order: str, dialect: str, tags: str
) -> tuple[str, list[object]]:
    """Statement and values of one page: newest first, ties by id."""
    sources, conditions, values = _conditions(filter)
    by_tag = filter.tag is not None and order == "created"
    instant = "session_tags.created_at" if by_tag else "sessions.created_at" if order == "created" else "active_at"
    key = "session_tags.session_id" if by_tag else "sessions.session_id"
    if after is not None:
        values += [after.instant, after.session_id]
        at, behind = f"${len(values) - 1}", f"${len(values)}"
        conditions.append(f"{instant} <= {at} AND ({instant} < {at} OR {key} > {behind})")
    values.append(limit)
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    statement = f"SELECT {_COLUMNS}, {tags} FROM {sources}{where} ORDER BY {instant} DESC, {key} LIMIT ${len(values)}"
    return written_for(dialect, statement), values


def total(filter: SessionFilter, *, dialect: str) -> tuple[str, list[object]]:
    """Statement and values that count what fits."""
    sources, conditions, values = _conditions(filter)
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    return written_for(dialect, f"SELECT count(*) FROM {sources}{where}"), values


def _conditions(filter: SessionFilter) -> tuple[str, list[str], list[object]]:
    conditions: list[str] = []
    values: list[object] = []

    def add(condition: str, value: object) -> None:
        if value is not None:
            values.append(value)
            conditions.append(condition.format(f"${len(values)}"))

    add("kind = 'agent' AND name = {}", filter.agent)
    add("kind = 'workflow' AND name = {}", filter.workflow)
    add("base_session_id = {}", filter.base_session_id)
    add("parent_session_id = {}", filter.parent_session_id)
    add("status = {}", filter.status)
    add("sessions.created_at >= {}", filter.created_from)
    add("sessions.created_at < {}", filter.created_until)
    add("session_tags.tag = {}", filter.tag)
    sources = "sessions"
    if filter.tag is not None:
        sources = "session_tags CROSS JOIN sessions" if not conditions[1:] else "sessions, session_tags"
        conditions.append("sessions.session_id = session_tags.session_id")
    return sources, conditions, values
