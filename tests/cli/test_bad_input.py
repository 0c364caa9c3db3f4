"""Whatever is wrong with files or database: one clear line, exit status 1, and nothing is lost."""

from __future__ import annotations

import ctypes
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.cli.program import Program
from tests.cli.test_init import content

PROJECT = '[aurite]\ntype = "project"\ninclude_configs = ["config"]\n'
BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{here}: &{here} [{', '.join([f'*{before}'] * 9)}]\n" for before, here in zip("abcdefgh", "bcdefghi", strict=True)
)

BAD_FILES: dict[str, tuple[str, bytes, str]] = {
    "broken JSON": ("bad.json", b'{"type": "agent",\n "name": "A",}', ":2"),
    "broken YAML": ("bad.yaml", b"type: agent\nname: [A\n", ":"),
    "wrong types": ("bad.json", b'{"type": "agent", "name": "A", "mcp_servers": "x"}', "mcp_servers"),
    "unknown type": ("bad.json", b'{"type": "robot", "name": "A"}', "robot"),
    "no name": ("bad.json", b'{"type": "agent"}', "name"),
    "duplicate keys": ("bad.json", b'{"type": "agent", "name": "A",\n"name": "B"}', "name"),
    "duplicate keys in YAML": ("bad.yaml", b"type: agent\nname: A\nname: B\n", ":3"),
    "alias bomb": ("bad.yaml", BOMB.encode(), "bad.yaml"),
    "latin-1": ("bad.json", '{"type": "agent",\n"name": "Käse"}'.encode("latin-1"), ":2"),
    "not a list": ("bad.json", b'"just text"', "bad.json"),
    "a tag that runs code": ("bad.yaml", b"type: agent\nname: !!python/object/apply:os.getcwd []\n", ":2"),
}


@pytest.mark.parametrize("fault", BAD_FILES)
def test_a_bad_file_is_told_and_the_good_ones_keep_working(project: Program, fault: str) -> None:
    name, content, word = BAD_FILES[fault]
    (project.folder / "config" / name).write_bytes(content)

    ended = project("list", "agents").done()
    assert len(ended.lines) == 2
    (problem,) = [line for line in ended.errors.splitlines() if line.startswith("Problem: ")]
    assert name in problem
    assert word in problem

    assert project("validate").status == 1
    project("export").refused(name)
    assert (project.folder / "config" / name).read_bytes() == content


@pytest.mark.parametrize("fault", BAD_FILES)
def test_a_bad_document_is_not_applied(project: Program, fault: str) -> None:
    name, content, _ = BAD_FILES[fault]
    (project.folder / name).write_bytes(content)

    project("apply", "-f", name).refused(name)

    assert len(project("list").done().lines) == 7


def test_an_unreadable_file_is_a_problem_and_stops_an_export(project: Program) -> None:
    secret = project.folder / "config" / "secret.json"
    secret.write_text("[]")
    secret.chmod(0)
    weak = project.without_power()

    ended = weak("list", "agents").done()
    assert len(ended.lines) == 2
    assert "secret.json" in ended.errors
    weak("export").refused("secret.json")


def test_a_place_without_an_anchor_is_refused_with_what_to_do(aurite: Program) -> None:
    for arguments in (("list",), ("show", "x"), ("validate",), ("run", "x", "y"), ("export",)):
        aurite(*arguments).refused(".aurite", "aurite init")


def test_a_broken_anchor_is_told_and_costs_no_component_in_the_database(project: Program) -> None:
    project("export").done()
    (project.folder / ".aurite").write_text("[aurite\n")

    assert "Problem: " in project("list").done().errors
    project("export").refused(".aurite:1")
    project("export", "--prune", "--skip-invalid", "--yes").refused(".aurite:1")
    assert project("validate").status == 1
    assert len(project.with_variables(AURITE_ENABLE_DB="true")("list").done().lines) == 7


def as_folder(path: Path) -> None:
    path.mkdir()


def as_text(path: Path) -> None:
    path.write_text("These are my notes, and nothing else.\n" * 100)


