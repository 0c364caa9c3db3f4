"""What every session store checks the same way, and the errors it raises in the same words."""

from __future__ import annotations

from collections.abc import Sequence

from aurite.errors import AmbiguousNameError, InvalidValueError, SessionExistsError, SessionNotFoundError
from aurite.model.jsontext import MAX_MESSAGE_BYTES, decode
from aurite.model.names import check_name, check_text
from aurite.model.records import NewMessage, NewRun, NewSession, RunEnd, Session

ABANDONED = "the process that carried it out ended before it did"
"""The error of a run that was interrupted."""


def check_new_session(session: NewSession, run: NewRun) -> None:
    """Nothing, where all names are allowed.

    Raises:
        InvalidValueError.
    """
    check_name(session.session_id, "session id")
    check_name(session.name, f"{session.kind} name")
    check_name(run.run_id, "run id")
    for reference in (session.base_session_id, session.parent_session_id):
        if reference is not None:
            check_name(reference, "session id")
    check_text(session.title, "title")
    check_text(run.owner, "owner of a run")


def check_end(end: RunEnd) -> None:
    """Nothing, where all texts of a run's end can be kept.

    Raises:
        InvalidValueError.
    """
    for what, text in (("error", end.error), ("result", end.result), ("usage", end.usage)):
        check_text(text, f"{what} of a run")


def check_message(message: NewMessage) -> None:
    """Nothing, where the message is JSON text within the limit.

    Raises:
        InvalidValueError.
    """
    for what, text in (("message", message.document), ("native form of a message", message.native)):
        if text is None:
            continue
        check_text(text, what)
        if len(text) > MAX_MESSAGE_BYTES // 4 and len(text.encode()) > MAX_MESSAGE_BYTES:
            raise InvalidValueError(f"a {what} is larger than {MAX_MESSAGE_BYTES // 1024 // 1024} MiB")
        try:
            decode(text)
        except InvalidValueError as error:
            raise InvalidValueError(f"a {what} is not JSON: {error.message}") from error
    for what, text in (("role", message.role), ("provider", message.provider), ("run id", message.run_id)):
        check_text(text, f"{what} of a message")


def require_same_owner(found: Session, wanted: NewSession) -> None:
    """Nothing, where a session may be continued.

    Raises:
        SessionExistsError: it belongs to another agent or workflow.
    """
    if (found.kind, found.name) != (wanted.kind, wanted.name):
        raise SessionExistsError(
            f"the session {wanted.session_id!r} belongs to {found.kind} {found.name!r}, not to {wanted.kind} {wanted.name!r}",
            next_step="Choose another session id",
        )


def session_not_found(session_id: str, run_id: str | None = None) -> SessionNotFoundError:
    """The error for a session, or a run in it, that is not there."""
    what = f"the session {session_id!r} has no run {run_id!r}" if run_id else f"there is no session {session_id!r}"
    return SessionNotFoundError(
        f"{what}; it may have been deleted meanwhile", next_step="See what there is with aurite sessions list"
    )


def the_only(reference: str, session_ids: Sequence[str]) -> str:
    """The one session that a reference fits.

    Raises:
        SessionNotFoundError, AmbiguousNameError.
    """
    if not session_ids:
        raise session_not_found(reference)
    if len(session_ids) > 1:
        raise AmbiguousNameError(
            f"{reference!r} fits {len(session_ids)} sessions: {', '.join(session_ids[:10])}", next_step="Give the full id"
        )
    return session_ids[0]
