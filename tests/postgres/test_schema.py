"""Opening a PostgreSQL database of any age and by any role: made, used, or refused politely and unchanged."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from psycopg import sql

from aurite.errors import (
    NotAuriteDatabaseError,
    SchemaOutdatedError,
    SchemaTooNewError,
    StorageError,
    StoreReadOnlyError,
    StoreUnavailableError,
)
from aurite.model.records import Author, NewMessage, NewRun, NewSession, Put, SessionFilter
from aurite.storage import schema as schemas
from aurite.storage.components import SqlComponentStore
from aurite.storage.postgres import schema as steps
from aurite.storage.postgres.database import PostgresDatabase
from aurite.storage.postgres.target import PostgresTarget
from aurite.storage.schema import CURRENT, Migration
from aurite.storage.sessions import SqlSessionStore
from aurite.testing.samples import llm_document
from tests.clusters import Server
from tests.postgres.conftest import Open
from tests.postgres.programs import hand

OF_04 = Path(__file__).parents[1] / "data" / "aurite-0.4" / "database.postgres.sql"


def everything_in(target: PostgresTarget) -> list[object]:
    """Tables, columns, and the content of every row, of all schemas of the user's."""
    with hand(target) as connection:
        tables = connection.execute(
            "SELECT table_schema, table_name, column_name, data_type FROM information_schema.columns"
            " WHERE table_schema NOT IN ('pg_catalog', 'information_schema') ORDER BY 1, 2, 3"
        ).fetchall()
        found: list[object] = [tables]
        for schema, table in sorted({(schema, table) for schema, table, _, _ in tables}):
            name = sql.Identifier(schema, table)
            found.append(connection.execute(sql.SQL("SELECT t::text FROM {} AS t ORDER BY 1").format(name)).fetchall())
        return found


def use(database: PostgresDatabase) -> None:
    """Everything that an everyday user does."""
    SqlComponentStore(database).write([Put("llm", "a", llm_document("a"))], author=Author("python"))
    sessions = SqlSessionStore(database)
    sessions.start_run(NewSession("agent-x", "agent", "a"), NewRun("run"), [NewMessage("user", "{}")])
    assert sessions.append("agent-x", [NewMessage("user", "{}")]) == 2
    assert sessions.tag("agent-x", add=["t"]).tags == ("t",)
    assert sessions.delete(["agent-x"]).messages == 2
    assert len(SqlComponentStore(database).history("llm", "a")) == 1


def test_the_steps_of_postgresql_end_at_the_version_of_the_code() -> None:
    versions = [step.version for step in schemas.migrations("postgresql")]
    assert versions == list(range(1, CURRENT["postgresql"] + 1))


def test_an_empty_database_gets_the_schema_and_a_second_start_changes_nothing(empty_postgres: PostgresTarget, opened: Open) -> None:
    opened(empty_postgres, watch=False)
    before = everything_in(empty_postgres)
    use(opened(empty_postgres))
    with hand(empty_postgres) as connection:
        assert connection.execute("SELECT version FROM schema_migrations").fetchall() == [
            (version,) for version in range(1, CURRENT["postgresql"] + 1)
        ]
    assert before[0] == everything_in(empty_postgres)[0]


@pytest.mark.parametrize("name", ["aurite", 'of "us", and\'so on', "Größe", "select"])
def test_a_schema_of_its_own_is_made_and_used_alone(empty_postgres: PostgresTarget, opened: Open, name: str) -> None:
    with hand(empty_postgres) as connection:
        connection.execute("CREATE TABLE components (of_another_program int)")
    for pgbouncer in (False, True):
        use(opened(replace(empty_postgres, schema=name, pgbouncer=pgbouncer)))
        with hand(empty_postgres) as connection:
            found = connection.execute("SELECT DISTINCT schemaname FROM pg_tables WHERE tablename = 'store_meta'").fetchall()
            assert found == [(name,)]
            connection.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(name)))


def test_two_schemas_of_one_database_know_nothing_of_each_other(empty_postgres: PostgresTarget, opened: Open) -> None:
    one, other = (SqlComponentStore(opened(replace(empty_postgres, schema=name))) for name in ("one", "other"))
    one.write([Put("llm", "a", llm_document("a"))], author=Author("python"))
    assert (one.version(), other.version()) == (1, 0)
    assert not other.load().components


def test_tables_of_another_program_are_left_alone(empty_postgres: PostgresTarget) -> None:
    with hand(empty_postgres) as connection:
        connection.execute("CREATE TABLE sessions (of_another_program int)")
    before = everything_in(empty_postgres)
    with pytest.raises(StorageError, match="another program") as raised:
        PostgresDatabase(empty_postgres, watch=False)
    assert isinstance(raised.value, StoreUnavailableError | NotAuriteDatabaseError)
    assert "AURITE_DB_SCHEMA" in (raised.value.next_step or "")
    assert everything_in(empty_postgres) == before


