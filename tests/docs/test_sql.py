"""The SQL of the pages works on a real PostgreSQL; on SQLite the pages' own commands run it."""

from __future__ import annotations

import re

import pytest

from aurite.config.manager import ConfigManager
from aurite.model.records import Author, NewMessage, NewRun, NewSession
from aurite.storage.components import SqlComponentStore
from aurite.storage.postgres.connections import connect
from aurite.storage.postgres.database import PostgresDatabase
from aurite.storage.postgres.target import PostgresTarget
from aurite.storage.sessions import SqlSessionStore
from tests.docs.pages import ROOT, blocks, pages, read

HISTORY = read(ROOT / "docs" / "how-to" / "read-history-by-sql.md")
EDITING = read(ROOT / "docs" / "how-to" / "edit-by-sql.md")

QUERIES = re.findall(r'sqlite3 -list \S+ "\n(.*?)"\n', HISTORY, re.DOTALL)
OTHERS = [
    block.text for page in pages() for block in blocks(read(page)) if block.language == "sql" and "postgres" not in block.words
]
(CHANGE,) = [block.text for block in blocks(EDITING) if "postgres" in block.words]


@pytest.fixture
def filled(postgres: PostgresTarget) -> PostgresTarget:
    """A database with one llm and one session."""
    database = PostgresDatabase(postgres, watch=False)
    manager = ConfigManager(SqlComponentStore(database), author=Author("python", "sam"))
    manager.create_component("llm", {"name": "openai_gpt", "provider": "openai", "model": "gpt-4o-mini", "temperature": 0.7})
    message = NewMessage(role="user", document='{"role": "user", "content": "And in Tokyo?"}')
    sessions = SqlSessionStore(database)
    sessions.start_run(NewSession("agent-tokyo", "agent", "Weather Agent"), NewRun("run"), [message])
    database.close()
    return postgres


@pytest.mark.parametrize("query", QUERIES)
def test_the_queries_of_the_history_work_on_postgresql(query: str, filled: PostgresTarget) -> None:
    with connect(filled) as connection:
        rows = connection.execute(query).fetchall()
    assert rows or "agent-london" in query


def test_all_queries_of_the_history_are_tried() -> None:
    assert len(QUERIES) == HISTORY.count("sqlite3 -list")


@pytest.mark.parametrize("statement", OTHERS)
def test_other_statements_of_the_pages_work(statement: str, filled: PostgresTarget) -> None:
    with connect(filled) as connection:
        connection.execute(statement)


def test_the_edit_on_postgresql_changes_the_component(filled: PostgresTarget) -> None:
    with connect(filled) as connection:
        connection.execute(CHANGE)
    database = PostgresDatabase(filled, watch=False)
    manager = ConfigManager(SqlComponentStore(database), author=Author("python", "sam"))
    assert manager.require_config("llm", "openai_gpt")["temperature"] == 0.2
    assert [revision.writer for revision in manager.history.revisions("llm", "openai_gpt")] == ["sql", "python"]
    database.close()
