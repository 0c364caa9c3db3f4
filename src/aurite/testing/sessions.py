"""The contract of :class:`aurite.storage.ports.SessionStore`, one sentence of it per test."""

# ruff: noqa: S101 -- these are tests, and asserting is what tests do

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import count, pairwise
from pathlib import Path
from typing import Any, Literal, get_args

import pytest

from aurite.errors import AmbiguousNameError, InvalidValueError, SessionExistsError, SessionNotFoundError
from aurite.model.jsontext import MAX_MESSAGE_BYTES, JsonValue, check
from aurite.model.records import (
    Cursor,
    NewMessage,
    NewRun,
    NewSession,
    Run,
    RunEnd,
    RunStatus,
    Session,
    SessionFilter,
    SessionKind,
)
from aurite.storage.ports import SessionStore
from aurite.testing.samples import AWKWARD_NAMES, AWKWARD_VALUES, REFUSED_NAMES

OpenView = Callable[[], SessionStore]
Order = Literal["created", "active"]

_run_numbers = count(1)


def message(content: JsonValue, role: str = "user") -> NewMessage:
    """A message as clients read it, with nothing of a model library."""
    return NewMessage(role=role, document=check({"role": role, "content": content}))


def new_run() -> NewRun:
    return NewRun(f"run-{next(_run_numbers)}")


def start(
    store: SessionStore,
    session_id: str,
    name: str = "weather",
    *,
    kind: SessionKind = "agent",
    base: str | None = None,
    parent: str | None = None,
) -> Session:
    """The session with a new run in it."""
    made_from = NewSession(session_id, kind, name, base_session_id=base, parent_session_id=parent)
    return store.start_run(made_from, new_run())


def start_workflow(store: SessionStore, base: str, steps: int, name: str = "daily") -> list[str]:
    """Ids of a workflow's session and of its steps, one message in each."""
    main = f"workflow-{base}"
    start(store, main, name, kind="workflow", base=base)
    ids = [main] + [f"workflow-{base}-{step}" for step in range(steps)]
    for step in ids[1:]:
        start(store, step, base=base, parent=main)
    for session_id in ids:
        store.append(session_id, [message(session_id)])
    return ids


def ids_of(sessions: Sequence[Session] | Iterator[Session]) -> list[str]:
    return [session.session_id for session in sessions]


def contents(store: SessionStore, session_id: str) -> list[str]:
    return [found.document for found in store.messages(session_id)]


def listed(store: SessionStore, **fields: Any) -> list[str]:
    return ids_of(store.list(SessionFilter(**fields), limit=1000).sessions)


def walk(
    store: SessionStore, *, limit: int, order: Order = "created", between: Callable[[], object] = lambda: None, **fields: Any
) -> list[str]:
    """Ids of all sessions that fit, page by page, with something happening between the pages."""
    found: list[str] = []
    after: Cursor | None = None
    for _ in range(100):
        page = store.list(SessionFilter(**fields), limit=limit, after=after, order=order)
        assert len(page.sessions) <= limit
        found += ids_of(page.sessions)
        if page.next is None:
            return found
        after = page.next
        between()
    raise AssertionError("the pages never end")


