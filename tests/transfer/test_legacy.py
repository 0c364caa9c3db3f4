"""What Aurite 0.4 kept comes over completely: every component, session, message and result of its databases is accounted for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from aurite.errors import MisfitError, SchemaOutdatedError
from aurite.model.history import Step, history_document, written_by_0_4
from aurite.model.records import Session, SessionFilter
from aurite.storage.components import SqlComponentStore
from aurite.storage.sessions import SqlSessionStore
from aurite.transfer.migrate import migrate
from tests.transfer.conftest import NewStore
from tests.transfer.databases import EMPTY, SqliteStore, Store, sample
from tests.transfer.old_databases import (
    PROVENANCE,
    Original,
    frozen,
    insert_component,
    insert_history,
    insert_session,
    original,
    state,
)

Moved = tuple[Store, Original]


@pytest.fixture
def old(new_store: NewStore, engine: str) -> Store:
    return frozen(new_store, engine)


@pytest.fixture
def moved(old: Store, other_engine: str, new_store: NewStore) -> Moved:
    """A new database that a frozen one was moved into, and what was in that."""
    target = new_store(other_engine)
    migrate(old.movable, target.movable)
    return target, original(old)


@pytest.fixture
def sessions(moved: Moved) -> Iterator[SqlSessionStore]:
    with closing(moved[0].engine()) as database:
        yield SqlSessionStore(database)


def test_nothing_else_is_in_the_frozen_databases(old: Store) -> None:
    found = original(old)
    assert (len(found.components), len(found.sessions), len(found.history), len(found.results)) == (31, 23, 6, 2)


def test_every_component_comes_over_with_its_times_and_one_line_of_history(moved: Moved) -> None:
    target, old = moved
    wanted, history = [], []
    for name, type_, config, created_at, last_updated in old.components:
        pairs = [(key, value) for key, value in json.loads(config).items() if key not in PROVENANCE]
        taken = {key[1:]: value for key, value in json.loads(config).items() if key in PROVENANCE}
        wanted.append((type_, name, pairs, 1, created_at, last_updated, "migrate", taken or None))
        history.append((1, type_, name, "create", pairs, taken or None, "migrate", None, last_updated))
    found = [
        (type_, name, list(json.loads(document).items()), revision, created_at, updated_at, writer, told_of(provenance))
        for type_, name, document, revision, created_at, updated_at, writer, provenance in target.rows()["components"]
    ]
    assert found == sorted(wanted, key=lambda row: (row[0].encode(), row[1].encode()))
    recorded = [
        (*row[:4], list(json.loads(row[4]).items()), told_of(row[5]), *row[6:]) for row in target.rows()["component_revisions"]
    ]
    assert recorded == sorted(history, key=lambda row: (row[1].encode(), row[2].encode()))


def told_of(provenance: str | None) -> Any:
    return None if provenance is None else json.loads(provenance)


def test_a_component_without_keys_of_provenance_keeps_its_text_byte_for_byte(moved: Moved) -> None:
    target, old = moved
    untouched = {(type_, name): config for name, type_, config, *_ in old.components if '"_' not in config}
    assert len(untouched) == 9
    assert {row[:2]: row[2] for row in target.rows()["components"] if row[:2] in untouched} == untouched


def test_all_components_are_valid_and_can_be_changed(moved: Moved) -> None:
    with closing(moved[0].engine()) as database:
        snapshot = SqlComponentStore(database).load()
    assert (len(snapshot.components), snapshot.problems, snapshot.version) == (31, (), 2)
    assert moved[0].problems() == []


def steps_of(sessions: SqlSessionStore, session: Session) -> list[Step]:
    found = sessions.list(SessionFilter(parent_session_id=session.session_id), limit=100).sessions
    return [
        Step(step, sessions.messages(step.session_id), sessions.runs(step.session_id))
        for step in sorted(found, key=lambda step: step.session_id)
    ]


def test_the_history_endpoint_can_give_back_every_session_as_it_was(moved: Moved, sessions: SqlSessionStore) -> None:
    assert len(moved[1].sessions) == 23
    for row in moved[1].sessions:
        session_id, base, name, result_type, is_workflow, count, result, agents, created_at, last_updated = row
        session = sessions.get(session_id)
        assert session is not None
        messages, runs = sessions.messages(session_id), sessions.runs(session_id)
        told = history_document(session, messages, runs, steps_of(sessions, session))
        assert told == {
            "result_type": result_type,
            "execution_result": json.loads(result),
            "metadata": {
                "session_id": session_id,
                "name": name,
                "created_at": written_by_0_4(created_at),
                "last_updated": written_by_0_4(last_updated),
                "message_count": count,
                "is_workflow": bool(is_workflow),
                "agents_involved": json.loads(agents),
                "base_session_id": base,
            },
        }
        assert json.dumps(told["execution_result"]) == json.dumps(json.loads(result)), "the order of keys, and how numbers are told"


def test_every_message_of_a_conversation_is_a_row(moved: Moved, sessions: SqlSessionStore) -> None:
    everything = 0
    for session_id, *_, result, _, created_at, _ in moved[1].sessions:
        wanted = json.loads(result).get("conversation_history") or []
        found = sessions.messages(session_id)
        assert [json.loads(message.document) for message in found] == wanted
        assert [(m.seq, m.role, m.created_at) for m in found] == [
            (seq, item["role"], created_at) for seq, item in enumerate(wanted, start=1)
        ]
        session = sessions.get(session_id)
        assert session is not None
        assert session.message_count == len(wanted)
        everything += len(wanted)
    assert everything == 276
    assert len(moved[0].rows()["messages"]) == everything + len(moved[1].history)


def test_steps_point_to_their_workflow_and_a_workflow_without_rows_of_steps_is_whole(
    moved: Moved, sessions: SqlSessionStore
) -> None:
    for session_id, base, *_ in moved[1].sessions:
        session = sessions.get(session_id)
        assert session is not None
        assert session.base_session_id == (base or session_id)
        assert session.parent_session_id == (base if session_id[-2:] in ("-0", "-1") else None)
    steps = sessions.list(SessionFilter(parent_session_id="workflow-1b3de9a1fa6f"), limit=9).sessions
    assert [step.name for step in reversed(steps)] == ["Weather Agent", "Weather Planning Workflow Step 2"]
    alone = sessions.get("workflow-79aca8e56e0c")
    assert alone is not None
    assert (
        alone.kind,
        alone.message_count,
        sessions.list(SessionFilter(parent_session_id=alone.session_id), limit=9).sessions,
    ) == (
        "workflow",
        0,
        [],
    )


def test_the_status_and_error_of_a_result_are_those_of_session_and_run(sessions: SqlSessionStore) -> None:
    wanted = {
        "agent-8026f8cda88b": ("failed", "LLM call failed: 429"),
        "agent-d588a2bc372f": ("max_iterations_reached", None),
        "workflow-5cecedd96831": ("failed", "step 2 failed"),
        "chat-minimal": ("completed", None),
    }
    for session_id, (status, error) in wanted.items():
        session, (run,) = sessions.get(session_id), sessions.runs(session_id)
        assert session is not None
        assert (session.status, run.status, run.error) == (status, status, error)


def test_the_older_history_of_agents_becomes_sessions(moved: Moved, sessions: SqlSessionStore) -> None:
    session = sessions.get("legacy-1")
    assert session is not None
    assert (session.kind, session.name, session.message_count, session.base_session_id) == ("agent", "Weather Agent", 6, "legacy-1")
    found = [
        (message.session_id, session.name, message.role, json.loads(message.document)["content"], message.created_at)
        for message in sessions.messages("legacy-1")
    ]
    assert found == [(*row[:3], json.loads(row[3]), row[4]) for row in moved[1].history]
    assert (session.created_at, session.active_at) == (moved[1].history[0][4], moved[1].history[-1][4])


def test_every_result_of_an_evaluation_comes_over(moved: Moved) -> None:
    assert moved[0].rows()["evaluation_results"] == [
        (result_id, evaluation, result, type_, json.dumps(score), status, created_at)
        for result_id, evaluation, result, type_, score, status, created_at in moved[1].results
    ]


def test_both_engines_tell_the_same(new_store: NewStore, other_engine: str) -> None:
    rows = []
    for engine in ("sqlite", "postgresql"):
        target = new_store(other_engine)
        migrate(frozen(new_store, engine).movable, target.movable)
        rows.append(target.rows())
    assert rows[0] == rows[1]


def test_a_move_reads_a_database_of_0_4_and_leaves_it_byte_for_byte_as_it_was(
    old: Store, other_engine: str, new_store: NewStore
) -> None:
    before = state(old)
    content = old.path.read_bytes() if isinstance(old, SqliteStore) else b""
    target = new_store(other_engine)
    seen = migrate(old.movable, target.movable, dry_run=True)
    assert {report.table: report.read for report in seen.tables} == {
        "components": 31,
        "component_revisions": 31,
        "sessions": 24,
        "session_tags": 0,
        "runs": 24,
        "messages": 282,
        "evaluation_results": 2,
    }
    assert target.rows() == EMPTY
    done = migrate(old.movable, target.movable)
    assert all(report.read == report.written == report.verified for report in done.tables)
    assert [report.read for report in done.tables] == [report.read for report in seen.tables]
    assert state(old) == before
    if isinstance(old, SqliteStore):
        assert old.path.read_bytes() == content
        assert [path for path in old.path.parent.iterdir() if path.name.startswith(old.path.name + "-")] == []


def test_a_database_of_0_4_is_no_target(old: Store, other_engine: str, new_store: NewStore) -> None:
    source = new_store(other_engine)
    source.fill(sample())
    before = state(old)
    for on_conflict in ("fail", "skip", "replace"):
        with pytest.raises(SchemaOutdatedError, match=r"was written by Aurite 0\.4"):
            migrate(source.movable, old.movable, on_conflict=on_conflict)
    assert state(old) == before


def test_a_target_that_holds_something_can_be_merged_with(old: Store, other_engine: str, new_store: NewStore) -> None:
    target = new_store(other_engine)
    target.fill({**EMPTY, "evaluation_results": [("qa_9ce4ef35c453", "mine", "{}", None, None, None, 1)]})
    insert_component(old, "same", "llm", {"name": "same", "type": "llm", "provider": "openai", "model": "m"})
    report = migrate(old.movable, target.movable, on_conflict="skip")
    assert report.conflicts["evaluation"] == 1
    results = {row[0]: row[1] for row in target.rows()["evaluation_results"]}
    assert results == {"qa_9ce4ef35c453": "mine", "qa_96ef27e74f43": "weather_eval"}
    migrate(old.movable, target.movable, on_conflict="replace")
    assert {row[1] for row in target.rows()["evaluation_results"]} == {"weather_eval"}
    assert len(target.rows()["components"]) == 32
    assert target.problems() == []


# What 0.4 or somebody's hand may have left.


@pytest.mark.parametrize(
    "bad",
    [
        ("llm", {"name": "bad", "type": "llm", "model": 3}, "model"),
        ("agent", {"name": "other", "type": "agent", "system_prompt": "s", "llm_config_id": "x"}, "says the name 'other'"),
        ("llm", {"name": "bad", "type": "agent"}, "type"),
        ("simple_workflow", {"name": "bad", "type": "simple_workflow", "steps": []}, "no component type"),
        ("llm", [1], "a list, not an object"),
    ],
)
def test_a_component_that_does_not_fit_its_type_is_kept_and_reported(
    old: Store, other_engine: str, new_store: NewStore, bad: tuple[str, Any, str]
) -> None:
    type_, config, reason = bad
    insert_component(old, "bad", type_, config)
    target = new_store(other_engine)
    migrate(old.movable, target.movable)
    assert {row[:2]: json.loads(row[2]) for row in target.rows()["components"]}[type_, "bad"] == config
    with closing(target.engine()) as database:
        snapshot = SqlComponentStore(database).load()
    assert len(snapshot.components) == 31
    (problem,) = snapshot.problems
    assert (problem.type, problem.name) == (type_, "bad")
    assert reason in problem.reason


def test_what_a_config_does_not_say_is_known_from_its_row(old: Store, other_engine: str, new_store: NewStore) -> None:
    insert_component(old, "terse", "llm", '{"_mine": 1, "_source_file": null, "provider": "openai", "model": "\\ud800"}')
    target = new_store(other_engine)
    migrate(old.movable, target.movable)
    (row,) = [row for row in target.rows()["components"] if row[1] == "terse"]
    assert row[2] == '{"name":"terse","type":"llm","_mine":1,"provider":"openai","model":"\\ud800"}'
    assert row[7] == '{"source_file":null}'


@pytest.mark.parametrize(
    "result",
    [
        {"conversation_history": ["hi", {"role": "user", "content": "x"}], "agent_name": "A"},
        {"conversation_history": [{"content": "no role"}]},
        {"conversation_history": [{"role": None}]},
        {"conversation_history": {"role": "user"}},
        {"conversation_history": None, "status": "error", "error": {"code": 1.0}},
        {"conversation_history": []},
        {"a": [1e2, -0.0, 2**70, "\ud800", None]},
        {},
        [1],
        None,
        "text",
    ],
)
def test_a_result_of_any_shape_is_given_back(old: Store, other_engine: str, new_store: NewStore, result: Any) -> None:
    insert_session(old, "x", json.dumps(result))
    target = new_store(other_engine)
    migrate(old.movable, target.movable)
    assert target.problems() == []
    with closing(target.engine()) as database:
        sessions = SqlSessionStore(database)
        session = sessions.get("x")
        assert session is not None
        told = history_document(session, sessions.messages("x"), sessions.runs("x"))
    assert json.dumps(told["execution_result"]) == json.dumps(result)
    assert told["metadata"]["message_count"] == 7
    assert told["metadata"]["base_session_id"] is None
    assert session.message_count == 0


def test_ids_of_the_older_history_that_are_taken_get_the_agents_name_and_nothing_is_lost(
    old: Store, other_engine: str, new_store: NewStore
) -> None:
    insert_history(old, 11, "B", "legacy-1", '"one"')
    insert_history(old, 12, "A", "chat-minimal", '"two"', role="assistant")
    insert_history(old, 13, "C", "legacy-1-Weather Agent", ' {"b": 1,"a": 1.0}')
    insert_history(old, 14, "D" * 200, "legacy-1", '"four"')
    insert_session(old, "chat-minimal-A", {})
    target = new_store(other_engine)
    migrate(old.movable, target.movable)
    of_history = [row for row in target.rows()["messages"] if row[7] == 1748779200000000]
    contents = {
        json.loads(row[3])["content"] if isinstance(json.loads(row[3])["content"], str) else row[3]: row[0] for row in of_history
    }
    assert contents['{"role":"user","content": {"b": 1,"a": 1.0}}'] == "legacy-1-Weather Agent"
    assert contents["one"] == "legacy-1"
    assert contents["two"].startswith("chat-minimal-")
    assert contents["two"] != "chat-minimal-A"
    assert contents["four"] == f"legacy-1-{'D' * 200}"
    sessions = {row[0]: (row[4], row[7]) for row in target.rows()["sessions"]}
    assert sessions[contents["two"]] == ("A", 1)
    assert sessions["chat-minimal"] == ("Weather Agent", 2)
    moved_away = [name for name, (agent, count) in sessions.items() if agent == "Weather Agent" and count == 6]
    assert len(moved_away) == 1
    assert moved_away[0].startswith("legacy-1-")
    assert len(of_history) == 4
    assert target.problems() == []


def test_rows_that_no_database_can_hold_are_listed_by_table_and_key_and_nothing_is_written(
    new_store: NewStore, other_engine: str
) -> None:
    old = frozen(new_store, "sqlite")
    insert_component(old, "nan", "llm", '{"name": "nan", "type": "llm", "temperature": NaN}')
    insert_component(old, "n" * 256, "llm", "{}")
    insert_session(old, "broken", "{")
    insert_history(old, 11, "B", "half", "{")
    old.sql("INSERT INTO qa_test_results VALUES ('when', 'e', '{}', NULL, 9e999, NULL, 'yesterday')")
    old.sql("UPDATE sessions SET name = CAST(x'ff' AS TEXT) WHERE session_id = 'chat-minimal'")
    target = new_store(other_engine)
    with pytest.raises(MisfitError) as refused:
        migrate(old.movable, target.movable)
    told = dict(reason.split(": ", 1) for reason in refused.value.reasons)
    assert told.keys() == {
        "components ('nan')",
        f"components ('{'n' * 256}')",
        "sessions ('broken')",
        "sessions ('chat-minimal')",
        "agent_history ('half', 'B')",
        "qa_test_results ('when')",
    }
    assert "name is not UTF-8" in told["sessions ('chat-minimal')"]
    assert "256 characters" in told[f"components ('{'n' * 256}')"]
    assert target.rows() == EMPTY


def test_an_older_0_4_without_some_of_the_tables_comes_over_too(old: Store, other_engine: str, new_store: NewStore) -> None:
    for table in ("sessions", "qa_test_results"):
        old.sql(f"DROP TABLE {table}")
    target = new_store(other_engine)
    report = migrate(old.movable, target.movable)
    assert {table.table: table.verified for table in report.tables if table.verified} == {
        "components": 31,
        "component_revisions": 31,
        "sessions": 1,
        "runs": 1,
        "messages": 6,
    }
    old.sql("DROP TABLE agent_history")
    report = migrate(old.movable, new_store(other_engine).movable)
    assert {table.table for table in report.tables if table.verified} == {"components", "component_revisions"}
