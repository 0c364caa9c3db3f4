"""A move takes no more memory however much it moves."""

from __future__ import annotations

import json

import pytest

from tests.transfer.conftest import NewStore
from tests.transfer.databases import Store, sample
from tests.transfer.programs import Mover

MESSAGES = 200_000
MOST = 64 * 1024 * 1024


def fill(store: Store, engine: str) -> None:
    """Many messages of about 500 bytes, made by the database itself."""
    store.fill({"sessions": sample()["sessions"]})
    document = json.dumps({"role": "user", "content": "x\n" * 200})
    numbers = (
        f"SELECT value AS seq FROM generate_series(1, {MESSAGES}) AS value"
        if engine == "postgresql"
        else f"WITH RECURSIVE numbers (seq) AS (VALUES (1) UNION ALL SELECT seq + 1 FROM numbers WHERE seq < {MESSAGES})"
        " SELECT seq FROM numbers"
    )
    store.sql(
        "INSERT INTO messages (session_id, seq, role, document, created_at)"
        f" SELECT 'agent-a', seq, 'user', '{document}', seq FROM ({numbers}) AS numbers"
    )


@pytest.mark.slow
def test_the_memory_of_a_move_stays_flat(new_store: NewStore, engine: str, other_engine: str) -> None:
    source, target = new_store(engine, schema=True), new_store(other_engine)
    fill(source, engine)
    with Mover("move-and-weigh", source, target) as mover:
        done, grown = mover.wait()
    assert "digests" in done
    assert target.sql("SELECT count(*) FROM messages") == [(MESSAGES,)]
    assert 0 < grown < MOST
