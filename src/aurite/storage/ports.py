"""The contracts that every store keeps, in words. ``aurite.testing`` has the tests that hold each backend to them.

Common to both:

* Methods are synchronous, may be called from any thread, and several processes may use one store at once.
* A method that returns has done what it says; a write has been committed, on disk, before it returns. One that raises has changed
  nothing, save ``OutcomeUnknownError``. No method returns False for failure; ``None`` means absent.
* A process killed at any instant leaves the store as before or as after, and the next start needs no repair.
* Names and ids are compared by code point. Lists are ordered by code point or by the instant named.
* Documents come back byte for byte. Instants are microseconds since 1970 UTC, written by the store's clock.
* Errors are those of ``aurite.errors``; a driver's own error stays as ``__cause__`` and none of its text with rows in it is shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Literal, Protocol

from aurite.model.records import (
    Author,
    Change,
    ComponentRevision,
    Cursor,
    DeletedSessions,
    Message,
    NewMessage,
    NewRun,
    NewSession,
    Page,
    Run,
    RunEnd,
    Session,
    SessionFilter,
    Snapshot,
    Written,
)


class ComponentStore(Protocol):
    """Keeps components, each once by (type, name)."""

    @property
    def location(self) -> str:
        """Where it is, for people: a path, or host and database. Never a secret."""
        ...

    def version(self) -> int:
        """A number that is higher after every committed change by anyone, hand edits included. Cheap: asked before each read."""
        ...

    def load(self) -> Snapshot:
        """Everything, in one consistent look. A bad entry becomes a problem and hides no other.

        Raises:
            StorageError: the store could not be read. Never an empty snapshot instead.
        """
        ...

    def load_changes(self, since: Snapshot) -> Snapshot:
        """The snapshot of now, reading only what changed since the given one; ``since`` itself stays as it is."""
        ...

    def write(self, changes: Sequence[Change], *, author: Author) -> Written:
        """Carry out all changes as one, in the order given, or none of them.

        Each changed component gets the counter's new value as its revision. ``Put`` of an equal document changes nothing; a write
        that changes nothing leaves the counter as it was. A key may appear only once.

        Raises:
            ComponentExistsError: ``Create`` of a key that is there.
            ComponentNotFoundError: ``Update`` or ``Delete`` of a key that is not.
            RevisionConflictError: ``expected_revision`` is set and is not the current one, or the component is gone.
            InvalidValueError: a name, type or document breaks a limit, or a key appears twice.
            StorageError: the store failed.
        """
        ...

    def history(self, type: str, name: str) -> list[ComponentRevision]:
        """Every change of a component, newest first; empty where there never was one. It outlives the component.

        Raises:
            NotSupportedError: this store keeps no history; files leave that to version control.
        """
        ...

    def close(self) -> None:
        """Give back files and connections; calling it twice is fine."""
        ...


class SessionStore(Protocol):
    """Keeps sessions: append-only logs of messages, with their runs.

    The order of a session is ``seq``, never a timestamp. Appending costs the same however long the session is. Parallel appends
    from any number of processes interleave, lose nothing and leave no gap.
    """

    @property
    def location(self) -> str: ...

    def start_run(self, session: NewSession, run: NewRun, messages: Sequence[NewMessage] = ()) -> Session:
        """The session, made now where it is not there, with a new run in status ``running`` and its first messages, all together.

        Raises:
            SessionExistsError: the id is taken by another agent or workflow.
        """
        ...

    def append(self, session_id: str, messages: Sequence[NewMessage]) -> int:
        """The ``seq`` of the last message, all of them stored behind each other and together.

        Raises:
            SessionNotFoundError: there is no such session; it may have been deleted meanwhile.
            InvalidValueError: a message is not JSON text or is over 64 MiB.
        """
        ...

    def end_run(self, session_id: str, run_id: str, end: RunEnd) -> None:
        """Mark a run, and by it its session, as ended.

        Raises:
            SessionNotFoundError: the session or its run is gone.
        """
        ...

    def end_abandoned_runs(self, is_abandoned: Callable[[Run], bool]) -> list[Run]:
        """The runs that nobody carries on, which are ``interrupted`` from now on, as they were before; oldest first.

        Asks ``is_abandoned`` about each run in progress, at a cost that depends on how many of them there are. A session is marked
        with its run, unless another of its runs goes on; its messages and the time of its last activity stay. A run that was given
        up wrongly has the last word all the same: ``end_run`` writes how it really ended. Where several processes do this at once,
        each run is ended and given back once.
        """
        ...

    def get(self, session_id: str) -> Session | None:
        """The session with exactly this id, its tags included."""
        ...

    def find(self, reference: str) -> Session:
        """The session with this id, or the one whose id is ``agent-REFERENCE`` or ``workflow-REFERENCE``, or whose base id it is.

        A workflow stands for its steps.

        Raises:
            SessionNotFoundError: none fits.
            AmbiguousNameError: more than one fits; the message lists them.
        """
        ...

    def messages(self, session_id: str, *, after: int = 0, limit: int | None = None) -> list[Message]:
        """Messages with ``seq > after``, oldest first, at most ``limit``. Empty for an unknown session."""
        ...

    def last_messages(self, session_id: str, count: int) -> list[Message]:
        """The newest ``count`` messages, oldest of them first, at a cost that does not depend on the length of the session."""
        ...

    def runs(self, session_id: str) -> list[Run]:
        """The runs of a session, oldest first."""
        ...

    def list(
        self,
        filter: SessionFilter,
        *,
        limit: int,
        after: Cursor | None = None,
        order: Literal["created", "active"] = "created",
    ) -> Page:
        """One page of sessions, newest first; ties by id, by code point.

        Pages in order ``created`` never repeat or skip a session; in order ``active`` they never repeat, and may miss one
        that moved to the front meanwhile.
        """
        ...

    def count(self, filter: SessionFilter) -> int:
        """How many sessions fit."""
        ...

    def iterate(self, filter: SessionFilter) -> Iterator[Session]:
        """All that fit, newest first, read page by page."""
        ...

    def delete(self, session_ids: Sequence[str], *, dry_run: bool = False) -> DeletedSessions:
        """Delete sessions with their messages and runs, and the steps of workflows along with them; all or none.

        Raises:
            SessionNotFoundError: one of the ids is not there; nothing was deleted.
        """
        ...

    def set_title(self, session_id: str, title: str | None) -> None:
        """Raises: SessionNotFoundError."""
        ...

    def tag(self, session_id: str, *, add: Sequence[str] = (), remove: Sequence[str] = ()) -> Session:
        """The session with its tags after the change; adding one twice or removing an absent one is no error.

        Raises: SessionNotFoundError, InvalidValueError for a tag that is not a name.
        """
        ...

    def close(self) -> None:
        """Give back files and connections; calling it twice is fine."""
        ...
