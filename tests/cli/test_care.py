"""Backup, restore, import, vacuum, check, doctor and prune as people call them, on SQLite and on PostgreSQL."""

from __future__ import annotations

import json
import os
import shutil
import signal
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from aurite.storage.postgres.target import PostgresTarget
from tests.cli.program import Program
from tests.cli.test_list_and_show import agent
from tests.clusters import Cluster, Server

DATA = Path(__file__).parents[1] / "data"
SECRET = "s3cret-Pass-word"


def on_server(project: Program, target: PostgresTarget) -> Program:
    return project.with_variables(
        AURITE_ENABLE_DB="true",
        AURITE_DB_TYPE="postgresql",
        AURITE_DB_HOST=target.host,
        AURITE_DB_PORT=str(target.port),
        AURITE_DB_USER=str(target.user),
        AURITE_DB_NAME=str(target.dbname),
        AURITE_DB_PASSWORD=SECRET,
    )


@pytest.fixture(params=["sqlite", "postgresql"])
def kept(request: pytest.FixtureRequest, project: Program, postgres_server: Server) -> Iterator[Program]:
    """The program with the components of the project and two sessions in a database."""
    name = ""
    program = project.with_variables(AURITE_ENABLE_DB="true", AURITE_DB_PASSWORD=SECRET)
    if request.param == "postgresql":
        name = postgres_server.create_database()
        program = on_server(project, postgres_server.target(name))
    program("export").done()
    program("run", "Packing Agent", "It rains", "-id", "one").done()
    program("run", "Packing Agent", "It snows", "-id", "two").done()
    yield program
    if name:
        postgres_server.drop_database(name)


def content(program: Program) -> dict[str, object]:
    """Components and sessions, as JSON tells them."""
    sessions = [program("sessions", "show", name, "--json").done().json() for name in ("one", "two")]
    components = [program("show", type_, "--json").done().json() for type_ in ("agents", "llms", "mcp_servers")]
    return {"components": components, "sessions": sessions}


def test_a_backup_comes_back_and_can_be_used_as_it_lies(kept: Program) -> None:
    before = content(kept)

    said = kept("backup", "safe/kept.db").done()
    assert "rows" in said.errors
    report = kept("backup", "--check", "safe/kept.db", "--json").done().json()
    assert report["differences"] == []

    as_it_lies = kept.with_variables(AURITE_DB_TYPE="sqlite", AURITE_DB_PATH="safe/kept.db")
    assert content(as_it_lies) == before
    assert kept("backup", "--check", "safe/kept.db").done().errors.count("is as it was made") == 1

    other = kept.with_variables(AURITE_DB_TYPE="sqlite", AURITE_DB_PATH="new/other.db")
    other("restore", "safe/kept.db").done()
    assert content(other) == before
    other("restore", "safe/kept.db").refused("not empty", "--on-conflict")

    kept("sessions", "delete", "one", "--yes").done()
    kept("restore", "safe/kept.db", "--on-conflict", "skip").done()
    kept("sessions", "show", "one").done()
    kept("restore", "safe/kept.db", "--on-conflict", "replace").refused("--yes", status=2)
    kept("restore", "safe/kept.db", "--on-conflict", "replace", "--yes").done()
    assert content(kept)["sessions"] == before["sessions"]


def test_no_secret_is_in_a_backup_or_in_what_is_said(kept: Program) -> None:
    outputs = [
        kept("backup", "kept.db"),
        kept("backup", "--check", "kept.db", "--json"),
        kept("restore", "kept.db", "--dry-run", "--on-conflict", "skip"),
        kept("doctor"),
        kept("db", "status"),
        kept("db", "vacuum"),
    ]
    for ended in outputs:
        assert SECRET not in ended.done().output + ended.errors
    assert SECRET.encode() not in (kept.folder / "kept.db").read_bytes()


def test_a_file_that_is_there_is_replaced_only_where_asked_and_agreed(database: Program) -> None:
    file = database.folder / "kept.db"
    file.write_text("mine")
    database("backup", "kept.db").refused("kept.db is there already", "--overwrite")
    database("backup", "kept.db", "--overwrite").refused("--yes", status=2)
    assert file.read_text() == "mine"
    with database.terminal("backup", "kept.db", "--overwrite") as person:
        person.sees("Replace kept.db?")
        person.types("n\n")
        assert person.ends()[0] == 1
    assert file.read_text() == "mine"
    database("backup", "kept.db", "--overwrite", "--yes").done()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    database("backup", "--check", "kept.db", "--overwrite").refused("--check makes no backup", status=2)
    database("backup", ".aurite_db/aurite.db", "--overwrite", "--yes").refused("the database itself", status=2)
    assert len(database("list").done().lines) == 7


