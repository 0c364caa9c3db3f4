"""A move sees one moment of its source, however long it takes and whoever writes meanwhile."""

from __future__ import annotations

import time

import pytest

from aurite.transfer import migrate as migration
from tests.transfer.conftest import NewStore
from tests.transfer.databases import Rows, sample
from tests.transfer.programs import Mover


def pairs(rows: Rows, what: str) -> dict[str, set[str]]:
    """The numbers of each half that is there."""
    keys = [row[1] if what == "components" else row[0] for row in rows[what]]
    return {half: {key[2:] for key in keys if key.startswith(f"{half}-")} for half in "ab"}


@pytest.mark.parametrize("what", ["components", "sessions"])
def test_of_each_pair_that_is_committed_meanwhile_both_halves_move_or_neither(
    new_store: NewStore, engine: str, other_engine: str, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migration, "_REPORT_EVERY", 5)
    source, target = new_store(engine, schema=True), new_store(other_engine)
    source.fill(sample(messages=100))
    with Mover("write-pairs", source, what) as writer:
        assert [writer.line() for _ in range(11)] == ["ready", *range(10)]
        report = migration.migrate(source.movable, target.movable, progress=lambda *_: time.sleep(0.005))
        writer.kill()
    rows = target.rows()
    moved, written = pairs(rows, what), pairs(source.rows(), what)
    assert moved["a"] == moved["b"]
    assert 10 <= len(moved["a"]) < len(written["a"]), "the writer went on"
    assert {table.table: table.verified for table in report.tables} == {name: len(found) for name, found in rows.items()}
    if what == "components":  # a history line for each, and none more
        assert len(rows["component_revisions"]) == len(sample()["component_revisions"]) + 2 * len(moved["a"])