def as_other_program(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE bookmarks (url TEXT)")
        database.execute("INSERT INTO bookmarks VALUES ('https://example.org')")
    database.close()


def as_damaged(path: Path) -> None:
    as_other_program(path)
    content = bytearray(path.read_bytes())
    content[100:200] = bytes(100)
    path.write_bytes(content)


@pytest.mark.parametrize("make", [as_folder, as_text, as_other_program, as_damaged])
def test_a_path_that_holds_something_else_is_refused_and_left_alone(project: Program, make: Callable[[Path], None]) -> None:
    path = project.folder / "my.db"
    make(path)
    before = path.read_bytes() if path.is_file() else None
    program = project.with_variables(AURITE_ENABLE_DB="true", AURITE_DB_PATH=str(path))

    for arguments in (("list",), ("export",), ("sessions", "list"), ("db", "status"), ("run", "Weather Agent", "hi")):
        program(*arguments).refused("my.db")

    assert (path.read_bytes() if path.is_file() else None) == before


def test_a_place_that_cannot_be_written_is_refused_and_the_files_stay(project: Program) -> None:
    locked = project.folder / "locked"
    locked.mkdir(mode=0o555)
    program = project.with_variables(AURITE_ENABLE_DB="true", AURITE_DB_PATH="locked/my.db").without_power()

    program("export").refused("locked")

    assert list(locked.iterdir()) == []


def test_a_database_that_cannot_be_written_keeps_what_it_has(database: Program) -> None:
    folder = database.folder / ".aurite_db"
    for file in folder.iterdir():
        file.chmod(0o444)
    folder.chmod(0o555)

    program = database.without_power()
    program("delete", "agent", "Packing Agent", "--yes").refused("aurite.db")
    folder.chmod(0o755)
    for file in folder.iterdir():
        file.chmod(0o600)

    assert "Packing Agent" in database("list", "agents").done().output


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own with 512 KiB."""
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(place)], capture_output=True, check=False)
    if mounted.returncode != 0:
        pytest.skip(f"mounting needs root's powers: {mounted.stderr.decode().strip()}")
    yield place
    ctypes.CDLL(None).sync()
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def test_a_full_disk_is_told_and_what_was_there_stays(project: Program, full_disk: Path) -> None:
    program = project.with_variables(AURITE_ENABLE_DB="true", AURITE_DB_PATH=str(full_disk / "my.db"))
    program("export").done()
    big = '[{"type": "agent", "name": "Big", "llm_config_id": "offline", "system_prompt": "' + "x" * 800_000 + '"}]'

    program("apply", "-f", "-", stdin=big).refused("full", "my.db")

    assert len(program("list").done().lines) == 7
    program("delete", "agent", "Packing Agent", "--yes").done()


def test_a_disk_without_room_for_the_index_of_a_reader_is_called_full(project: Program, full_disk: Path) -> None:
    program = project.with_variables(AURITE_ENABLE_DB="true", AURITE_DB_PATH=str(full_disk / "my.db"))
    program("export").done()
    with suppress(OSError), (full_disk / "ballast").open("wb", buffering=0) as ballast:
        while True:
            ballast.write(b"x" * 4096)

    program("list").refused("no space left", "my.db")

    (full_disk / "ballast").unlink()
    assert len(program("list").done().lines) == 7


def test_a_file_that_does_not_fit_on_the_disk_leaves_the_files_as_they_were(aurite: Program, full_disk: Path) -> None:
    small = Program(full_disk, aurite.variables)
    small("init", "-p", "demo").done()
    program = small.inside("demo")
    before = content(program.folder / "config")
    big = '[{"type": "agent", "name": "Big", "llm_config_id": "offline", "system_prompt": "' + "x" * 800_000 + '"}]'

    program("apply", "-f", "-", stdin=big).refused("no space left")

    assert content(program.folder / "config") == before
    assert [path.name for path in full_disk.iterdir()] == ["demo"]


def test_a_project_that_does_not_fit_on_the_disk_is_not_begun(aurite: Program, full_disk: Path) -> None:
    (full_disk / "ballast").write_bytes(b"x" * 506 * 1024)

    Program(full_disk, aurite.variables)("init", "-p", "demo").refused("demo", "no space left")

    assert [path.name for path in full_disk.iterdir()] == ["ballast"]


@pytest.mark.parametrize("value", ["maybe", "2"])
def test_a_setting_that_cannot_be_used_is_refused_by_name(project: Program, value: str) -> None:
    project.with_variables(AURITE_ENABLE_DB=value)("list").refused("AURITE_ENABLE_DB")


def test_looking_at_a_database_that_is_not_there_makes_none(project: Program) -> None:
    for command in ("status", "check"):
        project("db", command).refused("aurite.db", "aurite export")

    assert not (project.folder / ".aurite_db").exists()


def test_the_state_of_a_database_is_shown_and_damage_is_found(database: Program) -> None:
    status = database("db", "status", "--json").done().json()
    assert status["schema_version"] >= 1
    assert status["rows"]["components"] == 7
    assert status["location"] in database("db", "status").done().output
    database("db", "check").done()

    with sqlite3.connect(database.folder / ".aurite_db" / "aurite.db") as connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        connection.execute("UPDATE components SET document = '{' WHERE name = 'offline'")
    connection.close()
    ended = database("db", "check", "--json")
    assert ended.status == 1
    assert "CHECK constraint failed in component" in ended.json()["problems"][0]["reason"]
