"""Into a target that holds something: refused unless asked, then each component and each session moves whole or not at all."""

from __future__ import annotations

import pytest

from aurite.errors import MisfitError, TargetNotEmptyError
from aurite.transfer.migrate import OnConflict, migrate
from tests.transfer.conftest import NewStore
from tests.transfer.databases import EMPTY, Row, Rows, Store, in_order, sample

OTHER = '{"type":"llm","name":"m","provider":"offline","model":"of the target"}'


def target_rows() -> Rows:
    """What the target holds: one component and one session of the sample with other content, and things of its own."""
    own = sample(prefix="own-", messages=3)
    return in_order(
        {
            "components": [*own["components"], ("llm", "m", OTHER, 3, 1, 2, "cli", None)],
            "component_revisions": [
                *own["component_revisions"],
                (3, "llm", "m", "create", OTHER, None, "cli", "bob", 2),
                (1, "llm", "M", "create", OTHER, None, "cli", "bob", 1),
                (2, "llm", "M", "delete", None, None, "cli", "bob", 2),
            ],
            "sessions": [*own["sessions"], ("agent-a", "agent-a", None, "agent", "Weather", "failed", "of the target", 2, 1, 2)],
            "session_tags": [*own["session_tags"], ("agent-a", "of the target", 1)],
            "runs": [*own["runs"], ("run-of-target", "agent-a", "failed", 1, 2, None, None, None, None)],
            "messages": [
                *own["messages"],
                ("agent-a", 1, "user", '"of the target"', None, None, "run-of-target", 1),
                ("agent-a", 2, "user", '"of the target"', None, None, "run-of-target", 2),
            ],
            "evaluation_results": [*own["evaluation_results"], ("result-1", "of the target", "{}", None, None, None, 1)],
        }
    )


def two_stores(new_store: NewStore, engine: str, other_engine: str) -> tuple[Store, Store]:
    source, target = new_store(engine, schema=True), new_store(other_engine, schema=True)
    source.fill(sample())
    target.fill(target_rows(), version=20)
    return source, target


def with_revision(row: Row, revision: int) -> Row:
    return (*row[:3], revision, *row[4:])


def conflicting(row: Row, table: str) -> bool:
    keys = {"components": ("llm", "m"), "evaluation_results": ("result-1",)}
    if table == "runs":
        return bool(row[1] == "agent-a")
    return row[:2] == keys["components"] if table == "components" else row[0] in {"agent-a", *keys["evaluation_results"]}


def expected(on_conflict: OnConflict, *, version: int) -> Rows:
    """Both sides together; the history of the target goes on."""
    merged: Rows = {}
    for table, there in target_rows().items():
        if table == "component_revisions":
            continue
        here = [with_revision(row, version) for row in sample()[table]] if table == "components" else sample()[table]
        keep, drop = (there, here) if on_conflict == "skip" else (here, there)
        merged[table] = [*keep, *(row for row in drop if not conflicting(row, table))]
    brought = [row for row in merged["components"] if row[3] == version]
    merged["component_revisions"] = [
        *target_rows()["component_revisions"],
        *((version, row[0], row[1], change_of(row), row[2], row[7], "migrate", None, row[5]) for row in brought),
    ]
    return in_order(merged)


def change_of(row: Row) -> str:
    return "update" if row[:2] == ("llm", "m") else "create"  # llm M was deleted in the target, so it is made anew


def test_a_target_that_holds_something_is_refused_by_what_it_holds(new_store: NewStore, engine: str, other_engine: str) -> None:
    source, target = two_stores(new_store, engine, other_engine)
    with pytest.raises(TargetNotEmptyError) as raised:
        migrate(source.movable, target.movable)
    assert target.movable.location in raised.value.message
    assert "5 components, 9 component_revisions, 4 sessions" in raised.value.message
    assert target.rows() == target_rows()
    assert target.sql("SELECT config_version FROM store_meta") == [(20,)]


@pytest.mark.parametrize("table", [name for name in EMPTY if name not in {"session_tags", "runs", "messages"}])
def test_one_row_of_any_table_is_something(new_store: NewStore, table: str) -> None:
    source, target = new_store("sqlite", schema=True), new_store("sqlite", schema=True)
    target.fill({table: sample()[table][:1]})
    with pytest.raises(TargetNotEmptyError, match=f"is not empty: 1 {table}\\."):
        migrate(source.movable, target.movable)