# Versions.


def test_a_newer_schema_is_refused_and_left_as_it_is(postgres: PostgresTarget) -> None:
    newer = CURRENT["postgresql"] + 1
    with hand(postgres) as connection:
        connection.execute("INSERT INTO schema_migrations VALUES (%s, 'of tomorrow', 0)", [newer])
    before = everything_in(postgres)
    for auto_upgrade in (False, True):
        with pytest.raises(SchemaTooNewError, match=f"schema {newer}, newer than this version of Aurite") as raised:
            PostgresDatabase(postgres, watch=False, auto_upgrade=auto_upgrade)
        assert "pip install" in (raised.value.next_step or "")
    assert everything_in(postgres) == before


@pytest.fixture
def tomorrow(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Migration]]:
    """A version of the code that knows one step more; its list may be changed."""
    newer = CURRENT["postgresql"] + 1
    known = [*schemas.migrations("postgresql"), Migration(newer, "more", "ALTER TABLE sessions ADD COLUMN more TEXT;")]
    monkeypatch.setattr(steps, "migrations", lambda _: known)
    monkeypatch.setitem(CURRENT, "postgresql", newer)
    return known  # type: ignore[return-value]  # a fixture's value


def test_an_older_schema_is_upgraded_only_where_that_is_asked_for(
    postgres: PostgresTarget, opened: Open, tomorrow: list[Migration]
) -> None:
    before = everything_in(postgres)
    with pytest.raises(SchemaOutdatedError, match="older than this version's") as raised:
        PostgresDatabase(postgres, watch=False)
    assert "aurite db upgrade" in (raised.value.next_step or "")
    assert "AURITE_DB_AUTO_UPGRADE=true" in (raised.value.next_step or "")
    assert everything_in(postgres) == before
    use(opened(postgres, auto_upgrade=True))
    use_again = opened(postgres, watch=False)
    assert use_again.read("SELECT version FROM schema_migrations ORDER BY 1") == [(step.version,) for step in tomorrow]


def test_a_step_that_fails_leaves_version_and_data_as_before(postgres: PostgresTarget, tomorrow: list[Migration]) -> None:
    broken = "ALTER TABLE sessions ADD COLUMN still_more TEXT; ALTER TABLE nothing ADD COLUMN more TEXT;"
    tomorrow.append(Migration(tomorrow[-1].version + 1, "broken", broken))  # behind one that works
    before = everything_in(postgres)
    with pytest.raises(StorageError):
        PostgresDatabase(postgres, watch=False, auto_upgrade=True)
    assert everything_in(postgres) == before


def test_a_schema_whose_record_of_steps_was_emptied_is_no_traceback(postgres: PostgresTarget) -> None:
    with hand(postgres) as connection:
        connection.execute("DELETE FROM schema_migrations")
    before = everything_in(postgres)
    with pytest.raises(StorageError):
        PostgresDatabase(postgres, watch=False, auto_upgrade=True)
    assert everything_in(postgres) == before


@pytest.fixture
def of_04(empty_postgres: PostgresTarget) -> PostgresTarget:
    """A database that Aurite 0.4 wrote, with its components, sessions, QA results and old history."""
    script = "".join(line for line in OF_04.read_text(encoding="utf-8").splitlines(keepends=True) if not line.startswith("\\"))
    with hand(empty_postgres) as connection:
        connection.execute(script.encode())
    return empty_postgres


@pytest.mark.parametrize("auto_upgrade", [False, True])
def test_a_database_of_aurite_04_is_refused_politely_and_left_as_it_is(of_04: PostgresTarget, auto_upgrade: bool) -> None:
    before = everything_in(of_04)
    assert len(before) == 5
    with pytest.raises(SchemaOutdatedError, match=r"was written by Aurite 0\.4") as raised:
        PostgresDatabase(of_04, watch=False, auto_upgrade=auto_upgrade)
    assert "aurite db upgrade" in (raised.value.next_step or "")
    assert "aurite migrate" in (raised.value.next_step or "")
    assert everything_in(of_04) == before


def test_beside_a_database_of_aurite_04_a_schema_of_its_own_works(of_04: PostgresTarget, opened: Open) -> None:
    before = everything_in(of_04)[1:]
    use(opened(replace(of_04, schema="new")))
    with hand(of_04) as connection:
        connection.execute("DROP SCHEMA new CASCADE")
    assert everything_in(of_04)[1:] == before


# Roles.


