"""After any history of changes, by Aurite and by hand, memory, a fresh process and SQL hold the same."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from aurite.config.manager import ConfigManager
from aurite.errors import ComponentExistsError, ComponentNotFoundError, InvalidComponentError, RevisionConflictError
from aurite.model.jsontext import check, decode
from aurite.model.records import Author, Key
from aurite.storage.components import SqlComponentStore
from aurite.storage.sqlite.database import SqliteDatabase
from aurite.testing import component_names, json_values
from tests.processes.programs import ROOT, ForeignProgram

AUTHOR = Author("python")
FEW_NAMES = ["a", "A", "b/c", "it's", "%", "\U0001f600", "\uffff"]

types = st.sampled_from(["llm", "agent"])
names = st.one_of(st.sampled_from(FEW_NAMES), st.sampled_from(FEW_NAMES), component_names())
values = json_values(max_leaves=3)
sides = st.integers(0, 1)


def config_of(type_: str, name: str, value: Any) -> dict[str, Any]:
    needed = {"provider": "offline", "model": "m"} if type_ == "llm" else {}
    return {"v": value, "type": type_, "name": name, **needed}


class Histories(RuleBasedStateMachine):
    """Two open managers, as two processes have them, and a foreign program, on one database."""

    foreign: ForeignProgram

    @initialize()
    def start(self) -> None:
        self.folder = TemporaryDirectory()
        self.path = Path(self.folder.name) / "aurite.db"
        self.databases = [SqliteDatabase(self.path, synchronous="OFF") for _ in range(2)]
        self.managers = [ConfigManager(SqlComponentStore(database), author=AUTHOR) for database in self.databases]
        self.expected: dict[Key, str] = {}
        self.misfits: dict[Key, str] = {}

    def teardown(self) -> None:
        for database in self.databases:
            assert database.check() == []
            database.close()
        self.foreign.close(self.path)
        self.folder.cleanup()

    def sql(self, statement: str, *parameters: Any) -> list[list[Any]]:
        return self.foreign.sql(self.path, statement, *parameters)

    # By Aurite.

    @rule(side=sides, type_=types, name=names, value=values)
    def create(self, side: int, type_: str, name: str, value: Any) -> None:
        config = config_of(type_, name, value)
        if (type_, name) in self.expected | self.misfits:
            with pytest.raises(ComponentExistsError):
                self.managers[side].create_component(type_, config)
        else:
            self.managers[side].create_component(type_, config)
            self.expected[type_, name] = check(config)

    @rule(side=sides, type_=types, name=names, value=values, stale=st.booleans())
    def update(self, side: int, type_: str, name: str, value: Any, stale: bool) -> None:
        config = config_of(type_, name, value)
        if stale:
            with pytest.raises(RevisionConflictError):
                self.managers[side].update_component(type_, name, config, expected_revision=-1)
        elif (type_, name) in self.expected | self.misfits:
            self.managers[side].update_component(type_, name, config)
            self.misfits.pop((type_, name), None)
            self.expected[type_, name] = check(config)
        else:
            with pytest.raises(ComponentNotFoundError):
                self.managers[side].update_component(type_, name, config)

    @rule(side=sides, wanted=st.dictionaries(st.tuples(types, names), values, max_size=4), spoilt=st.booleans())
    def put(self, side: int, wanted: dict[Key, Any], spoilt: bool) -> None:
        configs = [config_of(type_, name, value) for (type_, name), value in wanted.items()]
        if spoilt:
            with pytest.raises(InvalidComponentError):
                self.managers[side].put_components([*configs, {"type": "llm", "name": "no model"}])
            return
        self.managers[side].put_components(configs)
        for key, config in zip(wanted, configs, strict=True):
            self.misfits.pop(key, None)
            self.expected[key] = check(config)

    @rule(side=sides, type_=types, name=names)
    def delete(self, side: int, type_: str, name: str) -> None:
        if (type_, name) in self.expected:
            self.managers[side].delete_config(type_, name)
            del self.expected[type_, name]
        elif (type_, name) not in self.misfits:
            with pytest.raises(ComponentNotFoundError):
                self.managers[side].delete_config(type_, name)

    # By hand.

    @rule(type_=types, name=names, value=values)
    def insert_or_replace_by_hand(self, type_: str, name: str, value: Any) -> None:
        document = check(config_of(type_, name, value))
        self.sql("INSERT OR REPLACE INTO components (type, name, document) VALUES (?, ?, ?)", type_, name, document)
        self.misfits.pop((type_, name), None)
        self.expected[type_, name] = document

    @rule(type_=types, name=names, value=values)
    def update_by_hand(self, type_: str, name: str, value: Any) -> None:
        document = check(config_of(type_, name, value))
        self.sql("UPDATE components SET document = ? WHERE type = ? AND name = ?", document, type_, name)
        if (type_, name) in self.expected | self.misfits:
            self.misfits.pop((type_, name), None)
            self.expected[type_, name] = document

    @rule(type_=types, name=names)
    def delete_by_hand(self, type_: str, name: str) -> None:
        self.sql("DELETE FROM components WHERE type = ? AND name = ?", type_, name)
        self.expected.pop((type_, name), None)
        self.misfits.pop((type_, name), None)

    @rule(type_=types, name=names)
    def spoil_by_hand(self, type_: str, name: str) -> None:
        document = check({"type": type_, "name": [name]})
        self.sql("INSERT OR REPLACE INTO components (type, name, document) VALUES (?, ?, ?)", type_, name, document)
        self.expected.pop((type_, name), None)
        self.misfits[type_, name] = document

    @rule(old=names, new=names)
    def rename_by_hand(self, old: str, new: str) -> None:
        there = self.expected | self.misfits
        if ("llm", old) not in self.expected or ("llm", new) in there:
            return
        document = check({**decode(self.expected.pop(("llm", old))), "name": new})
        self.sql("UPDATE components SET name = ?, document = ? WHERE type = 'llm' AND name = ?", new, document, old)
        self.expected["llm", new] = document

    @rule(type_=types)
    def delete_many_by_hand_and_think_better_of_it(self, type_: str) -> None:
        self.sql("BEGIN")
        self.sql("DELETE FROM components WHERE type = ?", type_)
        self.sql("ROLLBACK")

    # What holds all the time.

    @invariant()
    def memory_a_fresh_manager_and_sql_are_the_same(self) -> None:
        database = SqliteDatabase(self.path, synchronous="OFF")
        fresh = ConfigManager(SqlComponentStore(database), author=AUTHOR)
        for manager in self.managers:
            assert manager.components() == fresh.components()
            assert manager.problems() == fresh.problems()
            assert manager.version == fresh.version
        assert {component.key: component.document for component in fresh.components()} == self.expected
        assert {(problem.type, problem.name) for problem in fresh.problems()} == set(self.misfits)
        database.close()
        rows = self.sql("SELECT type, name, document FROM components ORDER BY type, name")
        assert {(type_, name): document for type_, name, document in rows} == self.expected | self.misfits
        assert [(type_, name) for type_, name, _ in rows] == sorted(self.expected | self.misfits)

    @invariant()
    def each_change_has_a_number_of_its_own(self) -> None:
        [[counter]] = self.sql("SELECT config_version FROM store_meta")
        numbers = [number for (number,) in self.sql("SELECT DISTINCT revision FROM component_revisions ORDER BY revision")]
        assert numbers == list(range(1, counter + 1))

    @invariant()
    def the_newest_revision_of_each_component_holds_its_value(self) -> None:
        newest = self.sql(
            "SELECT type, name, document FROM component_revisions AS newest WHERE change <> 'delete' AND revision ="
            " (SELECT max(revision) FROM component_revisions WHERE type = newest.type AND name = newest.name)"
        )
        assert {(type_, name): document for type_, name, document in newest} == self.expected | self.misfits


@pytest.fixture
def foreign() -> Iterator[ForeignProgram]:
    with ForeignProgram() as program:
        yield program


def test_after_any_history_memory_a_fresh_manager_and_sql_are_the_same(foreign: ForeignProgram) -> None:
    class WithProgram(Histories):
        pass

    WithProgram.foreign = foreign
    run_state_machine_as_test(WithProgram, settings=settings(max_examples=25, stateful_step_count=20, deadline=None))


READ_ALL = """
import json, sys
from pathlib import Path
from aurite.config.manager import ConfigManager
from aurite.model.records import Author
from aurite.storage.components import SqlComponentStore
from aurite.storage.sqlite.database import SqliteDatabase
manager = ConfigManager(SqlComponentStore(SqliteDatabase(Path(sys.argv[1]))), author=Author("cli"))
print(json.dumps([[c.type, c.name, c.document, c.revision] for c in manager.components()]))
"""


def test_a_fresh_process_reads_what_this_one_and_an_edit_by_hand_wrote(tmp_path: Path, foreign: ForeignProgram) -> None:
    database = SqliteDatabase(tmp_path / "aurite.db")
    manager = ConfigManager(SqlComponentStore(database), author=AUTHOR)
    for number, name in enumerate(FEW_NAMES):
        manager.create_component("llm", config_of("llm", name, number))
    foreign.sql(database.path, "UPDATE components SET document = json_set(document, '$.v', 'by hand') WHERE name = '%'")
    foreign.sql(database.path, "DELETE FROM components WHERE name = 'a'")
    output = subprocess.run(
        [sys.executable, "-c", READ_ALL, str(database.path)], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    here = [[each.type, each.name, each.document, each.revision] for each in manager.components()]
    assert decode(output) == here
    assert [name for _, name, _, _ in here] == sorted(set(FEW_NAMES) - {"a"})
    assert manager.require_config("llm", "%")["v"] == "by hand"
    database.close()