@pytest.mark.parametrize("on_conflict", ["skip", "replace"])
def test_components_and_sessions_move_whole_and_the_rest_of_the_target_stays(
    new_store: NewStore, engine: str, other_engine: str, on_conflict: OnConflict
) -> None:
    source, target = two_stores(new_store, engine, other_engine)
    report = migrate(source.movable, target.movable, on_conflict=on_conflict)
    assert target.rows() == expected(on_conflict, version=21)
    assert dict(report.conflicts) == dict.fromkeys(report.conflicts, 1)
    assert {"component", "session"} <= report.conflicts.keys()
    assert source.rows() == sample()
    assert target.sql("SELECT config_version FROM store_meta") == [(21,)]
    assert [problem for problem in target.problems() if "'agent-a'" in problem.where or "components" in problem.where] == []


@pytest.mark.parametrize("on_conflict", ["skip", "replace"])
def test_the_report_counts_what_was_brought_in_and_proven(
    new_store: NewStore, engine: str, other_engine: str, on_conflict: OnConflict
) -> None:
    source, target = two_stores(new_store, engine, other_engine)
    report = migrate(source.movable, target.movable, on_conflict=on_conflict)
    tables = {table.table: table for table in report.tables}
    brought = {
        name: sum(on_conflict == "replace" or not conflicting(row, name) for row in rows)
        for name, rows in sample().items()
        if name != "component_revisions"
    }
    assert {name: tables[name].read for name in brought} == {name: len(sample()[name]) for name in brought}
    assert {name: tables[name].written for name in brought} == brought
    assert {name: tables[name].verified for name in brought} == brought
    assert tables["component_revisions"].written == 0


@pytest.mark.parametrize("on_conflict", ["skip", "replace"])
def test_the_same_move_again_changes_no_content(
    new_store: NewStore, engine: str, other_engine: str, on_conflict: OnConflict
) -> None:
    source, target = new_store(engine, schema=True), new_store(other_engine, schema=True)
    source.fill(sample())
    first = migrate(source.movable, target.movable)
    again = migrate(source.movable, target.movable, on_conflict=on_conflict)
    without_components = {name for name in EMPTY if not name.startswith("component")}
    assert {name: target.rows()[name] for name in without_components} == {name: sample()[name] for name in without_components}
    assert [with_revision(row, 0) for row in target.rows()["components"]] == [
        with_revision(row, 0) for row in sample()["components"]
    ]
    assert {table.table: table.digest for table in first.tables if table.table in without_components} == {
        table.table: table.digest for table in again.tables if table.table in without_components
    }


@pytest.mark.parametrize("on_conflict", ["skip", "replace"])
def test_a_run_whose_id_belongs_to_another_session_of_the_target_is_told(
    new_store: NewStore, engine: str, other_engine: str, on_conflict: OnConflict
) -> None:
    source, target = new_store(engine, schema=True), new_store(other_engine, schema=True)
    source.fill(sample())
    rows = sample(prefix="own-", messages=1)
    rows["runs"] = [("run-2", "own-agent-a", "failed", 1, 2, None, None, None, None)]
    target.fill(rows)
    with pytest.raises(MisfitError) as raised:
        migrate(source.movable, target.movable, on_conflict=on_conflict)
    assert raised.value.reasons == ("runs ('run-2'): it belongs to session 'agent-a', but in the target to session 'own-agent-a'",)
    assert target.rows() == in_order(rows)


def test_a_run_may_change_its_session_where_both_are_replaced(new_store: NewStore, engine: str, other_engine: str) -> None:
    source, target = new_store(engine, schema=True), new_store(other_engine, schema=True)
    source.fill(sample())
    rows = sample()
    rows["runs"] = [("run-3", "agent-a", "failed", 1, 2, None, None, None, None)]
    target.fill(rows)
    migrate(source.movable, target.movable, on_conflict="replace")
    assert target.rows()["runs"] == sample()["runs"]


def test_merging_many_rows_takes_time_in_proportion(new_store: NewStore, engine: str) -> None:
    source, target = new_store("sqlite", schema=True), new_store(engine, schema=True)
    source.fill(sample(messages=20_000))
    target.fill(sample(messages=20_000))
    report = migrate(source.movable, target.movable, on_conflict="replace")
    assert {table.table: table.verified for table in report.tables}["messages"] == 20_001
    assert report.seconds < 20  # without an index on what is staged, each row would look at every other
