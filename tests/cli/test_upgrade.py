"""``aurite db upgrade`` and ``drop-legacy`` on databases of earlier versions; every other command refuses one of 0.4."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from aurite.storage.postgres.target import PostgresTarget
from tests.cli.program import Program
from tests.transfer.databases import PostgresStore, SqliteStore
from tests.transfer.old_databases import frozen, state

DATA = Path(__file__).parents[1] / "data"
MOVED = {
    "components": 31,
    "component_revisions": 31,
    "sessions": 24,
    "session_tags": 0,
    "runs": 24,
    "messages": 282,
    "evaluation_results": 2,
}
KEPT = {"legacy_components": 31, "legacy_sessions": 23, "legacy_agent_history": 6, "legacy_qa_test_results": 2}


@pytest.fixture
def of_0_4(aurite: Program) -> Program:
    """The program in a folder with a database of 0.4, which its settings name."""
    (aurite.folder / ".aurite").write_text('[aurite]\ntype = "project"\ninclude_configs = ["config"]\n', encoding="utf-8")
    (aurite.folder / "config").mkdir()
    shutil.copyfile(DATA / "aurite-0.4" / "database.sqlite", aurite.folder / "old.db")
    return aurite.with_variables(AURITE_ENABLE_DB="true", AURITE_DB_PATH="old.db")


def on_server(program: Program, target: PostgresTarget) -> Program:
    return program.with_variables(
        AURITE_DB_TYPE="postgresql",
        AURITE_DB_HOST=target.host,
        AURITE_DB_PORT=str(target.port),
        AURITE_DB_USER=target.user,
        AURITE_DB_NAME=target.dbname,
    )


@pytest.mark.parametrize(
    "command",
    [
        ("list",),
        ("show", "Weather Agent"),
        ("validate",),
        ("export",),
        ("sessions", "list"),
        ("sessions", "show", "chat-minimal"),
        ("run", "Weather Agent", "hi"),
        ("delete", "llm", "gemini_latest", "--yes"),
        ("config", "history", "llm", "gemini_latest"),
        ("migrate", "--source-type", "sqlite", "--source-path", "other.db", "--target-type", "sqlite", "--target-path", "old.db"),
    ],
    ids=" ".join,
)
def test_every_other_command_refuses_such_a_database_and_leaves_it_byte_for_byte(of_0_4: Program, command: tuple[str, ...]) -> None:
    of_0_4.with_variables(AURITE_DB_PATH="other.db")("export").done()
    file = of_0_4.folder / "old.db"
    before = file.read_bytes()
    said = of_0_4(*command).refused("old.db", "written by Aurite 0.4")
    assert "aurite db upgrade" in said
    assert "aurite migrate" in said
    assert file.read_bytes() == before
    assert {path.name for path in of_0_4.folder.glob("old.db*")} == {"old.db"}


def test_a_look_at_such_a_database_tells_what_it_is_and_what_to_do(of_0_4: Program) -> None:
    before = (of_0_4.folder / "old.db").read_bytes()
    assert of_0_4("db", "status", "--json").done().json()["schema_version"] == "of Aurite 0.4"
    (problem,) = of_0_4("db", "check", "--json").json()["problems"]
    assert "aurite db upgrade" in problem["reason"]
    assert (of_0_4.folder / "old.db").read_bytes() == before
    assert {path.name for path in of_0_4.folder.glob("old.db*")} == {"old.db"}


def test_an_upgrade_tells_what_was_taken_over_and_the_next_one_has_nothing_to_do(of_0_4: Program) -> None:
    done = of_0_4("db", "upgrade").done()
    assert "282 rows of messages" in done.errors
    assert "drop-legacy" in done.errors
    assert "Nothing to do" in of_0_4("db", "upgrade").done().errors
    assert len(of_0_4("list", "--json").done().json()["components"]) == 31
    (shown,) = of_0_4("show", "Weather Agent", "--json").done().json()["components"]
    assert shown["source_file"] == "/home/ada/sample_project/config/example_multi_component.json"
    assert "_source_file" not in shown["config"]
    assert (of_0_4.folder / "old.db.schema-0.4.bak").exists()


def test_its_outcome_can_be_read_by_scripts(of_0_4: Program) -> None:
    assert of_0_4("db", "upgrade", "--json").done().json() == {"steps": [], "taken_over": MOVED, "kept": KEPT}
    assert of_0_4("db", "upgrade", "--json").done().json() == {"steps": [], "taken_over": None, "kept": {}}
    assert of_0_4("db", "drop-legacy", "--dry-run", "--json").done().json() == {"dry_run": True, "tables": KEPT}
    assert of_0_4("db", "drop-legacy", "--yes", "--json").done().json() == {"dry_run": False, "tables": KEPT}
    assert of_0_4("db", "drop-legacy", "--yes", "--json").done().json() == {"dry_run": False, "tables": {}}


def test_rows_that_do_not_fit_are_listed_before_the_error(of_0_4: Program) -> None:
    store = SqliteStore(of_0_4.folder / "old.db")
    store.sql(
        "UPDATE components SET config = '{' WHERE name = 'default'",
        "UPDATE sessions SET created_at = 'x' WHERE name = 'Weather Agent'",
    )
    before = state(store)
    ended = of_0_4("db", "upgrade")
    ended.refused("cannot be moved")
    assert ended.errors.count("Problem: ") == 9
    assert "Problem: components ('default'): " in ended.errors
    assert "Problem: sessions ('chat-minimal'): created_at" in ended.errors
    assert state(store) == before


def test_dropping_the_old_tables_asks_first(of_0_4: Program) -> None:
    of_0_4("db", "upgrade").done()
    of_0_4("db", "drop-legacy").refused("no terminal", status=2)
    with of_0_4.terminal("db", "drop-legacy") as terminal:
        terminal.sees("Delete legacy_components (31 rows)")
        terminal.types("n\n")
        assert terminal.ends()[0] == 1
    assert of_0_4("db", "drop-legacy", "--dry-run", "--json").done().json()["tables"] == KEPT
    with of_0_4.terminal("db", "drop-legacy") as terminal:
        terminal.sees("[y/N]")
        terminal.types("y\n")
        assert terminal.ends()[0] == 0
    assert of_0_4("db", "drop-legacy", "--dry-run", "--json").done().json()["tables"] == {}


def test_a_copy_can_be_made_instead(of_0_4: Program) -> None:
    file = of_0_4.folder / "old.db"
    before = file.read_bytes()
    options = ("--source-type", "sqlite", "--source-path", "old.db", "--target-type", "sqlite", "--target-path", "new.db")
    tables = of_0_4("migrate", *options, "--json").done().json()["tables"]
    assert {table["table"]: table["verified"] for table in tables} == MOVED
    assert file.read_bytes() == before
    assert len(of_0_4.with_variables(AURITE_DB_PATH="new.db")("list", "--json").done().json()["components"]) == 31


def test_on_postgresql_it_is_the_same(of_0_4: Program, empty_postgres: PostgresTarget) -> None:
    store = frozen(lambda _: PostgresStore(empty_postgres), "postgresql")
    before = state(store)
    program = on_server(of_0_4, empty_postgres)
    for auto in ("false", "true"):
        program.with_variables(AURITE_DB_AUTO_UPGRADE=auto)("list").refused("written by Aurite 0.4", "aurite db upgrade")
    assert state(store) == before
    assert program("db", "upgrade", "--json").done().json() == {"steps": [], "taken_over": MOVED, "kept": KEPT}
    assert len(program("list", "--json").done().json()["components"]) == 31
    assert program("db", "drop-legacy", "--yes", "--json").done().json()["tables"] == KEPT


def test_an_older_schema_on_sqlite_is_upgraded_by_any_command_after_a_backup(of_0_4: Program) -> None:
    shutil.copyfile(DATA / "schema-1" / "database.sqlite", of_0_4.folder / "one.db")
    program = of_0_4.with_variables(AURITE_DB_PATH="one.db")
    assert len(program("list", "--json").done().json()["components"]) == 2
    assert (of_0_4.folder / "one.db.schema-1.bak").exists()
    shutil.copyfile(DATA / "schema-1" / "database.sqlite", of_0_4.folder / "two.db")
    program = of_0_4.with_variables(AURITE_DB_PATH="two.db")
    done = program("db", "upgrade", "--json").done().json()
    assert done == {"steps": ["0002_evaluation_results"], "taken_over": None, "kept": {}}


def test_an_older_schema_on_postgresql_waits_for_its_upgrade(of_0_4: Program, empty_postgres: PostgresTarget) -> None:
    store = PostgresStore(empty_postgres)
    with store.connection() as connection:
        connection.execute((DATA / "schema-1" / "database.postgres.sql").read_bytes())
    program = on_server(of_0_4, empty_postgres)
    program("list").refused("has schema 1", "aurite db upgrade", "AURITE_DB_AUTO_UPGRADE=true")
    assert "evaluation_results" in program("db", "sql").done().output
    assert len(program.with_variables(AURITE_DB_AUTO_UPGRADE="true")("list", "--json").done().json()["components"]) == 2
    assert program("db", "upgrade", "--json").done().json() == {"steps": [], "taken_over": None, "kept": {}}