def test_a_flipped_byte_is_found_and_refused_with_one_line(database: Program) -> None:
    database("backup", "kept.db").done()
    file = database.folder / "kept.db"
    whole = bytearray(file.read_bytes())
    place = whole.index(b"Answer questions about the weather")
    whole[place] ^= 1
    file.write_bytes(whole)

    checked = database("backup", "--check", "kept.db")
    assert checked.status == 1
    assert "Problem: components ('agent', 'Weather Agent') is changed" in checked.errors
    other = database.with_variables(AURITE_DB_PATH="other.db")
    other("restore", "kept.db").refused("not as it was made", "components ('agent', 'Weather Agent')", "aurite migrate")
    assert not (database.folder / "other.db").exists()


def test_a_plain_database_is_no_backup(database: Program) -> None:
    for arguments in (("backup", "--check"), ("restore",)):
        database(*arguments, ".aurite_db/aurite.db").refused("no manifest", "aurite migrate --source-path")
    database("backup", "--check", "missing.db").refused("there is no backup", "missing.db")


def test_another_sqlite_file_is_backed_up_where_it_is_named(database: Program) -> None:
    shutil.copy(database.folder / ".aurite_db" / "aurite.db", database.folder / "copy.db")
    report = database("backup", "kept.db", "--source-path", "copy.db", "--json").done().json()
    assert report["location"].endswith("copy.db")
    database("backup", "more.db", "--source-path", "missing.db").refused("missing.db")
    assert not (database.folder / "missing.db").exists()
    assert not (database.folder / "more.db").exists()


def test_a_terminated_backup_leaves_nothing_behind(database: Program) -> None:
    for attempt in range(6):
        running = database.start("backup", "kept/kept.db")
        time.sleep(0.2 + attempt * 0.06)
        running.send_signal(signal.SIGTERM)
        running.communicate(timeout=30)
        folder = database.folder / "kept"
        left = {entry.name for entry in folder.iterdir()} if folder.exists() else set()
        assert left <= {"kept.db"}
        if left:
            assert running.returncode in (0, 143, -signal.SIGTERM)
            database("backup", "--check", "kept/kept.db").done()
            (folder / "kept.db").unlink()


def test_a_full_disk_leaves_no_backup_and_no_traceback(database: Program, tmp_path: Path) -> None:
    database("apply", "-f", "-", stdin=json.dumps({**agent("Big"), "system_prompt": "x" * 900_000})).done()
    place = tmp_path / "small"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", place], capture_output=True, check=False).returncode:
        pytest.skip("mounting needs root's powers")
    try:
        database("backup", str(place / "kept.db")).refused("space")
        assert list(place.iterdir()) == []
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


def test_components_come_out_as_files_that_export_the_same(kept: Program) -> None:
    said = kept("import", "out").done()
    assert said.lines == [
        "config/agents.json            2",
        "config/linear_workflows.json  1",
        "config/llms.json              3",
        "config/mcp_servers.json       1",
    ]
    assert "server_path mcp_servers/weather_server.py" in said.errors
    path = str(kept.folder / ".aurite_db" / "aurite.db")
    inside = kept.inside("out").with_variables(AURITE_DB_PATH=path)
    assert inside("export", "--dry-run").done().errors.count("0 new, 0 changed, 7 the same, 0 only in the database") == 1
    assert len(kept.inside("out").with_variables(AURITE_ENABLE_DB="false")("list").done().lines) == 7
    kept("import", "out").refused("not an empty folder")
    kept("import", "in_yaml", "--format", "yaml").done()
    assert (kept.folder / "in_yaml" / "config" / "agents.yaml").read_text().startswith("- name: Packing Agent\n")


def test_an_import_with_a_bad_row_writes_nothing_unless_it_may_be_skipped(database: Program) -> None:
    edit(database, "INSERT INTO components (type, name, document) VALUES ('llm', 'bad', '{}')")
    database("import").refused("1 row is not valid, nothing was written", "llm 'bad'")
    assert not (database.folder / "imported").exists()
    assert database("import", "--skip-invalid").status == 3
    assert (database.folder / "imported" / ".aurite").exists()


def test_an_import_makes_no_database(project: Program) -> None:
    project("import").refused("there is no database")
    assert not (project.folder / ".aurite_db").exists()


def edit(program: Program, *statements: str) -> None:
    connection = apsw.Connection(str(program.folder / ".aurite_db" / "aurite.db"))
    for statement in statements:
        connection.execute(statement).fetchall()
    connection.close()


