"""The databases that Aurite 0.4 left, frozen, and what is in them, read by SQL alone."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aurite.storage.moving import Takeover
from aurite.storage.postgres.takeover import PostgresTakeover
from aurite.storage.sqlite.takeover import SqliteTakeover
from tests.transfer.databases import PostgresStore, Row, SqliteStore, Store

FROZEN = Path(__file__).parents[1] / "data" / "aurite-0.4"
OLD = ("components", "sessions", "agent_history", "qa_test_results")
PROVENANCE = ("_source_file", "_context_path", "_context_level", "_project_name", "_workspace_name")


@dataclass(frozen=True)
class Original:
    """Everything that a database of 0.4 holds. Texts of JSON are as they were written; instants are microseconds."""

    components: list[Row]
    """name, component_type, config, created_at, last_updated."""
    sessions: list[Row]
    """session_id, base_session_id, name, result_type, is_workflow, message_count, execution_result, agents_involved, times."""
    history: list[Row]
    """session_id, agent_name, role, content_json, timestamp; by id."""
    results: list[Row]
    """result_id, evaluation_config_id, result, component_type, overall_score, status, created_at."""


def frozen(new_store: Callable[[str], Store], engine: str) -> Store:
    """A copy of the database that 0.4 wrote."""
    store = new_store(engine)
    if isinstance(store, SqliteStore):
        shutil.copyfile(FROZEN / "database.sqlite", store.path)
    elif isinstance(store, PostgresStore):
        script = (FROZEN / "database.postgres.sql").read_text(encoding="utf-8")
        with store.connection() as connection:
            # Lines for psql alone; and the search path that the dump sets stays out of this connection's later use.
            connection.execute("".join(line for line in script.splitlines(keepends=True) if not line.startswith("\\")).encode())
    return store


def takeover(store: Store) -> Takeover:
    if isinstance(store, SqliteStore):
        return SqliteTakeover(store.path)
    assert isinstance(store, PostgresStore)
    return PostgresTakeover(store.target)


def original(store: Store, *, prefix: str = "") -> Original:
    """What a database of 0.4 holds; with a prefix, what the tables hold that an upgrade kept."""
    text, time = ("{}", "{}") if isinstance(store, SqliteStore) else ("{}::text", "to_char({}, 'YYYY-MM-DD HH24:MI:SS.US')")

    def rows(table: str, columns: str, order: str) -> list[Row]:
        told = [
            time.format(f'"{name}"') if name in TIMES else text.format(name) if name in JSON_COLUMNS else name
            for name in columns.split()
        ]
        found = store.sql(f"SELECT {', '.join(told)} FROM {prefix}{table} ORDER BY {order}")
        places = [place for place, name in enumerate(columns.split()) if name in TIMES]
        return [tuple(microseconds(value) if place in places else value for place, value in enumerate(row)) for row in found]

    return Original(
        components=rows("components", "name component_type config created_at last_updated", "name"),
        sessions=rows(
            "sessions",
            "session_id base_session_id name result_type is_workflow message_count execution_result agents_involved"
            " created_at last_updated",
            "session_id",
        ),
        history=rows("agent_history", "session_id agent_name role content_json timestamp", "id"),
        results=rows(
            "qa_test_results",
            "result_id evaluation_config_id result component_type overall_score status created_at",
            "result_id",
        ),
    )


TIMES = {"created_at", "last_updated", "timestamp"}
JSON_COLUMNS = {"config", "execution_result", "agents_involved", "content_json", "result"}


def microseconds(written: str) -> int:
    instant = datetime.fromisoformat(written).replace(tzinfo=UTC)
    return int(instant.timestamp()) * 1_000_000 + instant.microsecond


def insert_component(store: Store, name: str, type_: str, config: Any) -> None:
    """A component as 0.4 wrote it, or as somebody edited it: text is taken as it is."""
    text = config if isinstance(config, str) else json.dumps(config)
    store.sql(
        "INSERT INTO components (name, component_type, config, created_at, last_updated)"
        f" VALUES ({quoted(name)}, {quoted(type_)}, {quoted(text)}, '2026-01-01 00:00:00', '2026-01-02 00:00:00.5')"
    )


def insert_session(store: Store, session_id: str, result: Any, *, base: str | None = None, name: str = "A") -> None:
    text = result if isinstance(result, str) else json.dumps(result)
    truth = "0" if isinstance(store, SqliteStore) else "false"
    store.sql(
        "INSERT INTO sessions (session_id, base_session_id, name, result_type, is_workflow, message_count, execution_result,"
        " agents_involved, created_at, last_updated)"
        f" VALUES ({quoted(session_id)}, {'NULL' if base is None else quoted(base)}, {quoted(name)}, 'agent', {truth}, 7,"
        f" {quoted(text)}, NULL, '2026-01-01 00:00:00', '2026-01-02 00:00:00')"
    )


def insert_history(store: Store, number: int, agent: str, session_id: str, content: str, *, role: str = "user") -> None:
    store.sql(
        'INSERT INTO agent_history (id, agent_name, session_id, "timestamp", role, content_json)'
        f" VALUES ({number}, {quoted(agent)}, {quoted(session_id)}, '2025-06-01 12:00:00', {quoted(role)}, {quoted(content)})"
    )


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def state(store: Store) -> object:
    """Everything that is in a database, whoever made it, so that a test can see that nothing changed."""
    if isinstance(store, SqliteStore):
        tables = store.sql("SELECT name, type, sql FROM sqlite_master ORDER BY 1, 2")
        return tables, [store.sql(f"SELECT * FROM {name} ORDER BY 1") for name, kind, _ in tables if kind == "table"]
    named = "relnamespace = 'public'::regnamespace"
    tables = store.sql(f"SELECT relname::text, relkind::text FROM pg_class WHERE {named} AND relkind <> 't' ORDER BY 1")
    return tables, [store.sql(f"SELECT t::text FROM {name} AS t ORDER BY 1") for name, kind in tables if kind == "r"]
