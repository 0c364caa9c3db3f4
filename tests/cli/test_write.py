"""``aurite apply``, ``delete`` and ``export``: all or nothing, and nothing is lost without a yes."""

from __future__ import annotations

import json
import stat
from typing import Any

import pytest

from tests.cli.program import Program
from tests.cli.test_list_and_show import agent


@pytest.fixture(params=["files", "sqlite"])
def store(request: pytest.FixtureRequest, project: Program) -> Program:
    """The program in a project, in file mode and on SQLite."""
    if request.param == "files":
        return project
    program = project.with_variables(AURITE_ENABLE_DB="true")
    program("export").done()
    return program


def config_of(program: Program, type_: str, name: str) -> dict[str, Any]:
    shown: dict[str, Any] = program("show", "--type", type_, name, "--full").done().json()
    return shown


def test_apply_creates_replaces_and_leaves_alone(store: Program) -> None:
    new, other = agent("New", description="1"), agent("Other")
    (store.folder / "two.json").write_text(json.dumps([new, other]))

    first = store("apply", "-f", "two.json", "--json").done().json()
    again = store("apply", "-f", "two.json", "--json").done().json()
    changed = store("apply", "-f", "-", "--json", stdin=json.dumps({**new, "description": "2"})).done().json()

    assert [entry["name"] for entry in first["created"]] == ["New", "Other"]
    assert [entry["name"] for entry in again["unchanged"]] == ["New", "Other"]
    assert changed["updated"] == [{"type": "agent", "name": "New"}]
    assert config_of(store, "agent", "New") == {**new, "description": "2"}


def test_apply_takes_several_files_and_yaml_from_standard_input(store: Program) -> None:
    (store.folder / "a.json").write_text(json.dumps(agent("A")))

    store("apply", "-f", "a.json", "-f", "-", stdin="type: agent\nname: B\nllm_config_id: offline\n").done()

    assert config_of(store, "agent", "A")["name"] == "A"
    assert config_of(store, "agent", "B")["name"] == "B"


def test_apply_writes_all_or_nothing(store: Program) -> None:
    before = store("list", "--json").done().json()
    (store.folder / "bad.json").write_text(json.dumps([agent("Good"), agent("Bad", max_iterations="many")], indent=1))

    store("apply", "-f", "bad.json").refused("bad.json:", "max_iterations")
    store("apply", "-f", "bad.json", "-f", "missing.json").refused("bad.json")
    store("apply", "-f", "missing.json").refused("missing.json", "No such file")
    store("apply", "-f", "-", stdin='{"type": "agent",').refused("standard input:1")
    store("apply", "-f", "-", stdin=json.dumps([agent("Twice"), agent("Twice")])).refused("Twice")

    assert store("list", "--json").done().json() == before


def test_a_dry_run_of_apply_writes_nothing(store: Program) -> None:
    before = store("list", "--json").done().json()

    said = store("apply", "-f", "-", "--dry-run", "--json", stdin=json.dumps(agent("New"))).done().json()

    assert said["created"] == [{"type": "agent", "name": "New"}]
    assert store("list", "--json").done().json() == before


def test_delete_refuses_without_a_terminal_unless_told_yes(store: Program) -> None:
    store("delete", "agent", "Packing Agent").refused("--yes", "--dry-run", status=2)
    store("delete", "agent", "Packing Agent", "--dry-run").done()
    config_of(store, "agent", "Packing Agent")

    store("delete", "agents", "Packing Agent", "--yes").done()

    store("show", "Packing Agent").refused("Packing Agent")
    store("delete", "agent", "Packing Agent", "--yes").refused("Packing Agent")
    config_of(store, "agent", "Weather Agent")


def test_delete_asks_on_a_terminal_and_takes_no_for_an_answer(store: Program) -> None:
    with store.terminal("delete", "agent", "Packing Agent") as person:
        person.sees("Delete the agent 'Packing Agent'")
        person.types("n\n")
        status, shown = person.ends()
    assert status == 1
    assert "nothing was changed" in shown
    config_of(store, "agent", "Packing Agent")

    with store.terminal("delete", "agent", "Packing Agent") as person:
        person.sees("[y/N]")
        person.types("y\n")
        status, _ = person.ends()
    assert status == 0
    store("show", "Packing Agent").refused("Packing Agent")


