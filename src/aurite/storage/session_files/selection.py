"""Choosing among sessions that are in memory: filters, pages, references, and what a deletion takes along."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping
from typing import Literal

from aurite.model.records import Cursor, Page, Session, SessionFilter
from aurite.storage.session_rules import session_not_found, the_only

Order = Literal["created", "active"]


def fits(session: Session, wanted: SessionFilter) -> bool:
    """Whether a session fits every field of a filter that is set."""
    equal = (
        (wanted.agent, session.name if session.kind == "agent" else None),
        (wanted.workflow, session.name if session.kind == "workflow" else None),
        (wanted.base_session_id, session.base_session_id),
        (wanted.parent_session_id, session.parent_session_id),
        (wanted.status, session.status),
    )
    return (
        all(value is None or value == found for value, found in equal)
        and (wanted.tag is None or wanted.tag in session.tags)
        and (wanted.created_from is None or session.created_at >= wanted.created_from)
        and (wanted.created_until is None or session.created_at < wanted.created_until)
    )


def page_of(sessions: Iterable[Session], *, limit: int, after: Cursor | None, order: Order) -> Page:
    """The first ``limit`` sessions behind the cursor, newest first, ties by id."""

    def place(session: Session) -> tuple[int, str]:
        return (-(session.created_at if order == "created" else session.active_at), session.session_id)

    if after is not None:
        start = (-after.instant, after.session_id)
        sessions = (session for session in sessions if place(session) > start)
    found = heapq.nsmallest(limit + 1, sessions, key=place)
    page = found[:limit]
    if not page or len(found) == len(page):
        return Page(tuple(page), None)
    instant, session_id = place(page[-1])
    return Page(tuple(page), Cursor(-instant, session_id))


def resolve(reference: str, sessions: Mapping[str, Session]) -> Session:
    """The one session that a reference means; a base id stands for the session that opened it, not for its steps.

    Raises:
        SessionNotFoundError: none fits.
        AmbiguousNameError: more than one fits.
    """
    if reference in sessions:
        return sessions[reference]
    prefixed = (f"agent-{reference}", f"workflow-{reference}")
    fitting = {
        session.session_id
        for session in sessions.values()
        if session.session_id in prefixed
        or (session.parent_session_id is None and session.base_session_id in (reference, *prefixed))
    }
    return sessions[the_only(reference, sorted(fitting))]


def with_children(session_ids: Iterable[str], sessions: Mapping[str, Session]) -> list[Session]:
    """The sessions with all that hangs below them, by parent or by base id; ordered by id.

    Raises:
        SessionNotFoundError: one of the ids is not there.
    """
    children: dict[str, set[str]] = {}
    for session in sessions.values():
        for above in (session.parent_session_id, session.base_session_id):
            if above is not None and above in sessions:
                children.setdefault(above, set()).add(session.session_id)
    chosen: dict[str, Session] = {}
    waiting = list(session_ids)
    for session_id in waiting:
        if session_id not in sessions:
            raise session_not_found(session_id)
    while waiting:
        session_id = waiting.pop()
        if session_id not in chosen:
            chosen[session_id] = sessions[session_id]
            waiting += children.get(session_id, ())
    return [chosen[session_id] for session_id in sorted(chosen)]
