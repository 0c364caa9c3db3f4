"""``aurite migrate`` moves everything, says what it did, and asks or refuses before anything is lost."""

from __future__ import annotations

import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import apsw
import psycopg
import pytest

from aurite.storage.postgres.target import PostgresTarget
from aurite.storage.tables import TABLES
from tests.cli.program import Ended, Program
from tests.cli.test_sessions import keep
from tests.clusters import Cluster

PASSWORD = "s3cret horse'\"\\$ battery #1"


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose SQLite database holds components and two sessions."""
    folder = tmp_path_factory.mktemp("example")
    variables = {"PATH": os.environ["PATH"], "HOME": str(folder), "LANG": "C.UTF-8", "TZ": "UTC"}
    Program(folder, variables)("init", "-p", "demo").done()
    program = Program(folder / "demo", {**variables, "AURITE_ENABLE_DB": "true"})
    program("export").done()
    for session, message in (("one", "It rains"), ("two", "It snöws \\ \t 'quoted'")):
        keep(program, session, message)
    return program.folder


@pytest.fixture
def filled(example: Path, aurite: Program) -> Program:
    """The program in a copy of that project; the settings name nothing but its SQLite database."""
    shutil.copytree(example, aurite.folder / "demo")
    return aurite.inside("demo")


@pytest.fixture(scope="module")
def guarded() -> Iterator[Cluster]:
    """A server that lets nobody in over TCP without a password, with two roles, each with a database."""
    cluster = Cluster(hba=("local all postgres trust", "host all all 127.0.0.1/32 scram-sha-256")).start()
    with cluster.connect() as connection:
        for role, password in (("ann", PASSWORD), ("bob", "another one")):
            quoted = password.replace("'", "''")
            connection.execute(f"CREATE USER {role} WITH PASSWORD '{quoted}'".encode())
            connection.execute(f"CREATE DATABASE {role} OWNER {role}".encode())
    yield cluster
    cluster.remove()


def named(target: PostgresTarget) -> dict[str, str]:
    """The variables that name a database."""
    variables = {
        "AURITE_DB_HOST": target.host,
        "AURITE_DB_PORT": str(target.port),
        "AURITE_DB_USER": target.user,
        "AURITE_DB_NAME": target.dbname,
    }
    return {**variables, **({"AURITE_DB_PASSWORD": target.password.reveal()} if target.password else {})}


def flags(side: str, target: PostgresTarget) -> list[str]:
    """The same as flags of one side."""
    values = {"type": "postgres", "host": target.host, "port": str(target.port), "user": target.user, "name": target.dbname}
    return [part for name, value in values.items() for part in (f"--{side}-{name}", value)]


def env_lines(ended: Ended) -> list[str]:
    """The lines of .env that were shown."""
    return re.findall(r"^[A-Z_]+=.*$", ended.errors, re.MULTILINE)


def moved(ended: Ended) -> dict[str, list[str]]:
    """Rows read, written and verified by table, as the summary says."""
    return {line.split()[0]: line.split()[1:4] for line in ended.done().lines}


def rows(database: Path | PostgresTarget) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of all tables, asked by SQL; empty where there are no tables."""
    statements = {
        name: f"SELECT {', '.join(table.columns)} FROM {name} ORDER BY {', '.join(table.key)}" for name, table in TABLES.items()
    }
    if isinstance(database, Path):
        with_file = apsw.Connection(str(database), flags=apsw.SQLITE_OPEN_READONLY)
        try:
            return {name: with_file.execute(statement).fetchall() for name, statement in statements.items()}
        finally:
            with_file.close()
    with psycopg.connect(**database.connect_arguments()) as connection:
        if connection.execute("SELECT to_regclass('components')").fetchone() == (None,):
            return {}
        return {name: connection.execute(statement.encode()).fetchall() for name, statement in statements.items()}


def files_below(folder: Path) -> set[Path]:
    """All of them but those that SQLite keeps beside a database that is being read."""
    return {path for path in folder.rglob("*") if not path.name.endswith(("-wal", "-shm"))}


def database_of(program: Program) -> Path:
    return program.folder / ".aurite_db" / "aurite.db"