def test_delete_of_another_revision_is_a_conflict_that_shows_the_current_value(store: Program) -> None:
    shown = store("show", "Packing Agent", "--json").done().json()["components"][0]

    stale = ("--expected-revision", str(shown["revision"] + 1))
    store("delete", "agent", "Packing Agent", "--dry-run", *stale).refused("revision")
    ended = store("delete", "agent", "Packing Agent", "--yes", *stale)

    ended.refused("revision")
    assert "Says what to pack" in ended.errors
    store("delete", "agent", "Packing Agent", "--yes", "--expected-revision", str(shown["revision"])).done()


def test_export_brings_everything_and_the_second_time_nothing(project: Program) -> None:
    first = project("export", "--json").done().json()
    second = project("export", "--json").done().json()

    count = len(project("list").done().lines)
    assert (len(first["new"]), len(first["same"])) == (count, 0)
    assert (len(second["new"]), len(second["changed"]), len(second["same"])) == (0, 0, count)
    file = project.folder / ".aurite_db" / "aurite.db"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_an_export_shows_on_a_terminal_that_it_is_under_way_and_what_it_did(project: Program) -> None:
    with project.terminal("export") as person:
        person.sees("Exporting components")
        person.sees("Weather Agent")
        person.sees("7 new")
        assert person.ends()[0] == 0


def test_a_dry_run_of_export_says_what_is_new_changed_same_shadowed_and_extra_and_writes_nothing(database: Program) -> None:
    database("apply", "-f", "-", stdin=json.dumps(agent("Extra"))).done()
    agents = database.folder / "config" / "agents" / "example_agents.json"
    agents.write_text(agents.read_text().replace("Looks up", "Finds"))
    (database.folder / "config" / "new.json").write_text(json.dumps([agent("New")]))
    (database.folder / "config" / "zz.json").write_text(json.dumps([agent("New", description="shadowed")]))
    before = database("list", "--json").done().json()

    report = database("export", "--dry-run", "--json").done().json()
    piped = database("export", "--dry-run").done().output

    assert [entry["name"] for entry in report["new"]] == ["New"]
    assert [entry["name"] for entry in report["changed"]] == ["Weather Agent"]
    assert [entry["name"] for entry in report["only_in_database"]] == ["Extra"]
    assert [entry["name"] for entry in report["shadowed"]] == ["New"]
    assert "Packing Agent" in [entry["name"] for entry in report["same"]]
    assert all(word in piped for word in ("new", "changed", "same", "shadowed", "only in database"))
    assert database("list", "--json").done().json() == before


def test_export_prunes_only_when_asked_and_agreed(database: Program) -> None:
    database("apply", "-f", "-", stdin=json.dumps(agent("Extra"))).done()

    database("export").done()
    config_of(database, "agent", "Extra")
    database("export", "--prune").refused("--yes", status=2)
    config_of(database, "agent", "Extra")
    with database.terminal("export", "--prune") as person:
        person.sees("Delete 1 component")
        person.types("n\n")
        assert person.ends()[0] == 1
    config_of(database, "agent", "Extra")

    database("export", "--prune", "--yes").done()

    database("show", "Extra").refused("Extra")
    config_of(database, "agent", "Weather Agent")


def test_an_export_that_meets_a_bad_file_writes_nothing_unless_it_may_skip_it(project: Program) -> None:
    (project.folder / "config" / "bad.yaml").write_text("type: agent\nname: Bad\nmax_iterations: many\n")
    program = project.with_variables(AURITE_ENABLE_DB="true")

    refused = program("export")
    refused.refused("not valid", "bad.yaml:")
    assert program("list").done().output == ""

    partly = program("export", "--skip-invalid")
    assert partly.status == 3
    assert "bad.yaml" in partly.errors
    assert "Weather Agent" in program("list", "agents").done().output
    assert program("export", "--dry-run").status == 1
    for words in (["--prune", "--yes"], ["--prune", "--yes", "--skip-invalid"], ["--prune", "--dry-run", "--skip-invalid"]):
        program("export", *words).refused("bad.yaml:", "could delete what they hold")