class SessionStoreContract:
    """Subclass it, say how a store is opened, and every sentence of the port is tested."""

    def open_store(self, folder: Path) -> SessionStore:
        """A store that keeps everything below ``folder``; called twice with one folder, two views of one store."""
        raise NotImplementedError

    @pytest.fixture
    def open_view(self, tmp_path: Path) -> Iterator[OpenView]:
        with ExitStack() as opened:

            def open_one() -> SessionStore:
                store = self.open_store(tmp_path)
                opened.callback(store.close)
                return store

            yield open_one

    @pytest.fixture
    def store(self, open_view: OpenView) -> SessionStore:
        return open_view()

    @pytest.fixture
    def other(self, open_view: OpenView) -> SessionStore:
        """A second view, as another process would have it."""
        return open_view()

    # What is there at first, and at the end.

    def test_a_new_store_is_empty(self, store: SessionStore) -> None:
        page = store.list(SessionFilter(), limit=10)
        assert (list(page.sessions), page.next) == ([], None)
        assert store.count(SessionFilter()) == 0
        assert list(store.iterate(SessionFilter())) == []
        assert store.get("agent-x") is None

    def test_reading_an_unknown_session_finds_nothing(self, store: SessionStore) -> None:
        assert store.messages("agent-x") == []
        assert store.last_messages("agent-x", 5) == []
        assert store.runs("agent-x") == []

    def test_the_location_says_where_the_store_is(self, store: SessionStore, other: SessionStore) -> None:
        assert store.location
        assert store.location == other.location

    def test_closing_twice_is_fine(self, store: SessionStore) -> None:
        store.close()
        store.close()

    def test_what_was_written_is_there_when_the_store_is_opened_again(self, store: SessionStore, open_view: OpenView) -> None:
        start(store, "agent-x")
        store.append("agent-x", [message("hello")])
        before = (store.get("agent-x"), store.messages("agent-x"), store.runs("agent-x"))
        store.close()
        again = open_view()
        assert (again.get("agent-x"), again.messages("agent-x"), again.runs("agent-x")) == before

    # Runs.

    def test_the_first_run_makes_the_session(self, store: SessionStore, other: SessionStore) -> None:
        before = time.time_ns() // 1000
        made = store.start_run(NewSession("agent-x", "agent", "weather", title="T"), NewRun("r1", owner="host:1"))
        after = time.time_ns() // 1000
        assert made == store.get("agent-x") == other.get("agent-x")
        assert (made.session_id, made.base_session_id, made.parent_session_id) == ("agent-x", "agent-x", None)
        assert (made.kind, made.name, made.status, made.title) == ("agent", "weather", "running", "T")
        assert (made.message_count, made.tags) == (0, ())
        assert before - 1 <= made.created_at <= made.active_at <= after + 1
        (run,) = store.runs("agent-x")
        assert (run.run_id, run.session_id, run.status, run.owner) == ("r1", "agent-x", "running", "host:1")
        assert (run.ended_at, run.error, run.result, run.usage) == (None, None, None, None)
        assert before - 1 <= run.started_at <= after + 1

    def test_the_first_messages_are_stored_with_the_run(self, store: SessionStore, other: SessionStore) -> None:
        made = store.start_run(NewSession("agent-x", "agent", "weather"), new_run(), [message("1"), message("2")])
        assert made.message_count == 2
        again = other.start_run(NewSession("agent-x", "agent", "weather"), new_run(), [message("3")])
        assert again.message_count == 3
        assert [found.seq for found in store.messages("agent-x")] == [1, 2, 3]
        assert contents(store, "agent-x") == [message(str(number)).document for number in range(1, 4)]
        assert store.append("agent-x", [message("4")]) == 4

    def test_a_run_whose_first_message_is_no_json_is_not_started(self, store: SessionStore) -> None:
        with pytest.raises(InvalidValueError):
            store.start_run(NewSession("agent-x", "agent", "weather"), new_run(), [message("1"), NewMessage("user", "{")])
        assert store.get("agent-x") is None
        assert store.runs("agent-x") == []

    def test_a_step_knows_its_workflow(self, store: SessionStore) -> None:
        start(store, "workflow-b", "daily", kind="workflow", base="b")
        step = start(store, "workflow-b-0", base="b", parent="workflow-b")
        assert (step.base_session_id, step.parent_session_id) == ("b", "workflow-b")

    def test_a_further_run_continues_the_session(self, store: SessionStore, other: SessionStore) -> None:
        first = start(store, "agent-x")
        store.append("agent-x", [message("one")])
        store.end_run("agent-x", store.runs("agent-x")[0].run_id, RunEnd("completed"))
        again = start(other, "agent-x")
        assert (again.created_at, again.message_count, again.status) == (first.created_at, 1, "running")
        assert again.active_at >= first.active_at
        runs = store.runs("agent-x")
        assert [run.status for run in runs] == ["completed", "running"]
        assert runs[0].started_at <= runs[1].started_at

    @pytest.mark.parametrize(("kind", "name"), [("agent", "other"), ("agent", "Weather"), ("workflow", "weather")])
    def test_an_id_that_is_taken_by_another_agent_or_workflow_is_refused(
        self, store: SessionStore, kind: SessionKind, name: str
    ) -> None:
        start(store, "agent-x", "weather")
        before = (store.get("agent-x"), store.runs("agent-x"))
        with pytest.raises(SessionExistsError):
            start(store, "agent-x", name, kind=kind)
        assert (store.get("agent-x"), store.runs("agent-x")) == before

    @pytest.mark.parametrize("status", [status for status in get_args(RunStatus) if status != "running"])
    def test_an_ended_run_gives_its_status_to_the_session(
        self, store: SessionStore, other: SessionStore, status: RunStatus
    ) -> None:
        started = start(store, "agent-x")
        (run,) = store.runs("agent-x")
        store.end_run("agent-x", run.run_id, RunEnd(status, error="e", result='{"a": 1}', usage='{"requests":2}'))
        session = other.get("agent-x")
        assert session is not None
        assert session.status == status
        assert session.active_at >= started.active_at
        (ended,) = other.runs("agent-x")
        assert (ended.status, ended.error, ended.result, ended.usage) == (status, "e", '{"a": 1}', '{"requests":2}')
        assert ended.ended_at is not None
        assert ended.ended_at >= ended.started_at

    def test_ending_an_unknown_run_is_refused(self, store: SessionStore) -> None:
        start(store, "agent-x")
        before = (store.get("agent-x"), store.runs("agent-x"))
        for session_id, run_id in (("agent-x", "no-run"), ("agent-y", "no-run"), ("agent-y", before[1][0].run_id)):
            with pytest.raises(SessionNotFoundError):
                store.end_run(session_id, run_id, RunEnd("completed"))
        assert (store.get("agent-x"), store.runs("agent-x")) == before

    # Messages.

    def test_messages_are_numbered_from_one_without_a_gap(self, store: SessionStore, other: SessionStore) -> None:
        start(store, "agent-x")
        assert store.append("agent-x", [message("1")]) == 1
        assert store.append("agent-x", [message("2"), message("3")]) == 3
        assert other.append("agent-x", [message("4")]) == 4
        assert [found.seq for found in store.messages("agent-x")] == [1, 2, 3, 4]
        assert contents(store, "agent-x") == [message(str(number)).document for number in range(1, 5)]
        session = store.get("agent-x")
        assert session is not None
        assert session.message_count == 4

    def test_sessions_are_numbered_apart_from_each_other(self, store: SessionStore) -> None:
        start(store, "agent-x")
        start(store, "agent-y")
        assert [store.append(f"agent-{which}", [message(which)]) for which in "xyxy"] == [1, 1, 2, 2]

    def test_appending_to_an_unknown_session_is_refused_and_makes_none(self, store: SessionStore) -> None:
        with pytest.raises(SessionNotFoundError):
            store.append("agent-x", [message("1")])
        assert store.get("agent-x") is None
        assert store.messages("agent-x") == []

    def test_appending_to_a_session_that_was_deleted_meanwhile_is_refused(self, store: SessionStore, other: SessionStore) -> None:
        start(store, "agent-x")
        store.append("agent-x", [message("1")])
        other.delete(["agent-x"])
        with pytest.raises(SessionNotFoundError):
            store.append("agent-x", [message("2")])
        assert store.get("agent-x") is None
        assert store.messages("agent-x") == []

    def test_a_message_comes_back_with_all_of_its_parts(self, store: SessionStore, other: SessionStore) -> None:
        start(store, "agent-x")
        before = time.time_ns() // 1000
        store.append("agent-x", [NewMessage("tool", '{"role":"tool"}', native='{"v":1}', provider="openai", run_id="r1")])
        (found,) = other.messages("agent-x")
        assert (found.session_id, found.seq, found.role, found.document) == ("agent-x", 1, "tool", '{"role":"tool"}')
        assert (found.native, found.provider, found.run_id) == ('{"v":1}', "openai", "r1")
        assert before - 1 <= found.created_at <= time.time_ns() // 1000 + 1

    def test_what_a_message_does_not_have_stays_apart_from_empty_text(self, store: SessionStore) -> None:
        start(store, "agent-x")
        store.append("agent-x", [NewMessage("user", "{}"), NewMessage("user", '""', native='""', provider="", run_id="")])
        absent, empty = store.messages("agent-x")
        assert (absent.native, absent.provider, absent.run_id) == (None, None, None)
        assert (empty.document, empty.native, empty.provider, empty.run_id) == ('""', '""', "", "")

    @pytest.mark.parametrize("case", AWKWARD_VALUES)
    def test_documents_come_back_byte_for_byte(self, store: SessionStore, other: SessionStore, case: str) -> None:
        document = check({"role": "user", "content": AWKWARD_VALUES[case]})
        start(store, "agent-x")
        store.append("agent-x", [NewMessage("user", document, native=document), message("behind")])
        found = other.messages("agent-x")[0]
        assert (found.document, found.native) == (document, document)
        assert store.messages("agent-x")[0] == found

    @pytest.mark.parametrize(
        "text", ['{ "b" : 1.0,\n\t"a": 1e2 }', '{"a":1,"a":2}', '"\\u00e9\\/\u00e9"', "[1E300,1e-400,-0]", " null ", "\r\n[]\r\n"]
    )
    def test_the_text_of_a_message_is_kept_however_it_is_written(self, store: SessionStore, text: str) -> None:
        start(store, "agent-x")
        store.append("agent-x", [NewMessage("user", text, native=text)])
        (found,) = store.messages("agent-x")
        assert (found.document, found.native) == (text, text)

    @pytest.mark.parametrize("text", ["", "{", "NaN", "[1,]", "{} {}", "'a'", '"\x01"'])
    @pytest.mark.parametrize("field", ["document", "native"])
    def test_a_message_that_is_no_json_is_refused_with_all_beside_it(self, store: SessionStore, field: str, text: str) -> None:
        start(store, "agent-x")
        store.append("agent-x", [message("first")])
        bad = NewMessage("user", text) if field == "document" else NewMessage("user", "{}", native=text)
        with pytest.raises(InvalidValueError):
            store.append("agent-x", [message("before"), bad, message("behind")])
        assert contents(store, "agent-x") == [message("first").document]
        assert store.append("agent-x", [message("second")]) == 2

    def test_a_message_over_its_limit_is_refused(self, store: SessionStore) -> None:
        start(store, "agent-x")
        with pytest.raises(InvalidValueError, match="64 MiB"):
            store.append("agent-x", [NewMessage("user", '"' + "x" * MAX_MESSAGE_BYTES + '"')])
        assert store.messages("agent-x") == []

    def test_messages_are_read_from_a_place_on_and_up_to_a_limit(self, store: SessionStore) -> None:
        start(store, "agent-x")
        store.append("agent-x", [message(str(number)) for number in range(1, 11)])

        def read(**fields: int) -> list[int]:
            return [found.seq for found in store.messages("agent-x", **fields)]

        assert read(after=7) == [8, 9, 10]
        assert read(after=3, limit=2) == [4, 5]
        assert read(limit=3) == [1, 2, 3]
        assert read(limit=99) == list(range(1, 11))
        assert read(after=10) == read(after=99) == read(limit=0) == []

    def test_the_last_messages_come_with_the_oldest_of_them_first(self, store: SessionStore) -> None:
        start(store, "agent-x")
        store.append("agent-x", [message(str(number)) for number in range(1, 11)])
        everything = store.messages("agent-x")
        assert store.last_messages("agent-x", 3) == everything[-3:]
        assert store.last_messages("agent-x", 10) == store.last_messages("agent-x", 99) == everything
        assert store.last_messages("agent-x", 0) == []

    # Names.

    @pytest.mark.parametrize("name", AWKWARD_NAMES, ids=lambda name: ascii(name)[:20])
    def test_an_id_and_a_name_are_data(self, store: SessionStore, other: SessionStore, name: str) -> None:
        start(store, "bystander")
        made = start(store, name, name, base=name)
        store.append(name, [message("1")])
        assert (made.session_id, made.name, made.base_session_id) == (name, name, name)
        assert ids_of([other.find(name)]) == listed(other, agent=name) == listed(other, base_session_id=name) == [name]
        assert contents(other, name) == [message("1").document]
        assert store.delete([name]).session_ids == (name,)
        assert listed(store) == ["bystander"]

    def test_ids_that_look_alike_are_different_sessions(self, store: SessionStore, other: SessionStore) -> None:
        for number, name in enumerate(AWKWARD_NAMES):
            start(store, name)
            store.append(name, [message(number)])
        assert listed(other) == list(reversed(AWKWARD_NAMES))
        for number, name in enumerate(AWKWARD_NAMES):
            assert contents(other, name) == [message(number).document]
        patterns = ("%", "*", ".", "..", "/", "_", "a_b", "plain")
        assert store.delete(patterns).session_ids == patterns
        assert store.count(SessionFilter()) == len(AWKWARD_NAMES) - len(patterns)

    @pytest.mark.parametrize("case", REFUSED_NAMES)
    def test_an_id_or_name_that_is_not_allowed_is_refused(self, store: SessionStore, case: str) -> None:
        refused = REFUSED_NAMES[case]
        for session in (
            NewSession(refused, "agent", "weather"),
            NewSession("agent-x", "agent", refused),
            NewSession("agent-x", "agent", "weather", base_session_id=refused),
        ):
            with pytest.raises(InvalidValueError):
                store.start_run(session, new_run())
        assert listed(store) == []

    # Finding.

    def test_a_session_is_found_by_its_id_with_or_without_its_prefix(self, store: SessionStore) -> None:
        start(store, "agent-x")
        start(store, "workflow-y", "daily", kind="workflow")
        assert store.find("agent-x").session_id == store.find("x").session_id == "agent-x"
        assert store.find("workflow-y").session_id == store.find("y").session_id == "workflow-y"

    def test_a_whole_id_wins_over_one_with_a_prefix(self, store: SessionStore) -> None:
        start(store, "agent-x")
        start(store, "x")
        assert store.find("x").session_id == "x"

    def test_a_session_is_found_by_its_base_id_where_that_is_unambiguous(self, store: SessionStore) -> None:
        start(store, "agent-1", base="talk")
        assert store.find("talk").session_id == "agent-1"
        start(store, "agent-2", base="talk")
        with pytest.raises(AmbiguousNameError) as ambiguous:
            store.find("talk")
        assert "agent-1" in str(ambiguous.value)
        assert "agent-2" in str(ambiguous.value)

    def test_a_workflow_stands_for_its_steps(self, store: SessionStore) -> None:
        start_workflow(store, "b", 3)
        assert store.find("b").session_id == "workflow-b"
        assert store.find("workflow-b-1").session_id == "workflow-b-1"

    def test_a_reference_that_fits_two_sessions_is_refused_with_both(self, store: SessionStore) -> None:
        start(store, "agent-x")
        start(store, "workflow-x", "daily", kind="workflow")
        with pytest.raises(AmbiguousNameError) as ambiguous:
            store.find("x")
        assert "agent-x" in str(ambiguous.value)
        assert "workflow-x" in str(ambiguous.value)
        assert store.find("agent-x").session_id == "agent-x"

    @pytest.mark.parametrize("reference", ["y", "agent-", "agent-%", "X", "agent-X", "", "agent-x ", "z" * 300])
    def test_a_reference_that_fits_nothing_is_refused(self, store: SessionStore, reference: str) -> None:
        start(store, "agent-x")
        with pytest.raises(SessionNotFoundError):
            store.find(reference)

    @pytest.mark.parametrize("text", ["\ud800", "agent-x\udcff", "a\x00b"])
    def test_a_text_that_some_store_cannot_keep_is_no_id_and_no_title(self, store: SessionStore, text: str) -> None:
        start(store, "agent-x")
        before = (store.get("agent-x"), store.runs("agent-x"), store.messages("agent-x"))
        refused = pytest.raises((SessionNotFoundError, InvalidValueError))
        with refused:
            store.find(text)
        with refused:
            store.append(text, [message("1")])
        with refused:
            store.delete(["agent-x", text])
        with refused:
            store.set_title("agent-x", text)
        with refused:
            store.end_run("agent-x", before[1][0].run_id, RunEnd("failed", error=text))
        with refused:
            store.append("agent-x", [NewMessage("user", f'"{text}"')])  # as an escape it would be kept
        assert (store.get("agent-x"), store.runs("agent-x"), store.messages("agent-x")) == before

    # Runs that nobody carries on.

    def test_an_abandoned_run_is_interrupted_and_its_session_with_it(self, store: SessionStore, other: SessionStore) -> None:
        for name in ("agent-x", "agent-y", "agent-z"):
            start(store, name)
            store.append(name, [message(name)])
        done = store.runs("agent-z")[0].run_id
        store.end_run("agent-z", done, RunEnd("completed"))
        before = {name: store.get(name) for name in ("agent-y", "agent-z")}
        asked: list[str] = []

        def is_abandoned(run: Run) -> bool:
            asked.append(run.session_id)
            return run.session_id == "agent-x"

        (ended,) = other.end_abandoned_runs(is_abandoned)
        assert (ended.session_id, ended.status, ended.ended_at) == ("agent-x", "running", None)
        assert set(asked) == {"agent-x", "agent-y"}
        (run,) = store.runs("agent-x")
        assert run.status == "interrupted"
        assert run.error
        assert run.ended_at is not None
        session = store.get("agent-x")
        assert session is not None
        assert (session.status, session.message_count) == ("interrupted", 1)
        assert listed(store, status="interrupted") == ["agent-x"]
        assert {name: store.get(name) for name in ("agent-y", "agent-z")} == before
        assert other.end_abandoned_runs(lambda run: run.session_id == "agent-x") == []

    def test_a_session_with_another_run_in_progress_goes_on(self, store: SessionStore) -> None:
        start(store, "agent-x")
        start(store, "agent-x")
        first, second = (run.run_id for run in store.runs("agent-x"))
        assert [run.run_id for run in store.end_abandoned_runs(lambda run: run.run_id == first)] == [first]
        session = store.get("agent-x")
        assert session is not None
        assert session.status == "running"
        assert [run.status for run in store.runs("agent-x")] == ["interrupted", "running"]
        assert [run.run_id for run in store.end_abandoned_runs(lambda _: True)] == [second]
        session = store.get("agent-x")
        assert session is not None
        assert session.status == "interrupted"

    def test_an_interrupted_session_keeps_its_place_and_can_go_on(self, store: SessionStore) -> None:
        made = start(store, "agent-x")
        start(store, "agent-y")
        store.end_abandoned_runs(lambda _: True)
        assert ids_of(store.list(SessionFilter(), limit=9, order="active").sessions) == ["agent-y", "agent-x"]
        again = start(store, "agent-x")
        assert (again.status, again.created_at) == ("running", made.created_at)
        assert store.append("agent-x", [message("1")]) == 1

    def test_a_run_that_was_given_up_wrongly_has_the_last_word(self, store: SessionStore) -> None:
        start(store, "agent-x")
        store.end_abandoned_runs(lambda _: True)
        run_id = store.runs("agent-x")[0].run_id
        store.end_run("agent-x", run_id, RunEnd("completed"))
        assert store.runs("agent-x")[0].status == "completed"
        session = store.get("agent-x")
        assert session is not None
        assert session.status == "completed"

    def test_the_owner_of_a_run_is_told_to_whoever_decides(self, store: SessionStore) -> None:
        store.start_run(NewSession("agent-x", "agent", "weather"), NewRun("run-owned", owner="host:1:2"))
        start(store, "agent-y")
        assert [run.session_id for run in store.end_abandoned_runs(lambda run: run.owner == "host:1:2")] == ["agent-x"]
        assert [run.session_id for run in store.end_abandoned_runs(lambda run: run.owner is None)] == ["agent-y"]

    def test_eight_at_once_end_each_abandoned_run_once(self, store: SessionStore, other: SessionStore) -> None:
        for number in range(10):
            start(store, f"agent-{number}")
        with ThreadPoolExecutor(8) as pool:
            ended = list(pool.map(lambda number: (store, other)[number % 2].end_abandoned_runs(lambda _: True), range(8)))
        assert sorted(run.session_id for runs in ended for run in runs) == [f"agent-{number}" for number in range(10)]

    # Listing.

    def test_sessions_are_listed_newest_first(self, store: SessionStore, other: SessionStore) -> None:
        for number in range(5):
            start(store, f"agent-{number}")
        assert listed(other) == [f"agent-{number}" for number in (4, 3, 2, 1, 0)]

    def test_each_filter_keeps_what_fits(self, store: SessionStore) -> None:
        made = [start(store, f"agent-{number}", f"a{number % 2}", base=f"b{number % 3}") for number in range(6)]
        start(store, "workflow-w", "a0", kind="workflow", base="b0")
        start(store, "workflow-w-0", "a1", base="b0", parent="workflow-w")
        store.end_run("agent-1", store.runs("agent-1")[0].run_id, RunEnd("failed"))
        store.tag("agent-2", add=["good"])
        expected: list[tuple[dict[str, Any], list[str]]] = [
            ({"agent": "a0"}, ["agent-4", "agent-2", "agent-0"]),
            ({"workflow": "a0"}, ["workflow-w"]),
            ({"base_session_id": "b0"}, ["workflow-w-0", "workflow-w", "agent-3", "agent-0"]),
            ({"parent_session_id": "workflow-w"}, ["workflow-w-0"]),
            ({"status": "failed"}, ["agent-1"]),
            ({"tag": "good"}, ["agent-2"]),
            ({"created_from": made[4].created_at, "agent": "a0"}, ["agent-4"]),
            ({"created_until": made[2].created_at}, ["agent-1", "agent-0"]),
            ({"created_from": made[1].created_at, "created_until": made[3].created_at}, ["agent-2", "agent-1"]),
            ({"agent": "a1", "status": "failed", "base_session_id": "b1"}, ["agent-1"]),
            ({"agent": "a0", "tag": "good", "status": "running", "created_until": made[3].created_at}, ["agent-2"]),
            ({"agent": "a1", "tag": "good"}, []),
            ({"agent": "A0"}, []),
            ({"tag": "GOOD"}, []),
            ({"status": "no such status"}, []),
            ({"agent": "a0", "workflow": "a0"}, []),
        ]
        for fields, ids in expected:
            assert listed(store, **fields) == ids, fields
            assert store.count(SessionFilter(**fields)) == len(ids), fields
            assert ids_of(store.iterate(SessionFilter(**fields))) == ids, fields
            assert walk(store, limit=1, **fields) == ids, fields
            assert sorted(walk(store, limit=2, order="active", **fields)) == sorted(ids), fields

    @pytest.mark.parametrize("limit", [1, 4, 10, 20, 21])
    def test_pages_hold_each_session_once(self, store: SessionStore, limit: int) -> None:
        made = ids_of([start(store, f"agent-{number}") for number in range(20)])
        assert walk(store, limit=limit) == made[::-1]
        assert walk(store, limit=limit, order="active") == made[::-1]

    def test_the_last_page_says_that_it_is_the_last(self, store: SessionStore) -> None:
        for number in range(4):
            start(store, f"agent-{number}")
        first = store.list(SessionFilter(), limit=2)
        assert first.next is not None
        assert store.list(SessionFilter(), limit=2, after=first.next).next is None

    def test_pages_neither_repeat_nor_skip_while_sessions_are_added_and_continued(
        self, store: SessionStore, other: SessionStore
    ) -> None:
        made = ids_of([start(store, f"agent-{number}") for number in range(20)])
        added = count()

        def go_on() -> None:
            start(other, f"agent-added-{next(added)}")
            start(other, made[0])

        assert walk(store, limit=3, between=go_on) == made[::-1]

    def test_pages_go_on_where_the_session_of_the_cursor_was_deleted(self, store: SessionStore, other: SessionStore) -> None:
        made = ids_of([start(store, f"agent-{number}") for number in range(6)])
        first = store.list(SessionFilter(), limit=3)
        other.delete([made[3]])
        rest = store.list(SessionFilter(), limit=10, after=first.next)
        assert ids_of(rest.sessions) == [made[2], made[1], made[0]]

    def test_a_run_that_starts_or_ends_brings_its_session_to_the_front_of_the_active_ones(self, store: SessionStore) -> None:
        for name in ("agent-a", "agent-b", "agent-c"):
            start(store, name)
        start(store, "agent-a")
        assert ids_of(store.list(SessionFilter(), limit=9, order="active").sessions) == ["agent-a", "agent-c", "agent-b"]
        store.end_run("agent-b", store.runs("agent-b")[0].run_id, RunEnd("completed"))
        assert ids_of(store.list(SessionFilter(), limit=9, order="active").sessions) == ["agent-b", "agent-a", "agent-c"]
        assert listed(store) == ["agent-c", "agent-b", "agent-a"]

    def test_pages_of_active_sessions_never_repeat_one(self, store: SessionStore, other: SessionStore) -> None:
        made = ids_of([start(store, f"agent-{number}") for number in range(12)])
        moving = iter(made)
        found = walk(store, limit=3, order="active", between=lambda: start(other, next(moving)))
        assert len(found) == len(set(found))
        assert set(made[3:]) <= set(found)

    def test_iterating_gives_all_that_fit_newest_first(self, store: SessionStore) -> None:
        made = [start(store, f"agent-{number}", f"a{number % 2}") for number in range(9)]
        assert list(store.iterate(SessionFilter())) == made[::-1]
        assert list(store.iterate(SessionFilter(agent="a1"))) == made[1::2][::-1]

    def test_a_listed_session_is_the_session(self, store: SessionStore) -> None:
        start(store, "agent-x")
        store.append("agent-x", [message("1"), message("2")])
        store.tag("agent-x", add=["b", "a"])
        store.set_title("agent-x", "T")
        (found,) = store.list(SessionFilter(), limit=9).sessions
        assert found == store.get("agent-x") == store.find("x") == next(store.iterate(SessionFilter()))
        assert (found.message_count, found.tags, found.title) == (2, ("a", "b"), "T")

    # Deleting.

    def test_a_deleted_session_takes_its_messages_runs_and_tags_along(self, store: SessionStore, other: SessionStore) -> None:
        for name in ("agent-x", "agent-y"):
            start(store, name)
            store.append(name, [message("1"), message("2")])
            store.tag(name, add=["t"])
        deleted = store.delete(["agent-x"])
        assert (deleted.session_ids, deleted.messages) == (("agent-x",), 2)
        assert other.get("agent-x") is None
        assert (other.messages("agent-x"), other.runs("agent-x")) == ([], [])
        assert listed(other, tag="t") == ["agent-y"]
        assert len(other.messages("agent-y")) == 2
        again = start(store, "agent-x", "another agent")
        assert (again.message_count, again.tags) == (0, ())
        assert store.append("agent-x", [message("1")]) == 1

    def test_a_deleted_workflow_takes_its_steps_along(self, store: SessionStore) -> None:
        ids = start_workflow(store, "b", 3)
        start(store, "workflow-b-1-0", base="b", parent="workflow-b-1")
        start(store, "workflow-b2", "daily", kind="workflow", base="b2")
        deleted = store.delete(["workflow-b"])
        assert deleted.session_ids == tuple(sorted([*ids, "workflow-b-1-0"]))
        assert deleted.messages == 4
        assert listed(store) == ["workflow-b2"]

    def test_a_deleted_step_leaves_its_workflow(self, store: SessionStore) -> None:
        start_workflow(store, "b", 2)
        assert store.delete(["workflow-b-0"]).session_ids == ("workflow-b-0",)
        assert listed(store) == ["workflow-b-1", "workflow-b"]

    def test_a_session_named_twice_or_beside_its_workflow_is_deleted_once(self, store: SessionStore) -> None:
        ids = start_workflow(store, "b", 2)
        deleted = store.delete(["workflow-b-0", "workflow-b", "workflow-b"])
        assert (deleted.session_ids, deleted.messages) == (tuple(sorted(ids)), 3)

    def test_a_dry_run_says_the_same_and_deletes_nothing(self, store: SessionStore) -> None:
        ids = start_workflow(store, "b", 2)
        preview = store.delete(["workflow-b"], dry_run=True)
        assert sorted(listed(store)) == sorted(ids)
        assert len(store.messages("workflow-b-0")) == 1
        assert store.delete(["workflow-b"]) == preview

    @pytest.mark.parametrize("dry_run", [False, True])
    def test_one_unknown_id_keeps_all_from_being_deleted(self, store: SessionStore, dry_run: bool) -> None:
        for name in ("agent-a", "agent-b"):
            start(store, name)
        for ids in (["agent-a", "missing", "agent-b"], ["missing"], ["agent-a", "a"]):
            with pytest.raises(SessionNotFoundError):
                store.delete(ids, dry_run=dry_run)
        assert listed(store) == ["agent-b", "agent-a"]

    def test_deleting_nothing_deletes_nothing(self, store: SessionStore) -> None:
        start(store, "agent-a")
        deleted = store.delete([])
        assert (deleted.session_ids, deleted.messages) == ((), 0)
        assert listed(store) == ["agent-a"]

    # Title and tags.

    def test_a_title_is_set_and_taken_away(self, store: SessionStore, other: SessionStore) -> None:
        start(store, "agent-x")
        for title in ("Weather", "it's 100%\n\U0001f600", "", None):
            store.set_title("agent-x", title)
            session = other.get("agent-x")
            assert session is not None
            assert session.title == title
        with pytest.raises(SessionNotFoundError):
            store.set_title("agent-y", "T")

    def test_tags_are_added_and_removed(self, store: SessionStore, other: SessionStore) -> None:
        start(store, "agent-x")
        assert store.tag("agent-x", add=["b", "a", "B"]).tags == ("B", "a", "b")
        assert store.tag("agent-x", add=["a", "c"], remove=["b", "absent"]).tags == ("B", "a", "c")
        session = other.get("agent-x")
        assert session is not None
        assert session.tags == ("B", "a", "c")
        assert store.tag("agent-x") == session
        with pytest.raises(SessionNotFoundError):
            store.tag("agent-y", add=["a"])

    def test_any_name_may_be_a_tag(self, store: SessionStore) -> None:
        start(store, "agent-x")
        start(store, "agent-y")
        assert store.tag("agent-x", add=AWKWARD_NAMES).tags == tuple(sorted(AWKWARD_NAMES))
        for name in AWKWARD_NAMES:
            assert listed(store, tag=name) == ["agent-x"]
        assert store.tag("agent-x", remove=["%", "_"]).tags == tuple(sorted(set(AWKWARD_NAMES) - {"%", "_"}))

    @pytest.mark.parametrize("case", REFUSED_NAMES)
    def test_a_tag_that_is_not_a_name_is_refused(self, store: SessionStore, case: str) -> None:
        start(store, "agent-x")
        with pytest.raises(InvalidValueError):
            store.tag("agent-x", add=["good", REFUSED_NAMES[case]])
        session = store.get("agent-x")
        assert session is not None
        assert session.tags == ()

    # Many at once.

    def test_parallel_appends_interleave_and_lose_nothing(self, store: SessionStore, other: SessionStore) -> None:
        start(store, "agent-x")

        def work(writer: int) -> list[int]:
            view = (store, other)[writer % 2]
            return [view.append("agent-x", [message([writer, step, part]) for part in range(2)]) for step in range(10)]

        with ThreadPoolExecutor(8) as pool:
            last = list(pool.map(work, range(8)))
        found = store.messages("agent-x")
        assert [each.seq for each in found] == list(range(1, 161))
        for writer, seqs in enumerate(last):
            assert all(before < after for before, after in pairwise(seqs))
            for step, seq in enumerate(seqs):  # what was appended together stands together
                assert [each.document for each in found[seq - 2 : seq]] == [
                    message([writer, step, part]).document for part in range(2)
                ]

    def test_parallel_starts_of_one_session_make_it_once(self, store: SessionStore, other: SessionStore) -> None:
        with ThreadPoolExecutor(8) as pool:
            made = list(pool.map(lambda number: start((store, other)[number % 2], "agent-x"), range(8)))
        assert {session.created_at for session in made} == {made[0].created_at}
        assert len(store.runs("agent-x")) == 8
        assert listed(other) == ["agent-x"]