# The forms of the guide.


def test_the_command_line_of_the_guide_takes_the_server_from_the_environment(
    filled: Program, empty_postgres: PostgresTarget
) -> None:
    program = filled.with_variables(**named(empty_postgres))

    ended = program.shell(
        "aurite migrate \\\n  --source-type sqlite \\\n  --source-path .aurite_db/aurite.db \\\n  --target-type postgresql"
    )

    assert moved(ended)["sessions"] == ["2", "2", "2"]
    assert moved(ended)["messages"] == ["4", "4", "4"]
    assert rows(empty_postgres) == rows(database_of(filled))


def test_example_1_development_to_production(filled: Program, empty_postgres: PostgresTarget) -> None:
    lines = [f"{name}={value}\n" for name, value in named(empty_postgres).items()]
    (filled.folder / ".env").write_text("# Set up your PostgreSQL connection in .env\n" + "".join(lines))

    filled.shell("# Run migration\naurite migrate --from-env").done()

    assert rows(empty_postgres) == rows(database_of(filled))


def test_example_2_production_backup_to_sqlite(filled: Program, empty_postgres: PostgresTarget) -> None:
    production = filled.with_variables(AURITE_ENABLE_DB="true", AURITE_DB_TYPE="postgresql", **named(empty_postgres))
    filled.with_variables(**named(empty_postgres))("migrate", "--from-env").done()
    database_of(filled).unlink()

    today = date.today()
    production.shell(
        "aurite migrate \\\n  --source-type postgresql \\\n  --target-type sqlite \\\n"
        "  --target-path backups/aurite_backup_$(date +%Y%m%d).db"
    ).done()

    (backup,) = (filled.folder / "backups").iterdir()
    assert backup.name in {f"aurite_backup_{day:%Y%m%d}.db" for day in (today, date.today())}
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    assert rows(backup) == rows(empty_postgres)
    assert not database_of(filled).exists()


def test_example_3_switching_database_types(filled: Program, empty_postgres: PostgresTarget) -> None:
    environment = filled.folder / ".env"
    environment.write_text("".join(f"{name}={value}\n" for name, value in named(empty_postgres).items()))

    ended = filled.shell("aurite migrate --from-env").done()
    environment.write_text("".join(f"{line}\n" for line in env_lines(ended)))

    assert f"{empty_postgres.dbname} on" in filled("list", "agents", "--json").done().json()["store"]
    assert "It snöws" in filled("sessions", "show", "agent-two").done().output
    back = filled("migrate", "--from-env", "--target-path", "back.db").done()
    assert rows(filled.folder / "back.db") == rows(empty_postgres)
    environment.write_text("".join(f"{line}\n" for line in env_lines(back)))
    assert filled("list", "agents", "--json").done().json()["store"].endswith("back.db")
    assert "It snöws" in filled("sessions", "show", "agent-two").done().output


def test_the_first_run_after_a_move_is_kept(filled: Program, empty_postgres: PostgresTarget) -> None:
    ended = filled.with_variables(**named(empty_postgres))("migrate", "--from-env").done()
    (filled.folder / ".env").write_text("".join(f"{line}\n" for line in env_lines(ended)))

    filled("run", "Packing Agent", "It pours", "-id", "two", "--short").done()
    filled("run", "Packing Agent", "It clears", "-id", "three", "--short").done()

    assert "It pours" in filled("sessions", "show", "agent-two").done().output
    assert len(filled("sessions", "list", "--json").done().json()["sessions"]) == 3


# What it says.


def test_there_and_back_the_digests_stay_the_same(filled: Program, empty_postgres: PostgresTarget) -> None:
    there = filled("migrate", "--source-type", "sqlite", *flags("target", empty_postgres), "--json").done().json()
    back = filled("migrate", *flags("source", empty_postgres), "--target-path", "back.db", "--json").done().json()

    assert [table["digest"] for table in there["tables"]] == [table["digest"] for table in back["tables"]]
    assert all(re.fullmatch(r"[0-9a-f]{32}", table["digest"]) for table in there["tables"])
    assert rows(filled.folder / "back.db") == rows(database_of(filled))


