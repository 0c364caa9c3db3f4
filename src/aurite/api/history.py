"""``/execution/history``: what runs have kept."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from itertools import islice
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import Response

from aurite.api.json import ExactRoute, Json
from aurite.api.models import CleanedUp, ExecutionHistory, SessionPage, TagChange, Tags
from aurite.api.names import Name
from aurite.api.refusals import refusals
from aurite.api.service import Served
from aurite.errors import InvalidValueError
from aurite.model.history import written_by_0_4
from aurite.model.names import MAX_NAME
from aurite.model.records import Cursor, Session, SessionFilter
from aurite.runtime.history import read_history
from aurite.storage.ports import SessionStore
from aurite.transfer.retention import Pruned, Retention, prune

router = APIRouter(prefix="/execution/history", tags=["Execution Facade"], route_class=ExactRoute)

_DAY = 86_400_000_000
_PAGE = 500
NameQuery = Annotated[str | None, Query(max_length=MAX_NAME)]


@router.get("", response_model=SessionPage, responses=refusals())
async def list_history(  # noqa: PLR0917 - FastAPI gives them by name
    service: Served,
    agent_name: NameQuery = None,
    workflow_name: NameQuery = None,
    tag: NameQuery = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
    offset: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
    after: Annotated[str | None, Query(max_length=2048, description="`next` of the page before; quicker than an offset.")] = None,
) -> Response:
    """List sessions, newest first. Of workflows only the workflow itself is listed when asked for by `workflow_name`."""
    chosen = SessionFilter(agent=agent_name, workflow=workflow_name, tag=tag)

    def work() -> dict[str, Any]:
        store = service.sessions
        start = _behind(store, chosen, offset, None if after is None else _cursor(after))
        total = store.count(chosen)
        if isinstance(start, _End):
            return {"sessions": [], "total": total, "offset": offset, "limit": limit, "next": None}
        page = store.list(chosen, limit=limit, after=start)
        return {
            "sessions": [_metadata(store, session) for session in page.sessions],
            "total": total,
            "offset": offset,
            "limit": limit,
            "next": None if page.next is None else _token(page.next),
        }

    return Json(await service.call(work))


@router.post("/cleanup", response_model=CleanedUp, responses=refusals())
async def clean_up(
    service: Served,
    days: Annotated[int, Query(ge=0, le=365, description="Delete what was not used for this many days.")] = 30,
    max_sessions: Annotated[int, Query(ge=0, le=1000, description="Keep at most this many of the most recently used.")] = 50,
) -> Response:
    """Delete old sessions, and those beyond a number; `days=0&max_sessions=0` deletes all, otherwise running ones stay."""

    def work() -> list[Pruned]:
        now = time.time_ns() // 1000
        everything = days == 0 and max_sessions == 0
        rules = (
            # A day ahead: what is there now is old, also by the clock of another machine.
            Retention(idle_since=now - days * _DAY if days else now + _DAY, include_running=everything),
            Retention(keep=max_sessions, include_running=everything),
        )
        return [prune(service.sessions, rule) for rule in rules]

    deleted = sum(pruned.sessions for pruned in await service.call(work))
    return Json({"message": f"Cleanup completed; {deleted} sessions were deleted", "deleted": deleted})


@router.get("/{session_id:name}", response_model=ExecutionHistory, responses=refusals(404))
async def show_history(session_id: Name, service: Served) -> Response:
    """Show what a run returned, with all its messages. The id may lack its prefix; 400 where it fits several sessions."""

    def work() -> dict[str, Any]:
        store = service.sessions
        return read_history(store, store.find(session_id))

    return Json(await service.call(work))


@router.delete("/{session_id:name}", status_code=204, response_class=Response, responses=refusals(404))
async def delete_history(session_id: Name, service: Served) -> Response:
    """Delete a session with its messages, a workflow with its steps."""

    def work() -> None:
        store = service.sessions
        store.delete([store.find(session_id).session_id])

    await service.call(work)
    return Response(status_code=204)


@router.post("/{session_id:name}/tags", response_model=Tags, responses=refusals(404))
async def change_tags(session_id: Name, body: TagChange, service: Served) -> Response:
    """Add tags to a session, or remove them."""

    def work() -> Session:
        store = service.sessions
        return store.tag(store.find(session_id).session_id, add=body.add, remove=body.remove)

    session = await service.call(work)
    return Json({"session_id": session.session_id, "tags": list(session.tags)})


class _End:
    """There is nothing behind the offset."""


def _behind(store: SessionStore, chosen: SessionFilter, offset: int, after: Cursor | None) -> Cursor | _End | None:
    """Where a page begins, ``offset`` sessions behind a cursor."""
    while offset:
        page = store.list(chosen, limit=min(offset, _PAGE), after=after)
        offset -= len(page.sessions)
        if page.next is None:
            return _End()
        after = page.next
    return after


def _metadata(store: SessionStore, session: Session) -> dict[str, Any]:
    steps = list(_steps(store, session)) if session.kind == "workflow" else []
    return {
        "session_id": session.session_id,
        "name": session.name,
        "created_at": written_by_0_4(session.created_at),
        "last_updated": written_by_0_4(session.active_at),
        "message_count": session.message_count + sum(step.message_count for step in steps),
        "is_workflow": session.kind == "workflow",
        "agents_involved": {step.session_id: step.name for step in steps} or None,
        "base_session_id": session.base_session_id,
        "status": session.status,
        "title": session.title,
        "tags": list(session.tags),
    }


def _steps(store: SessionStore, session: Session) -> Iterator[Session]:
    return islice(store.iterate(SessionFilter(parent_session_id=session.session_id)), _PAGE)


def _token(cursor: Cursor) -> str:
    return base64.urlsafe_b64encode(f"{cursor.instant}:{cursor.session_id}".encode()).decode().rstrip("=")


def _cursor(token: str) -> Cursor:
    try:
        text = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True).decode()
        instant, _, session_id = text.partition(":")
        if not session_id or not instant.isdigit() or len(instant) > 18:
            raise ValueError(token)
        return Cursor(int(instant), session_id)
    except ValueError as error:
        raise InvalidValueError(
            "after is not the `next` of an earlier page", next_step="Copy it whole, or leave it away"
        ) from error
