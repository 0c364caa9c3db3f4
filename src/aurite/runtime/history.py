"""A session read back as the document that its run returned, with the steps of a workflow read from their own sessions."""

from __future__ import annotations

from aurite.model.history import Step, history_document
from aurite.model.messages import Document
from aurite.model.records import Session, SessionFilter
from aurite.storage.ports import SessionStore


def read_history(store: SessionStore, session: Session) -> Document:
    """``result_type``, ``execution_result`` and ``metadata`` of a session, as clients of 0.4 know them."""
    steps = [Step(step, store.messages(step.session_id), store.runs(step.session_id)) for step in steps_below(store, session)]
    return history_document(session, store.messages(session.session_id), store.runs(session.session_id), steps)


def steps_below(store: SessionStore, session: Session) -> list[Session]:
    """The sessions below a workflow's, in the order of their making; none below an agent's."""
    if session.kind != "workflow":
        return []
    family = sorted(
        store.iterate(SessionFilter(base_session_id=session.base_session_id)),
        key=lambda step: (step.created_at, len(step.session_id), step.session_id),
    )
    below = {session.session_id}
    found: list[Session] = []
    for step in family:
        if step.parent_session_id in below:
            below.add(step.session_id)
            found.append(step)
    return found