def test_piped_the_summary_alone_is_on_standard_output(filled: Program) -> None:
    ended = filled("migrate", "--source-type", "sqlite", "--target-path", "copy.db").done()

    assert list(moved(ended)) == [*TABLES, "total"]
    assert all(len(line.split()) == 6 for line in ended.lines)
    assert "every row was read again and is the same" in ended.errors
    assert env_lines(ended) == ["AURITE_ENABLE_DB=true", "AURITE_DB_TYPE=sqlite", "AURITE_DB_PATH=copy.db"]
    assert "\x1b" not in ended.errors


def test_without_verification_nothing_is_said_to_be_verified(filled: Program) -> None:
    ended = filled("migrate", "--source-type", "sqlite", "--target-path", "copy.db", "--no-verify")

    assert moved(ended)["messages"] == ["4", "4", "-"]
    assert "not verified, as you said" in ended.errors
    assert rows(filled.folder / "copy.db") == rows(database_of(filled))


def test_lines_of_env_are_quoted_where_they_must_be(filled: Program) -> None:
    for name in ('it\'s # "one".db', "a b.db", "$HOME.db"):
        ended = filled("migrate", "--source-type", "sqlite", "--target-path", name).done()
        (filled.folder / ".env").write_text("".join(f"{line}\n" for line in env_lines(ended)))
        shown = filled("config", "show", "--json").done().json()["settings"]
        assert {"name": "AURITE_DB_PATH", "value": name}.items() <= {
            key: value for entry in shown if entry["name"] == "AURITE_DB_PATH" for key, value in entry.items()
        }.items()
        (filled.folder / ".env").unlink()


def test_what_the_environment_sets_against_those_lines_is_named(filled: Program) -> None:
    program = filled.with_variables(AURITE_ENABLE_DB="1", AURITE_DB_PATH="./other.db", AURITE_DB_USER="ann")

    ended = program("migrate", "--source-path", ".aurite_db/aurite.db", "--target-path", "copy.db").done()
    assert "Change in the environment, which wins over .env: AURITE_DB_PATH." in ended.errors

    ended = program("migrate", "--source-path", "copy.db", "--target-path", "other.db").done()
    assert "Change in the environment" not in ended.errors


def test_on_a_terminal_a_table_has_a_heading_and_bars_show_rows_per_second(filled: Program) -> None:
    with filled.terminal("migrate", "--source-type", "sqlite", "--target-path", "copy.db") as terminal:
        terminal.sees("rows/s")
        terminal.sees("Rows read")
        terminal.sees("AURITE_DB_PATH=copy.db")
        assert terminal.ends()[0] == 0


# From where to where.


def test_between_two_files_and_between_two_databases_of_one_server(
    filled: Program, empty_postgres: PostgresTarget, postgres: PostgresTarget
) -> None:
    filled("migrate", "--source-type", "sqlite", "--target-type", "sqlite", "--target-path", "deep/er/copy.db").done()
    filled("migrate", "--source-path", "deep/er/copy.db", *flags("target", empty_postgres)).done()
    filled("migrate", *flags("source", empty_postgres), *flags("target", postgres)).done()

    assert rows(postgres) == rows(database_of(filled))


def test_flags_win_over_the_environment(filled: Program, empty_postgres: PostgresTarget) -> None:
    elsewhere = {"AURITE_DB_HOST": "nowhere.invalid", "AURITE_DB_PORT": "1", "AURITE_DB_USER": "nobody", "AURITE_DB_NAME": "none"}

    filled.with_variables(**elsewhere)("migrate", "--from-env", *flags("target", empty_postgres)[2:]).done()

    assert rows(empty_postgres) == rows(database_of(filled))


def test_a_uri_names_the_server_and_flags_differ_from_it(
    filled: Program, empty_postgres: PostgresTarget, postgres: PostgresTarget
) -> None:
    uri = f"postgresql://{empty_postgres.user}@{empty_postgres.host}:{empty_postgres.port}/{empty_postgres.dbname}"
    program = filled.with_variables(AURITE_DB_URL=uri)

    stays = program("migrate", "--from-env").done()
    program("migrate", "--source-type", "postgresql", "--target-type", "postgresql", "--target-name", postgres.dbname).done()

    assert rows(empty_postgres) == rows(postgres) == rows(database_of(filled))
    assert env_lines(stays) == ["AURITE_ENABLE_DB=true", "AURITE_DB_TYPE=postgresql"]
    assert "AURITE_DB_URL names the database and stays as it is." in stays.errors