def test_vacuum_says_how_much_it_gave_back(kept: Program) -> None:
    big = json.dumps([{**agent("Big"), "system_prompt": "x" * 2_000_000}])
    kept("apply", "-f", "-", stdin=big).done()
    kept("delete", "agent", "Big", "--yes").done()
    engine = kept("db", "status", "--json").done().json()["engine"]
    if engine == "sqlite":
        edit(kept, "DELETE FROM component_revisions WHERE name = 'Big'")
    before = kept("db", "status", "--json").done().json()

    report = kept("db", "vacuum", "--json").done().json()

    after = kept("db", "status", "--json").done().json()
    if engine == "sqlite":  # a small database on a server grows by the maps that VACUUM makes
        assert report["bytes_before"] - report["bytes_after"] > 1_500_000
        assert after["free_bytes"] == 0
        assert after["bytes"] < before["bytes"]
        assert "gave back" in kept("db", "vacuum").done().errors or "nothing to give back" in kept("db", "vacuum").done().errors
    assert after["rows"] == before["rows"]
    kept("db", "check").done()


def test_vacuum_refuses_where_the_disk_has_no_room(database: Program, tmp_path: Path) -> None:
    place = tmp_path / "small"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", place], capture_output=True, check=False).returncode:
        pytest.skip("mounting needs root's powers")
    try:
        program = database.with_variables(AURITE_DB_PATH=str(place / "a.db"))
        program("apply", "-f", "-", stdin=json.dumps({**agent("Big"), "system_prompt": "x" * 600_000})).done()
        (place / "ballast").write_bytes(b"x" * (os.statvfs(place).f_bavail * os.statvfs(place).f_frsize - 500_000))
        program("db", "vacuum").refused("free beside it; nothing was changed", "Free disk space")
        program("db", "check").done()
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


def test_vacuum_of_tables_that_belong_to_somebody_else_is_no_success(project: Program, postgres_server: Cluster) -> None:
    name = postgres_server.create_database()
    role = f"reader_{name}"
    try:
        owner = on_server(project, postgres_server.target(name))
        owner("export").done()
        with postgres_server.connect(name) as connection:
            connection.execute(f"CREATE ROLE {role} LOGIN")
            connection.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}")
        reader = owner.with_variables(AURITE_DB_USER=role)
        reader("db", "vacuum").refused("not every table", "own")
        owner("db", "vacuum").done()
    finally:
        postgres_server.drop_database(name)
        with postgres_server.connect() as connection:
            connection.execute(f"DROP ROLE IF EXISTS {role}")


@pytest.mark.parametrize("frozen", ["schema-1", "aurite-0.4"])
def test_an_older_schema_is_shown_and_not_touched(project: Program, frozen: str) -> None:
    file = project.folder / "old.db"
    shutil.copy(DATA / frozen / "database.sqlite", file)
    before = file.read_bytes()
    program = project.with_variables(AURITE_ENABLE_DB="true", AURITE_DB_PATH="old.db")

    facts = program("db", "status", "--json").done().json()
    assert facts["schema_version"] == (1 if frozen == "schema-1" else "of Aurite 0.4")
    assert "0002_evaluation_results" in facts["pending_steps"]
    assert "aurite db upgrade" in program("db", "status").done().errors
    checked = program("db", "check")
    assert checked.status == 1
    assert "aurite db upgrade" in checked.output
    examined = program("doctor")
    assert examined.status == 1
    assert "aurite db upgrade" in examined.output
    assert file.read_bytes() == before
    assert {entry.name for entry in project.folder.glob("old.db*")} == {"old.db"}


def test_check_finds_files_that_others_can_read(database: Program) -> None:
    for name in ("aurite.db", "aurite.db.wlock"):
        (database.folder / ".aurite_db" / name).chmod(0o644)
        checked = database("db", "check")
        assert checked.status == 1
        assert f"chmod 600 {database.folder / '.aurite_db' / name}" in checked.output
        (database.folder / ".aurite_db" / name).chmod(0o600)
    database("db", "check").done()


def findings(program: Program, status: int = 1) -> dict[str, list[str]]:
    """What is wrong, by part."""
    ended = program("doctor", "--json")
    assert ended.status == status, ended.output
    report = ended.json()
    wrong = [finding for finding in report["findings"] if finding["state"] == "wrong"]
    assert report["wrong"] == len(wrong)
    assert all(finding["next_step"] for finding in wrong)
    return {part: [f["what"] for f in wrong if f["part"] == part] for part in {f["part"] for f in wrong}}


def test_the_doctor_finds_nothing_wrong_with_a_new_project(project: Program, kept: Program) -> None:
    assert findings(project, 0) == {}
    assert findings(kept, 0) == {}
    assert "Nothing is wrong." in kept("doctor").done().errors


