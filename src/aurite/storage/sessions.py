"""Sessions in SQL: one store for SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Literal

from aurite.model.names import check_name, check_text
from aurite.model.records import (
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
)
from aurite.storage.engine import Engine, Row, Transaction
from aurite.storage.session_listing import listing, one_session, total
from aurite.storage.session_rules import (
    ABANDONED,
    check_end,
    check_message,
    check_new_session,
    require_same_owner,
    session_not_found,
    the_only,
)
from aurite.storage.statements import statements

NO_LIMIT = 2**62
_PAGE = 500
TAG_SEPARATOR = "\x1f"
MESSAGE_COLUMNS = ("role", "document", "native", "provider", "run_id")


class SqlSessionStore:
    """The sessions of a database; see ``SessionStore`` for what each method promises."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._sql = statements("sessions", engine.dialect)
        self._one = one_session(engine.dialect, self._sql["tags_of_session"])

    @property
    def location(self) -> str:
        return self._engine.location

    def start_run(self, session: NewSession, run: NewRun, messages: Sequence[NewMessage] = ()) -> Session:
        check_new_session(session, run)
        for message in messages:
            check_message(message)
        base = session.base_session_id or session.session_id
        identity = (session.session_id, base, session.parent_session_id, session.kind, session.name, session.title)
        if "start" in self._sql:
            made = self._engine.write(self._sql["start"], *identity, run.run_id, run.owner, *_columns(messages))
            if made:
                return _with_tags(made[0])
        with self._engine.transaction() as work:
            instant = work.now()
            last = len(messages)
            if not work.row(self._sql["insert"], *identity, last, instant):
                require_same_owner(self._known(work, session.session_id), session)
                work.run(self._sql["restart"], session.session_id, instant)
                last = self._count_in(work, session.session_id, messages)
            work.run(self._sql["insert_run"], run.run_id, session.session_id, instant, run.owner)
            self._insert(work, session.session_id, messages, first=last - len(messages) + 1)
            return self._known(work, session.session_id)

    def append(self, session_id: str, messages: Sequence[NewMessage]) -> int:
        for message in messages:
            check_message(message)
        if "append" in self._sql:
            rows = self._engine.write(self._sql["append"], session_id, *_columns(messages))
            if not rows:
                raise session_not_found(session_id)
            newest: int = rows[0][0]
            return newest
        return self._engine.write_small(lambda work: self._append(work, session_id, messages))

    def end_run(self, session_id: str, run_id: str, end: RunEnd) -> None:
        check_end(end)
        if "end" in self._sql:
            if not self._engine.write(self._sql["end"], run_id, session_id, end.status, end.error, end.result, end.usage):
                raise session_not_found(session_id, run_id)
            return
        with self._engine.transaction() as work:
            instant = work.now()
            if not work.row(self._sql["end_run"], run_id, session_id, end.status, instant, end.error, end.result, end.usage):
                raise session_not_found(session_id, run_id)
            work.run(self._sql["end_session"], session_id, end.status, instant)

    def end_abandoned_runs(self, is_abandoned: Callable[[Run], bool]) -> list[Run]:
        """See :class:`aurite.storage.ports.SessionStore`."""
        in_progress = [Run(*row) for row in self._engine.read(self._sql["runs_in_progress"])]
        return [run for run in in_progress if is_abandoned(run) and self._interrupt(run)]

    def get(self, session_id: str) -> Session | None:
        return _session(self._engine.read(self._one, session_id))

    def find(self, reference: str) -> Session:
        if "\0" in reference:  # PostgreSQL would not even look
            raise session_not_found(reference)
        with self._engine.snapshot() as view:
            exact = _session(view.rows(self._one, reference))
            if exact is not None:
                return exact
            fitting = [
                session_id
                for (session_id,) in view.rows(self._sql["candidates"], f"agent-{reference}", f"workflow-{reference}", reference)
            ]
            return self._known(view, the_only(reference, fitting))

    def messages(self, session_id: str, *, after: int = 0, limit: int | None = None) -> list[Message]:
        rows = self._engine.read(self._sql["messages"], session_id, after, NO_LIMIT if limit is None else limit)
        return [Message(*row) for row in rows]

    def last_messages(self, session_id: str, count: int) -> list[Message]:
        rows = self._engine.read(self._sql["last_messages"], session_id, count)
        return [Message(*row) for row in reversed(rows)]

    def runs(self, session_id: str) -> list[Run]:
        return [Run(*row) for row in self._engine.read(self._sql["runs"], session_id)]

    def list(
        self,
        filter: SessionFilter,
        *,
        limit: int,
        after: Cursor | None = None,
        order: Literal["created", "active"] = "created",
    ) -> Page:
        tags, dialect = self._sql["tags_of_session"], self._engine.dialect
        statement, values = listing(filter, limit=limit + 1, after=after, order=order, dialect=dialect, tags=tags)
        sessions = [_with_tags(row) for row in self._engine.read_somewhat_late(statement, *values)]
        if len(sessions) <= limit:
            return Page(sessions=sessions, next=None)
        last = sessions[limit - 1]
        instant = last.created_at if order == "created" else last.active_at
        return Page(sessions=sessions[:limit], next=Cursor(instant=instant, session_id=last.session_id))

    def count(self, filter: SessionFilter) -> int:
        statement, values = total(filter, dialect=self._engine.dialect)
        fitting: int = self._engine.read_somewhat_late(statement, *values)[0][0]
        return fitting

    def iterate(self, filter: SessionFilter) -> Iterator[Session]:
        page = self.list(filter, limit=_PAGE)
        yield from page.sessions
        while page.next is not None:
            page = self.list(filter, limit=_PAGE, after=page.next)
            yield from page.sessions

    def delete(self, session_ids: Sequence[str], *, dry_run: bool = False) -> DeletedSessions:
        with self._engine.snapshot() if dry_run else self._engine.transaction() as work:
            found: dict[str, int] = {}
            for session_id in session_ids:
                family = work.rows(self._sql["family"], session_id)
                if not family:
                    raise session_not_found(session_id)
                found.update(family)
            if not dry_run:
                work.run_many(self._sql["delete"], [(session_id,) for session_id in found])
        return DeletedSessions(session_ids=tuple(sorted(found)), messages=sum(found.values()))

    def set_title(self, session_id: str, title: str | None) -> None:
        check_text(title, "title")
        if not self._engine.write(self._sql["set_title"], session_id, title):
            raise session_not_found(session_id)

    def tag(self, session_id: str, *, add: Sequence[str] = (), remove: Sequence[str] = ()) -> Session:
        for tag in (*add, *remove):
            check_name(tag, "tag")
        with self._engine.transaction() as work:
            work.run_many(self._sql["remove_tag"], [(session_id, tag) for tag in remove])
            work.run_many(self._sql["add_tag"], [(session_id, tag) for tag in add])
            return self._known(work, session_id)

    def close(self) -> None:
        self._engine.close()

    def _interrupt(self, run: Run) -> bool:
        """Whether it was still in progress."""
        with self._engine.transaction() as work:
            if not work.row(self._sql["interrupt_run"], run.run_id, work.now(), ABANDONED):
                return False
            work.run(self._sql["hold_session"], run.session_id)
            work.run(self._sql["interrupt_session"], run.session_id)
            return True

    def _append(self, work: Transaction, session_id: str, messages: Sequence[NewMessage]) -> int:
        last = self._count_in(work, session_id, messages)
        self._insert(work, session_id, messages, first=last - len(messages) + 1)
        return last

    def _count_in(self, work: Transaction, session_id: str, messages: Sequence[NewMessage]) -> int:
        counted = work.row(self._sql["count_in"], session_id, len(messages))
        if counted is None:
            raise session_not_found(session_id)
        last: int = counted[0]
        return last

    def _insert(self, work: Transaction, session_id: str, messages: Sequence[NewMessage], *, first: int) -> None:
        instant = work.now() if messages else 0
        work.run_many(
            self._sql["insert_message"],
            [
                (session_id, seq, message.role, message.document, message.native, message.provider, message.run_id, instant)
                for seq, message in enumerate(messages, first)
            ],
        )

    def _known(self, view: Transaction, session_id: str) -> Session:
        session = _session(view.rows(self._one, session_id))
        if session is None:
            raise session_not_found(session_id)
        return session


def _columns(messages: Sequence[NewMessage]) -> list[list[str | None]]:
    """The messages as arrays, one per column."""
    return [[getattr(message, column) for message in messages] for column in MESSAGE_COLUMNS]


def _session(rows: Sequence[Row]) -> Session | None:
    return _with_tags(rows[0]) if rows else None


def _with_tags(row: Row) -> Session:
    tags: str | None = row[-1]
    return Session(*(*row[:-1], tuple(tags.split(TAG_SEPARATOR)) if tags else ()))