def test_a_schema_of_its_own_may_be_named(filled: Program, postgres: PostgresTarget) -> None:
    ended = filled("migrate", "--source-type", "sqlite", *flags("target", postgres), "--target-schema", "Team A").done()
    assert "AURITE_DB_SCHEMA='Team A'" in env_lines(ended)

    filled("migrate", *flags("source", postgres), "--source-schema", "Team A", "--target-path", "copy.db").done()

    assert rows(filled.folder / "copy.db") == rows(database_of(filled))
    assert not any(rows(postgres).values())


# What is missing or contradicts itself.


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), ("--from-env", "--source-type", "--target-type")),
        (("--dry-run",), ("--source-type",)),
        (("--from-env",), ("--target-user", "AURITE_DB_USER")),
        (("--source-type", "sqlite"), ("--target-type",)),
        (("--target-path", "x.db"), ("--source-type",)),
        (("--source-type", "postgres", "--target-type", "postgres"), ("--source-user", "--target-user")),
        (("--source-type", "sqlite", "--target-type", "sqlite"), ("same database", "--target-path")),
        (("--source-type", "oracle"), ("oracle",)),
        (("--source-type", "sqlite", "--target-type", "sqlite", "--target-path", ""), ("--target-path", "empty")),
        (("--source-type", "sqlite", "--target-path", "\udcff.db"), ("--target-path", "UTF-8")),
        (("--from-env", "--target-type", "sqlite"), ("--from-env", "--target-type")),
        (("--from-env", "--target-path", "x.db"), ("--target-path", "PostgreSQL")),
        (("--source-type", "sqlite", "--source-host", "h", "--target-path", "x.db"), ("--source-host", "SQLite")),
        (("--source-type", "sqlite", "--target-path", "x.db", "--target-port", "70000"), ("70000",)),
        (("--source-type", "sqlite", "--target-path", "x.db", "--on-conflict", "replace"), ("--yes",)),
    ],
)
def test_without_a_terminal_what_is_missing_is_named_at_once(
    filled: Program, arguments: tuple[str, ...], words: tuple[str, ...]
) -> None:
    before = files_below(filled.folder)
    process = subprocess.Popen(
        [sys.executable, "-m", "aurite", "migrate", *arguments],
        cwd=filled.folder,
        env=dict(filled.variables),
        stdin=subprocess.PIPE,  # stays open: whoever reads it waits
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    with process.stdin, process.stdout, process.stderr:
        status = process.wait(timeout=20)
        told = process.stderr.read()
        output = process.stdout.read()

    Ended(status, output, told).refused(*words, status=2)
    assert output == ""
    assert files_below(filled.folder) == before


def test_a_missing_source_is_named_and_not_made(filled: Program) -> None:
    filled("migrate", "--source-path", "none.db", "--target-path", "copy.db").refused("none.db", "no database")

    assert not (filled.folder / "none.db").exists()
    assert not (filled.folder / "copy.db").exists()


def test_source_and_target_are_never_the_same(filled: Program, postgres: PostgresTarget) -> None:
    before = rows(database_of(filled))
    (filled.folder / "link.db").symlink_to(database_of(filled))
    os.link(database_of(filled), filled.folder / "hard.db")
    for path in ("link.db", "hard.db", "config/../.aurite_db/aurite.db", str(database_of(filled))):
        for extra in ((), ("--on-conflict", "replace", "--yes"), ("--dry-run",)):
            filled("migrate", "--source-type", "sqlite", "--target-path", path, *extra).refused("same database", status=2)
    for host in (postgres.host, "localhost"):
        side = flags("target", postgres)
        side[side.index("--target-host") + 1] = host
        filled("migrate", *flags("source", postgres), *side).refused("same database", status=2)

    assert rows(database_of(filled)) == before


# Looking first, and what is there already.


def test_a_dry_run_tells_what_would_be_moved_and_leaves_no_trace(filled: Program, empty_postgres: PostgresTarget) -> None:
    before = files_below(filled.folder)

    file = filled("migrate", "--source-type", "sqlite", "--target-path", "deep/copy.db", "--dry-run").done()
    server = filled("migrate", "--source-type", "sqlite", *flags("target", empty_postgres), "--dry-run", "--json").done()

    assert {line.split()[0]: line.split()[1:] for line in file.lines}["messages"] == ["4", "0"]
    assert "Would move" in file.errors
    assert "Moved" not in file.errors
    assert (server.json()["dry_run"], server.json()["verified"]) == (True, False)
    assert files_below(filled.folder) == before
    assert rows(empty_postgres) == {}


def test_a_dry_run_tells_that_the_target_is_not_empty(filled: Program) -> None:
    arguments = ("migrate", "--source-type", "sqlite", "--target-path", "copy.db")
    filled(*arguments).done()

    assert "the move would be refused without --on-conflict" in filled(*arguments, "--dry-run").done().errors
    assert "refused" not in filled(*arguments, "--dry-run", "--on-conflict", "replace").done().errors


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_a_target_that_holds_something_is_treated_as_said(filled: Program, empty_postgres: PostgresTarget, engine: str) -> None:
    target = ["--target-path", "copy.db"] if engine == "sqlite" else flags("target", empty_postgres)
    place: Path | PostgresTarget = filled.folder / "copy.db" if engine == "sqlite" else empty_postgres
    move = ("migrate", "--source-type", "sqlite", *target)
    filled(*move).done()
    first = rows(place)
    keep(filled.with_variables(AURITE_ENABLE_DB="true"), "one", "It hails")
    keep(filled.with_variables(AURITE_ENABLE_DB="true"), "three", "It clears")

    filled(*move).refused("is not empty", "--on-conflict skip")
    filled(*move, "--on-conflict", "replace").refused("--yes", status=2)
    assert rows(place) == first

    skipped = filled(*move, "--on-conflict", "skip").done()
    assert moved(skipped)["messages"] == ["8", "2", "2"]
    assert "left as they were in the target: 7 components and 2 sessions" in skipped.errors
    assert len(rows(place)["messages"]) == 6

    replaced = filled(*move, "--on-conflict", "replace", "--yes").done()
    assert "replaced: 7 components and 3 sessions" in replaced.errors
    assert rows(place)["messages"] == rows(database_of(filled))["messages"]


# What goes wrong.


def test_rows_that_cannot_be_moved_are_listed(filled: Program) -> None:
    connection = apsw.Connection(str(database_of(filled)))
    connection.execute("UPDATE store_meta SET writer = 'test'").fetchall()
    connection.executemany(
        "INSERT INTO session_tags (session_id, tag, created_at) VALUES ('agent-one', ?, 1)", ((f"t{n}\0",) for n in range(23))
    ).fetchall()
    connection.close()

    ended = filled("migrate", "--source-type", "sqlite", "--target-path", "copy.db")

    ended.refused("23 rows")
    listed = [line for line in ended.errors.splitlines() if line.startswith("Problem: session_tags ('agent-one', 't")]
    assert len(listed) == 20
    assert "... and 3 more." in ended.errors
    assert ended.output == ""
    assert not (filled.folder / "copy.db").exists()


def test_a_target_that_changes_rows_is_found_out_and_left_as_it_was(filled: Program, postgres: PostgresTarget) -> None:
    with psycopg.connect(**postgres.connect_arguments()) as connection:
        connection.execute(
            "CREATE FUNCTION loud() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN NEW.document := replace(NEW.document, 'You', 'YOU'); RETURN NEW; END $$"
        )
        connection.execute("CREATE TRIGGER loud BEFORE INSERT ON messages FOR EACH ROW EXECUTE FUNCTION loud()")

    ended = filled("migrate", "--source-type", "sqlite", *flags("target", postgres))

    ended.refused("messages ('agent-one', 2) is changed", "nothing was kept")
    assert ended.errors.count("Problem: messages (") == 2
    assert ended.output == ""
    assert "Moved" not in ended.errors
    assert not any(rows(postgres).values())


def test_a_password_of_any_characters_works_and_is_shown_nowhere(filled: Program, guarded: Cluster) -> None:
    program = filled.with_variables(**named(guarded.target("ann", user="ann")))

    wrong = program.with_variables(AURITE_DB_PASSWORD="not this one")("migrate", "--from-env")
    wrong.refused("authentication failed", "'ann'", "AURITE_DB_PASSWORD")
    program("migrate", "--from-env").refused("no password", "AURITE_DB_PASSWORD")
    right = program.with_variables(AURITE_DB_PASSWORD=PASSWORD)("migrate", "--from-env", "--json").done()

    assert "not this one" not in wrong.errors + wrong.output
    assert PASSWORD not in right.errors + right.output
    assert "AURITE_DB_PASSWORD=" in right.json()["env"]


def test_each_of_two_servers_has_its_own_password(filled: Program, guarded: Cluster) -> None:
    secret = filled.folder / "secret"
    secret.write_text("another one\n")
    with guarded.connect("bob") as connection:
        connection.execute("DROP OWNED BY bob")
    source, target = guarded.target("ann", user="ann"), guarded.target("bob", user="bob")
    as_ann = filled.with_variables(AURITE_SOURCE_DB_PASSWORD=PASSWORD, AURITE_TARGET_DB_PASSWORD=PASSWORD)
    as_ann("migrate", "--source-type", "sqlite", *flags("target", source), "--on-conflict", "skip").done()

    both = filled.with_variables(AURITE_SOURCE_DB_PASSWORD=PASSWORD, AURITE_TARGET_DB_PASSWORD_FILE="secret")
    ended = both("migrate", *flags("source", source), *flags("target", target)).done()

    assert "AURITE_DB_PASSWORD=" in env_lines(ended)
    assert "another one" not in ended.errors
    twice = both.with_variables(AURITE_TARGET_DB_PASSWORD="x")("migrate", *flags("source", source), *flags("target", target))
    twice.refused("AURITE_TARGET_DB_PASSWORD and AURITE_TARGET_DB_PASSWORD_FILE")


def test_nobody_sees_the_password_in_the_list_of_processes(filled: Program, guarded: Cluster) -> None:
    variables = {**named(guarded.target("ann", user="ann")), "AURITE_DB_PASSWORD": PASSWORD}
    process = filled.with_variables(**variables).start("migrate", "--from-env", "--on-conflict", "skip")
    seen: set[bytes] = set()
    while process.poll() is None:
        seen |= command_lines()
        time.sleep(0.005)
    process.communicate()

    assert process.returncode == 0
    assert any(b"migrate" in line for line in seen)
    assert not any(PASSWORD.encode() in line for line in seen)


def command_lines() -> set[bytes]:
    found = set()
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.add(file.read_bytes())
        except OSError:  # it ended meanwhile
            continue
    return found


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_stopped_in_the_middle_nothing_is_left_behind(
    filled: Program, postgres: PostgresTarget, number: signal.Signals, status: int
) -> None:
    filled("migrate", "--source-type", "sqlite", *flags("target", postgres)).done()
    with psycopg.connect(**postgres.connect_arguments()) as connection:
        connection.execute("LOCK TABLE messages")
        process = filled.start("migrate", *flags("source", postgres), "--target-path", "copies/copy.db")
        try:
            wait_for(lambda: any(filled.folder.glob("copies/*")) and is_blocked(postgres))
            process.send_signal(number)
            output, errors = process.communicate(timeout=30)
        finally:
            process.kill()

    assert process.returncode == status
    assert output == b""
    assert b"Moved" not in errors
    assert list((filled.folder / "copies").iterdir()) == []


def is_blocked(target: PostgresTarget) -> bool:
    with psycopg.connect(**target.connect_arguments()) as connection:
        return connection.execute("SELECT 1 FROM pg_locks WHERE NOT granted").fetchone() is not None


def wait_for(condition: Any) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