@contextmanager
def role_for(server: Server, target: PostgresTarget) -> Iterator[PostgresTarget]:
    """A role that owns nothing and may do nothing yet."""
    name = f'may "not" {target.dbname}'
    with hand(target) as connection:
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(name)))
        connection.execute("REVOKE CREATE ON SCHEMA public FROM public")
    try:
        yield replace(target, user=name)
    finally:
        with hand(target) as connection:
            connection.execute(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(name)))
            connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


def test_a_role_that_may_not_create_is_shown_the_grants_which_then_work(
    empty_postgres: PostgresTarget, postgres_server: Server, opened: Open
) -> None:
    with role_for(postgres_server, empty_postgres) as weak:
        with pytest.raises(StoreReadOnlyError, match="no permission") as raised:
            PostgresDatabase(weak, watch=False)
        assert weak.user in raised.value.message
        grants = (raised.value.next_step or "").partition(": ")[2]
        assert grants.startswith("GRANT CREATE, USAGE ON SCHEMA")
        with hand(empty_postgres) as connection:
            connection.execute(grants.encode())
        database = opened(weak)
        use(database)
        database.close()


def test_a_role_that_may_not_create_works_where_the_tables_are(
    postgres: PostgresTarget, postgres_server: Server, opened: Open
) -> None:
    with role_for(postgres_server, postgres) as weak:
        with pytest.raises(StoreReadOnlyError, match="no permission") as raised:
            PostgresDatabase(weak, watch=False)
        grants = (raised.value.next_step or "").partition(": ")[2]
        with hand(postgres) as connection:
            connection.execute(grants.partition("; ")[2].encode())  # the second one alone: the tables
        database = opened(weak)
        use(database)
        database.close()
        with hand(weak) as connection:  # edits by hand by that role are seen too
            connection.execute("UPDATE components SET document = %s", [llm_document("a", v=1)])
            assert connection.execute("SELECT config_version FROM store_meta").fetchone() == (2,)


def test_a_role_that_may_only_read_reads(postgres: PostgresTarget, postgres_server: Server, opened: Open) -> None:
    use(opened(postgres, watch=False))
    with role_for(postgres_server, postgres) as weak:
        with hand(postgres) as connection:
            connection.execute(sql.SQL("GRANT SELECT ON ALL TABLES IN SCHEMA public TO {}").format(sql.Identifier(weak.user)))
        database = opened(weak)
        assert list(SqlComponentStore(database).load().components) == [("llm", "a")]
        assert SqlSessionStore(database).count(SessionFilter()) == 0
        with pytest.raises(StoreReadOnlyError, match="no permission"):
            use(database)
        database.close()


def test_a_schema_that_may_not_be_made_is_told_with_the_statement_that_makes_it(
    empty_postgres: PostgresTarget, postgres_server: Server, opened: Open
) -> None:
    with role_for(postgres_server, empty_postgres) as weak:
        target = replace(weak, schema='its "own"')
        with pytest.raises(StoreUnavailableError, match="may not create it") as raised:
            PostgresDatabase(target, watch=False)
        with hand(empty_postgres) as connection:
            connection.execute((raised.value.next_step or "").partition(": ")[2].encode())
        database = opened(target)
        use(database)
        database.close()


def test_a_database_of_another_encoding_is_refused(postgres_server: Server) -> None:
    name = "in_latin_1"
    with postgres_server.connect() as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'")
    try:
        with pytest.raises(StoreUnavailableError, match="encoding LATIN1") as raised:
            PostgresDatabase(postgres_server.target(name), watch=False)
        assert "UTF8" in (raised.value.next_step or "")
        assert len(everything_in(postgres_server.target(name))) == 1
    finally:
        postgres_server.drop_database(name)


def test_a_database_sorts_by_code_point_whatever_its_own_collation(postgres_server: Server, opened: Open) -> None:
    with postgres_server.connect() as connection:
        name = "sorted_otherwise"
        template = "template0 LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8'"
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template} ENCODING 'UTF8' LOCALE 'C.UTF-8'")
    try:
        store = SqlComponentStore(opened(postgres_server.target(name), watch=False))
        names = ["a", "B", "\u00e9", "\uffff", "\U0001f600", "Z", "_"]
        store.write([Put("llm", each, llm_document(each)) for each in names], author=Author("python"))
        assert [key[1] for key in store.load().components] == sorted(names)
        store.close()
    finally:
        postgres_server.drop_database(name)


def test_what_describes_a_database_is_json(postgres: PostgresTarget, opened: Open) -> None:
    database = opened(postgres)
    use(database)
    database.config_version()
    facts = json.loads(json.dumps(database.status()))
    assert (facts["config_version"], facts["config_version_here"], facts["schema_version"]) == (1, 1, CURRENT["postgresql"])
    assert facts["rows"]["components"] == 1
    assert facts["pending_steps"] == []
