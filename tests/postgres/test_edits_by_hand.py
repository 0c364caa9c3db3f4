"""People edit components by SQL: every row they change is numbered, remembered and checked, and one bad row harms no other."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from aurite.config.manager import ConfigManager
from aurite.model.jsontext import check
from aurite.model.records import Author, Create, Delete, NewMessage, NewRun, NewSession, Put
from aurite.storage.components import SqlComponentStore
from aurite.storage.postgres.target import PostgresTarget
from aurite.storage.sessions import SqlSessionStore
from aurite.testing.samples import AWKWARD_NAMES, AWKWARD_VALUES, llm_document
from tests.clusters import Connection
from tests.postgres.conftest import Manage, Open
from tests.postgres.programs import hand

INSERT = "INSERT INTO components (type, name, document) VALUES ('llm', %s, %s)"


def history(connection: Connection) -> list[tuple[Any, ...]]:
    return connection.execute(
        "SELECT revision, name, change, writer, document FROM component_revisions ORDER BY revision, name"
    ).fetchall()


def counter(connection: Connection) -> int:
    row = connection.execute("SELECT config_version FROM store_meta").fetchone()
    assert row is not None
    version: int = row[0]
    return version


def test_each_row_changed_by_hand_is_numbered_and_remembered(postgres: PostgresTarget) -> None:
    with hand(postgres) as connection:
        connection.execute(INSERT, ["a", llm_document("a", v=1)])
        connection.execute("UPDATE components SET document = %s WHERE name = 'a'", [llm_document("a", v=2)])
        connection.execute("UPDATE components SET name = 'b', document = %s WHERE name = 'a'", [llm_document("b", v=2)])
        connection.execute("DELETE FROM components")
        connection.execute(INSERT, ["b", llm_document("b", v=3)])
        assert history(connection) == [
            (1, "a", "create", "sql", llm_document("a", v=1)),
            (2, "a", "update", "sql", llm_document("a", v=2)),
            (3, "a", "delete", "sql", None),
            (3, "b", "create", "sql", llm_document("b", v=2)),
            (4, "b", "delete", "sql", None),
            (5, "b", "create", "sql", llm_document("b", v=3)),
        ]
        assert counter(connection) == 5
        row = connection.execute("SELECT revision, writer, created_at = updated_at, updated_at > 0 FROM components").fetchone()
        assert row == (5, "sql", True, True)
        author = connection.execute("SELECT DISTINCT author FROM component_revisions").fetchall()
        assert author == [(postgres.user,)]


def test_many_rows_of_one_statement_get_a_number_each(postgres: PostgresTarget) -> None:
    with hand(postgres) as connection:
        connection.execute(
            "INSERT INTO components (type, name, document) SELECT 'llm', 'n' || n,"
            " json_build_object('type', 'llm', 'name', 'n' || n, 'provider', 'p', 'model', 'm')::text"
            " FROM generate_series(1, 100) AS n"
        )
        assert counter(connection) == 100
        connection.execute("UPDATE components SET document = document || ' '")
        assert counter(connection) == 200
        connection.execute("UPDATE components SET document = document WHERE name = 'nobody'")
        assert counter(connection) == 200
        connection.execute("TRUNCATE components")
        assert counter(connection) == 201
        assert [change for _, _, change, _, _ in history(connection)] == ["create"] * 100 + ["update"] * 100 + ["delete"] * 100
        with connection.cursor() as cursor, cursor.copy("COPY components (type, name, document) FROM STDIN") as copy:
            copy.write_row(("llm", "a", llm_document("a")))
        assert counter(connection) == 202


def test_a_change_by_aurite_is_no_edit_by_hand(postgres: PostgresTarget, opened: Open) -> None:
    store = SqlComponentStore(opened(postgres, watch=False))
    author = Author("cli", "alice")
    store.write([Create("llm", "a", llm_document("a")), Create("llm", "b", llm_document("b"))], author=author)
    store.write([Put("llm", "a", llm_document("a", v=1)), Delete("llm", "b")], author=author)
    with hand(postgres) as connection:
        assert counter(connection) == 2
        assert [(revision, name, change, writer) for revision, name, change, writer, _ in history(connection)] == [
            (1, "a", "create", "cli"),
            (1, "b", "create", "cli"),
            (2, "a", "update", "cli"),
            (2, "b", "delete", "cli"),
        ]


def test_the_mark_of_aurites_own_transactions_does_not_outlive_them(postgres: PostgresTarget, opened: Open) -> None:
    database = opened(postgres, watch=False)
    SqlComponentStore(database).write([Put("llm", "a", llm_document("a"))], author=Author("cli"))
    database.write("UPDATE components SET document = $1 RETURNING 1", llm_document("a", v="by hand on Aurite's own connection"))
    with hand(postgres) as connection:
        assert [writer for _, _, _, writer, _ in history(connection)] == ["cli", "sql"]


REFUSED: dict[str, tuple[str, list[Any]]] = {
    "no JSON": (INSERT, ["x", "{no json"]),
    "no JSON in an update": ("UPDATE components SET document = %s", ["{'a': 1}"]),
    "NaN": (INSERT, ["x", '{"a": NaN}']),
    "empty": (INSERT, ["x", ""]),
    "null": (INSERT, ["x", None]),
    "no name": (INSERT, ["", llm_document("x")]),
    "a name that is too long": (INSERT, ["x" * 256, llm_document("x")]),
    "a name twice": (INSERT, ["a", llm_document("a")]),
    "a spoilt origin": ("UPDATE components SET provenance = %s", ["{"]),
}


@pytest.mark.parametrize("edit", REFUSED)
def test_what_the_database_can_refuse_it_refuses_and_nothing_changes(postgres: PostgresTarget, managed: Manage, edit: str) -> None:
    manager = managed(postgres, force_refresh=True)
    manager.create_component("llm", {"name": "a", "provider": "p", "model": "m"})
    statement, values = REFUSED[edit]
    with hand(postgres) as connection:
        with pytest.raises((psycopg.DataError, psycopg.IntegrityError)):
            connection.execute(statement, values)
        assert counter(connection) == 1
    assert [component.name for component in manager.components()] == ["a"]
    assert manager.problems() == ()


MISFITS: dict[str, tuple[str, str, str]] = {
    "another name": ("llm", "x", llm_document("y")),
    "another type": ("llm", "x", check({"type": "agent", "name": "x", "llm_config_id": "m"})),
    "no such type": ("nonsense", "x", check({"type": "nonsense", "name": "x"})),
    "no object": ("llm", "x", "[1, 2]"),
    "null": ("llm", "x", "null"),
    "a required field is missing": ("llm", "x", check({"type": "llm", "name": "x"})),
    "a name that Aurite refuses": ("llm", "tab\there", llm_document("x").replace('"x"', '"tab\\there"')),
    "too deep": ("llm", "x", llm_document("x").replace("}", ', "v": ' + "[" * 600 + "]" * 600 + "}")),
    "a number that no JSON of ours is": ("llm", "x", llm_document("x").replace("}", ', "v": 1e999999}')),
}


@pytest.mark.parametrize("misfit", MISFITS)
def test_a_row_that_does_not_fit_is_a_problem_and_hides_no_other(postgres: PostgresTarget, managed: Manage, misfit: str) -> None:
    type_, name, document = MISFITS[misfit]
    running = managed(postgres, force_refresh=True)
    running.create_component("llm", {"name": "good", "provider": "p", "model": "m"})
    with hand(postgres) as connection:
        connection.execute("INSERT INTO components (type, name, document) VALUES (%s, %s, %s)", [type_, name, document])
        connection.execute(INSERT, ["also good", llm_document("also good")])
    for manager in (running, managed(postgres)):
        assert [component.name for component in manager.components()] == ["also good", "good"], misfit
        (problem,) = manager.problems()
        assert (problem.type, problem.name) == (type_, name)
        assert problem.reason
        assert manager.get_config("llm", name) is None
    with hand(postgres) as connection:
        connection.execute("DELETE FROM components WHERE name = %s", [name])
    assert running.problems() == ()


def test_a_row_that_was_spoilt_by_hand_can_be_mended_through_aurite(postgres: PostgresTarget, managed: Manage) -> None:
    manager = managed(postgres, force_refresh=True)
    manager.create_component("llm", {"name": "a", "provider": "p", "model": "m"})
    with hand(postgres) as connection:
        connection.execute("UPDATE components SET document = '{}'")
    assert manager.get_config("llm", "a") is None
    manager.update_component("llm", "a", {"name": "a", "provider": "p", "model": "n"})
    assert manager.require_config("llm", "a")["model"] == "n"
    assert manager.problems() == ()


def test_a_value_that_postgresql_could_not_take_apart_is_kept_and_read(postgres: PostgresTarget, managed: Manage) -> None:
    manager = managed(postgres)
    for number, value in enumerate(AWKWARD_VALUES.values()):
        manager.create_component("llm", {"name": f"{number}", "provider": "p", "model": "m", "v": value})
    assert [manager.require_config("llm", f"{number}")["v"] for number in range(len(AWKWARD_VALUES))] == list(
        AWKWARD_VALUES.values()
    )


def test_the_readable_views_show_every_row_whatever_is_in_it(postgres: PostgresTarget, managed: Manage, opened: Open) -> None:
    manager, sessions = managed(postgres), SqlSessionStore(opened(postgres, watch=False))
    sessions.start_run(NewSession("agent-x", "agent", "a", title="T"), NewRun("run"))
    sessions.tag("agent-x", add=["b", "a"])
    for number, value in enumerate(AWKWARD_VALUES.values()):
        manager.create_component("llm", {"name": f"{number}", "provider": "p", "model": "m", "description": "text", "v": value})
        sessions.append("agent-x", [NewMessage("user", check({"role": "user", "content": value}))])
    for number, name in enumerate(AWKWARD_NAMES):
        manager.put_components([{"type": "llm", "name": name, "provider": "p", "model": "m", "description": f"{number}"}])
    count = len(AWKWARD_VALUES)
    with hand(postgres) as connection:
        described = dict(connection.execute("SELECT name, description FROM readable_components").fetchall())
        assert len(described) == count + len(AWKWARD_NAMES)
        assert {described[name] for name in AWKWARD_NAMES} == {f"{number}" for number in range(len(AWKWARD_NAMES))}
        assert [described[f"{number}"] for number in range(count)].count("text") >= count - 3
        assert connection.execute(
            "SELECT count(*), min(changed_at) > now() - interval '1 hour' FROM readable_component_revisions"
        ).fetchall()
        contents = connection.execute("SELECT seq, content FROM readable_messages WHERE session_id = 'agent-x'").fetchall()
        assert [seq for seq, _ in contents] == list(range(1, count + 1))
        assert (
            dict(zip(AWKWARD_VALUES, (content for _, content in contents), strict=True))["line ends"] == AWKWARD_VALUES["line ends"]
        )
        session = connection.execute(
            "SELECT title, message_count, tags, now() - created_at < interval '1 hour' FROM readable_sessions"
        ).fetchall()
        assert session == [("T", count, "a, b", True)]
        assert connection.execute("SELECT run_id, status, ended_at FROM readable_runs").fetchall() == [("run", "running", None)]


def test_a_session_deleted_by_hand_takes_what_hangs_on_it_along(postgres: PostgresTarget, opened: Open) -> None:
    database = opened(postgres, watch=False)
    sessions = SqlSessionStore(database)
    for session_id in ("agent-x", "agent-y"):
        sessions.start_run(NewSession(session_id, "agent", "a"), NewRun(f"run-{session_id}"), [NewMessage("user", "{}")])
        sessions.tag(session_id, add=["t"])
    with hand(postgres) as connection:
        connection.execute("DELETE FROM sessions WHERE session_id = 'agent-x'")
        for table in ("sessions", "messages", "runs", "session_tags"):
            assert connection.execute(f"SELECT DISTINCT session_id FROM {table}").fetchall() == [("agent-y",)]
    assert database.check() == []


def test_what_is_wrong_is_found_by_the_check(postgres: PostgresTarget, opened: Open, managed: Manage) -> None:
    database = opened(postgres, watch=False)
    managed(postgres).create_component("llm", {"name": "a", "provider": "p", "model": "m"})
    sessions = SqlSessionStore(database)
    sessions.start_run(NewSession("agent-x", "agent", "a"), NewRun("run"), [NewMessage("user", "{}")] * 3)
    assert database.check() == []
    with hand(postgres) as connection:
        connection.execute("DELETE FROM messages WHERE seq = 2")
        connection.execute("ALTER TABLE components DISABLE TRIGGER ALL")
        connection.execute("UPDATE components SET document = document || ' '")
    told = "\n".join(str(problem) for problem in database.check())
    for words in ("message_count says 3", "components llm 'a'", "switched off"):
        assert words in told


def test_edits_by_hand_and_by_aurite_at_once_lose_nothing(postgres: PostgresTarget, managed: Manage) -> None:
    managers: list[ConfigManager] = [managed(postgres), managed(postgres)]
    with hand(postgres) as connection:
        for number in range(30):
            managers[number % 2].put_components([{"type": "llm", "name": f"{number}", "provider": "p", "model": "m"}])
            connection.execute(INSERT, [f"hand {number}", llm_document(f"hand {number}")])
        assert counter(connection) == 60
        assert len({revision for revision, *_ in history(connection)}) == 60
