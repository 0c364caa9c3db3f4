"""What is not in the target as it was in the source is found before anything counts: whatever came between, down to one byte."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from aurite.errors import VerificationError
from aurite.storage.tables import TABLES
from aurite.transfer.migrate import migrate
from aurite.transfer.verify import Difference, Tally, differences
from tests.transfer.conftest import NewStore
from tests.transfer.databases import SqliteStore, Store, sample

HERE = "there-"
"""What the keys of rows begin with that the target holds already."""


@dataclass(frozen=True, slots=True)
class Tampering:
    """A trigger of somebody else's on one table, in the words of each engine, and what the proof has to say of it."""

    table: str
    when: str
    sqlite: str
    """Statements after a row was inserted."""
    postgresql: str
    """Statements before a row is inserted."""
    found: tuple[str, ...]


A, STEP = "'agent-a'", "'agent-b-1'"
THIS_MESSAGE = "session_id = NEW.session_id AND seq = NEW.seq"

TAMPERINGS: Mapping[str, Tampering] = {
    "a field in upper case": Tampering(
        "sessions",
        f"NEW.session_id = {A}",
        "UPDATE sessions SET name = upper(name) WHERE session_id = NEW.session_id;",
        "NEW.name := upper(NEW.name);",
        ("sessions ('agent-a') is changed",),
    ),
    "a row dropped": Tampering(
        "messages",
        f"NEW.session_id = {A} AND NEW.seq = 17",
        f"DELETE FROM messages WHERE {THIS_MESSAGE};",
        "RETURN NULL;",
        ("messages ('agent-a', 17) is missing",),
    ),
    "two rows swapped": Tampering(
        "messages",
        f"NEW.session_id = {A} AND NEW.seq IN (9, 10)",
        "UPDATE messages SET seq = CASE seq WHEN 9 THEN 1000 WHEN 10 THEN 9 ELSE 10 END"
        " WHERE session_id = NEW.session_id AND seq = CASE NEW.seq WHEN 9 THEN 9 ELSE 10 END;"
        "UPDATE messages SET seq = 10 WHERE session_id = NEW.session_id AND seq = 1000 AND NEW.seq = 10;",
        "NEW.seq := 19 - NEW.seq;",
        ("messages ('agent-a', 9) is changed", "messages ('agent-a', 10) is changed"),
    ),
    "one byte flipped": Tampering(
        "messages",
        f"NEW.session_id = {A} AND NEW.seq = 40",
        f"UPDATE messages SET document = replace(document, 'user', 'uses') WHERE {THIS_MESSAGE};",
        "NEW.document := replace(NEW.document, 'user', 'uses');",
        ("messages ('agent-a', 40) is changed",),
    ),
    "1.0 turned to 1": Tampering(
        "components",
        "NEW.name = 'm' AND NEW.type = 'llm'",
        "UPDATE components SET document = replace(document, '1.0', '1') WHERE type = NEW.type AND name = NEW.name;",
        "NEW.document := replace(NEW.document, '1.0', '1');",
        ("components ('llm', 'm') is changed",),
    ),
    "NULL turned to empty text": Tampering(
        "sessions",
        f"NEW.session_id = {STEP}",
        "UPDATE sessions SET title = '' WHERE session_id = NEW.session_id;",
        "NEW.title := '';",
        ("sessions ('agent-b-1') is changed",),
    ),
    "empty text turned to NULL": Tampering(
        "runs",
        "NEW.run_id = 'run-2'",
        "UPDATE runs SET error = NULL WHERE run_id = NEW.run_id;",
        "NEW.error := NULL;",
        ("runs ('run-2') is changed",),
    ),
    "a number one higher": Tampering(
        "session_tags",
        "NEW.tag = 'release'",
        "UPDATE session_tags SET created_at = created_at + 1 WHERE session_id = NEW.session_id AND tag = NEW.tag;",
        "NEW.created_at := NEW.created_at + 1;",
        ("session_tags ('agent-a', 'release') is changed",),
    ),
    "a key in another case": Tampering(
        "session_tags",
        "NEW.tag = 'release'",
        "UPDATE session_tags SET tag = 'RELEASE' WHERE session_id = NEW.session_id AND tag = NEW.tag;",
        "NEW.tag := 'RELEASE';",
        ("session_tags ('agent-a', 'release') is missing",),
    ),
}


def prepare(target: Store, tampering: Tampering) -> None:
    if isinstance(target, SqliteStore):
        target.sql(f"CREATE TRIGGER evil AFTER INSERT ON {tampering.table} WHEN {tampering.when} BEGIN {tampering.sqlite} END")
        return
    target.sql(
        "CREATE FUNCTION evil() RETURNS TRIGGER LANGUAGE plpgsql AS"
        f" $$ BEGIN IF {tampering.when} THEN {tampering.postgresql} END IF; RETURN NEW; END $$",
        f"CREATE TRIGGER evil BEFORE INSERT ON {tampering.table} FOR EACH ROW EXECUTE FUNCTION evil()",
    )