def test_the_doctor_names_each_thing_that_is_wrong_and_what_to_do(database: Program) -> None:
    program = database.with_variables(AURITE_DB_PATHS="x", OPENAI_API_KEY="sk-do-not-show-this")
    components = [
        {"type": "agent", "name": "Keyless", "llm_config_id": "anthropic_claude"},
        {"type": "agent", "name": "Lost", "llm_config_id": "nowhere"},
        {"type": "llm", "name": "odd", "provider": "nobody", "model": "m"},
        {"type": "agent", "name": "Odd", "llm_config_id": "odd"},
        {"type": "mcp_server", "name": "gone", "server_path": "servers/gone.py"},
        {"type": "mcp_server", "name": "unheard", "command": "no-such-program-here"},
        {"type": "mcp_server", "name": "below", "command": "bin/no-such-program"},
        {"type": "mcp_server", "name": "no url", "http_endpoint": "localhost:3000/mcp"},
        {"type": "mcp_server", "name": "keyed", "http_endpoint": "http://h/", "headers": {"x": "${UNSET_KEY}"}},
        {"type": "mcp_server", "name": "fine", "http_endpoint": "https://user:hidden-word@h:1/mcp?k=hidden-word"},
        {"type": "mcp_server", "name": "cat", "command": "cat"},
    ]
    program("apply", "-f", "-", stdin=json.dumps(components)).done()
    (program.folder / "config" / "bad.json").write_text("{")

    found = findings(program)

    assert set(found) == {"settings", "files", "components", "models", "servers"}
    assert "AURITE_DB_PATHS" in found["settings"][0]
    assert "bad.json" in found["files"][0]
    assert any("nowhere" in what for what in found["components"])
    assert [what for what in found["models"] if "ANTHROPIC_API_KEY" in what]
    assert [what for what in found["models"] if "nobody" in what]
    assert len(found["models"]) == 2
    assert len(found["servers"]) == 5
    shown = program("doctor")
    for words in ("gone.py", "no-such-program-here on the PATH", "no URL", "UNSET_KEY", "its key is set in OPENAI_API_KEY"):
        assert words in shown.output
    assert "sk-do-not" not in shown.output
    assert "hidden-word" not in shown.output


def test_the_doctor_tells_of_settings_and_databases_that_cannot_be_used(database: Program, project: Program) -> None:
    assert "AURITE_DB_PORT" in findings(database.with_variables(AURITE_DB_PORT="abc"))["settings"][0]
    assert "no database at" in findings(database.with_variables(AURITE_DB_PATH="none.db"))["database"][0]
    assert not (database.folder / "none.db").exists()
    (database.folder / "text.db").write_text("no database " * 1000)
    assert "text.db" in findings(database.with_variables(AURITE_DB_PATH="text.db"))["database"][0]
    nobody = {"AURITE_DB_TYPE": "postgresql", "AURITE_DB_USER": "u", "AURITE_DB_HOST": "127.0.0.1", "AURITE_DB_PORT": "1"}
    assert "127.0.0.1" in findings(database.with_variables(**nobody, AURITE_DB_PASSWORD=SECRET))["database"][0]
    home = Program(project.folder.parent, project.variables)
    assert "no .aurite" in findings(home)["files"][0]


def test_pruning_needs_a_rule_and_consent(kept: Program) -> None:
    kept("sessions", "prune").refused("--older-than", status=2)
    kept("sessions", "prune", "--keep", "1").refused("--yes", status=2)
    assert "Would delete 1 session with" in kept("sessions", "prune", "--keep", "1", "--dry-run").done().errors
    with kept.terminal("sessions", "prune", "--keep", "1") as person:
        person.sees("Delete 1 session with")
        person.types("n\n")
        assert person.ends()[0] == 1
    assert len(kept("sessions", "list").done().lines) == 2
    assert "Deleted 1 session with" in kept("sessions", "prune", "--keep", "1", "--yes").done().errors
    assert [line.split()[0] for line in kept("sessions", "list").done().lines] == ["agent-two"]
    assert "Deleted 0 sessions" in kept("sessions", "prune", "--older-than", "90d").done().errors
    report = kept("sessions", "prune", "--older-than", "0s", "--agent", "Packing Agent", "--yes", "--json").done().json()
    assert (report["sessions"], report["running"]) == (1, 0)


def test_pruning_works_on_files(project: Program) -> None:
    for name in ("one", "two", "three"):
        project("run", "Packing Agent", "It rains", "-id", name).done()
    project("sessions", "tag", "three", "+x").done()
    assert "Deleted 1 session" in project("sessions", "prune", "--keep", "0", "--tag", "x", "--yes").done().errors
    assert "Deleted 1 session" in project("sessions", "prune", "--keep", "1", "--yes").done().errors
    assert [line.split()[0] for line in project("sessions", "list").done().lines] == ["agent-two"]
