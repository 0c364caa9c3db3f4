"""What is measured with: components of about 600 bytes, messages of about 500, and stores full of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from aurite.model.records import Author, Change, Create, NewMessage, NewRun, NewSession
from aurite.storage.components import SqlComponentStore
from aurite.storage.sessions import SqlSessionStore
from aurite.storage.sqlite.database import SqliteDatabase

AUTHOR = Author("bench")
PROJECT = '[aurite]\ntype = "project"\ninclude_configs = ["config"]\n'
"""The ``.aurite`` of a project whose components are below ``config``."""
_PROMPT = "You answer questions about the weather in words that a child can follow, and say so when you do not know. "
_SENTENCE = "It is 15 degrees in London, with light rain from the west until the evening. "


def agent(number: int) -> dict[str, object]:
    """The document of an agent of about 600 bytes."""
    return {
        "type": "agent",
        "name": name(number),
        "description": f"Agent number {number} of the ones that are measured with",
        "llm_config_id": "my_openai_gpt4_turbo",
        "mcp_servers": ["weather_server", "planning_server"],
        "system_prompt": (_PROMPT * 4)[:380],
        "temperature": 0.7,
        "max_tokens": 2000,
        "include_history": True,
    }


def name(number: int) -> str:
    return f"Agent {number:06d}"


def components(count: int) -> list[Change]:
    """The changes that create agents in a store."""
    provenance = json.dumps({"source_file": "config/agents/agents.json", "context_level": "project", "project_name": "bench"})
    return [Create("agent", name(number), json.dumps(agent(number)), provenance) for number in range(count)]


def message(number: int = 0) -> NewMessage:
    """A message of about 500 bytes."""
    role = ("user", "assistant")[number % 2]
    content = f"{number}: " + (_SENTENCE * 6)[:450]
    return NewMessage(role, json.dumps({"role": role, "content": content}), run_id="run-of-the-bench")


def messages(count: int) -> list[NewMessage]:
    return [message(number) for number in range(count)]


def store_of_components(path: Path, count: int) -> None:
    """A database with that many components."""
    store = SqlComponentStore(SqliteDatabase(path, synchronous="OFF"))
    store.write(components(count), author=AUTHOR)
    store.close()


def empty_store(path: Path) -> Path:
    """A database with the schema alone; its path."""
    SqliteDatabase(path).close()
    return path


def start(store: SqlSessionStore, session_id: str, length: int = 0) -> None:
    """A session with that many messages."""
    session = NewSession(session_id=session_id, kind="agent", name="Weather Agent")
    store.start_run(session, NewRun(f"run-{session_id}"), messages(length))


STATUSES = ("completed",) * 8 + ("failed", "interrupted")
AGENTS = 20
OLDEST = 2_000
BASE_OF_STEPS = "workflow-000001"
TAG = "release"


def store_of_sessions(path: Path, count: int) -> None:
    """A database with that many sessions. The oldest 2,000 are of ten agents and ten workflows, one in five failed or interrupted,
    one in twenty tagged, one in ten a step of one workflow; who looks for them without an index walks over all the others.

    Written with bare inserts: nothing of them is measured.
    """
    database = SqliteDatabase(path, synchronous="OFF")
    with database.transaction() as work:
        work.run_many(
            "INSERT INTO sessions (session_id, base_session_id, parent_session_id, kind, name, status, message_count, created_at,"
            " active_at) VALUES (?, ?, ?, ?, ?, ?, 4, ?, ?)",
            _session_rows(count),
        )
        work.run_many(
            "INSERT INTO session_tags (session_id, tag, created_at) SELECT session_id, ?, created_at FROM sessions"
            " WHERE created_at % 20000 = 0 AND created_at < ?",
            [(TAG, OLDEST * 1000)],
        )
    database.close()


def _session_rows(count: int) -> Iterator[tuple[object, ...]]:
    for number in range(count):
        old = number < OLDEST
        step = old and number % 10 == 1
        kind = "agent" if number % 2 else "workflow"
        called = f"{kind} {number % AGENTS}" if old else f"another {kind}"
        status = STATUSES[number % 10] if old else "completed"
        session_id = f"{kind}-{number:06d}"
        base = BASE_OF_STEPS if step else session_id
        parent = BASE_OF_STEPS if step else None
        created = number * 1000
        yield session_id, base, parent, kind, called, status, created, created