@pytest.mark.parametrize("name", TAMPERINGS)
@pytest.mark.parametrize("held", [False, True], ids=["empty target", "target that holds something"])
def test_tampering_is_found_by_table_and_key_and_nothing_is_kept(
    new_store: NewStore, engine: str, other_engine: str, name: str, held: bool
) -> None:
    tampering = TAMPERINGS[name]
    source, target = new_store(engine, schema=True), new_store(other_engine, schema=True)
    source.fill(sample())
    if held:
        target.fill(sample(prefix=HERE))
    prepare(target, tampering)
    before = target.rows(), target.sql("SELECT config_version FROM store_meta")
    with pytest.raises(VerificationError) as raised:
        migrate(source.movable, target.movable, on_conflict="replace")
    assert set(tampering.found) <= set(raised.value.differences)
    assert raised.value.differences[0] in raised.value.message
    assert "nothing was kept" in raised.value.message
    assert (target.rows(), target.sql("SELECT config_version FROM store_meta")) == before
    target.sql("DROP TRIGGER evil" + ("" if isinstance(target, SqliteStore) else f" ON {tampering.table}"))
    migrate(source.movable, target.movable, on_conflict="replace")
    assert [row for row in target.rows()["messages"] if not row[0].startswith(HERE)] == sample()["messages"]


@pytest.mark.parametrize("held", [False, True], ids=["empty target", "target that holds something"])
def test_a_row_too_many_is_found(new_store: NewStore, engine: str, other_engine: str, held: bool) -> None:
    source, target = new_store(engine, schema=True), new_store(other_engine, schema=True)
    source.fill(sample())
    if held:
        target.fill(sample(prefix=HERE))
    before = target.rows()
    extra = "INSERT INTO session_tags VALUES (NEW.session_id, 'extra', 1);"
    if isinstance(target, SqliteStore):
        target.sql(f"CREATE TRIGGER evil AFTER INSERT ON sessions BEGIN {extra} END")
    else:
        target.sql(
            f"CREATE FUNCTION evil() RETURNS TRIGGER LANGUAGE plpgsql AS $$ BEGIN {extra} RETURN NULL; END $$",
            "CREATE TRIGGER evil AFTER INSERT ON sessions FOR EACH ROW EXECUTE FUNCTION evil()",
        )
    with pytest.raises(VerificationError) as raised:
        migrate(source.movable, target.movable, on_conflict="skip")
    assert raised.value.differences == (
        "session_tags ('agent-a', 'extra') is extra",
        "session_tags ('agent-b-1', 'extra') is extra",
        "session_tags ('workflow-b', 'extra') is extra",
    )
    assert target.rows() == before


def test_where_much_is_wrong_the_first_rows_are_told(new_store: NewStore) -> None:
    source, target = new_store("sqlite", schema=True), new_store("postgresql", schema=True)
    source.fill(sample(messages=100))
    prepare(target, Tampering("messages", "true", "", "NEW.role := 'x';", ()))
    with pytest.raises(VerificationError) as raised:
        migrate(source.movable, target.movable)
    assert len(raised.value.differences) == 20
    assert raised.value.message.endswith("messages ('agent-a', 1) is changed (and 19 more); nothing was kept")


def test_without_the_proof_tampering_is_not_found(new_store: NewStore) -> None:
    source, target = new_store("sqlite", schema=True), new_store("postgresql", schema=True)
    source.fill(sample())
    prepare(target, TAMPERINGS["one byte flipped"])
    assert migrate(source.movable, target.movable, verify=False).verified is False
    assert target.rows() != sample()


def test_differences_of_two_sides_in_the_order_of_their_keys() -> None:
    tags = TABLES["session_tags"]
    here = [b"a\tx\t1\n", b"b\tx\t1\n", b"c\tx\t1\n", b"\xf0\x9f\x98\x80\tx\t1\n"]
    there = [b"0\tx\t1\n", b"b\tx\t2\n", b"c\tx\t1\n", b"\xef\xbf\xbf\tx\t1\n", b"\xf0\x9f\x98\x80\tx\t1\n"]
    assert differences(tags, here, there) == [
        Difference("session_tags", ("0", "x"), "extra"),
        Difference("session_tags", ("a", "x"), "missing"),
        Difference("session_tags", ("b", "x"), "changed"),
        Difference("session_tags", ("\uffff", "x"), "extra"),
    ]


def test_a_tally_knows_rows_in_any_order_and_how_often_each_was_there() -> None:
    tally = Tally().take([b"a\n", b"b\n"])
    assert tally.same_as(Tally().take([b"b\n", b"a\n"]))
    assert not tally.same_as(Tally().take([b"a\n", b"a\n", b"b\n"]))
    assert not tally.same_as(Tally().take([b"a\n"]))
    assert not tally.same_as(Tally().take([b"a\n", b"B\n"]))
