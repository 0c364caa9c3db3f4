"""``aurite migrate`` at a terminal: what it asks, what it shows before it begins, and that Ctrl-C leaves everything as it was."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from aurite.storage.postgres.target import PostgresTarget
from tests.cli.program import Program, Terminal
from tests.cli.test_migrate import PASSWORD, database_of, example, files_below, filled, guarded, named, rows
from tests.cli.test_sessions import keep
from tests.clusters import Cluster

__all__ = ["example", "filled", "guarded"]  # fixtures

TO_SERVER = (
    "Move from SQLite",
    "Path of the source",
    "Move to",
    "Host of",
    "Port of",
    "Name of",
    "User of",
    "Password of",
    "Go ahead?",
)


@pytest.fixture
def production(filled: Program, guarded: Cluster) -> Iterator[PostgresTarget]:
    """A database of its own that only ann may use, with her password."""
    name = guarded.create_database()
    with guarded.connect() as connection:
        connection.execute(f"ALTER DATABASE {name} OWNER TO ann".encode())
    yield guarded.target(name, user="ann")
    guarded.drop_database(name)


@contextmanager
def wizard(program: Program, *arguments: str) -> Iterator[Terminal]:
    with program.terminal("migrate", *arguments) as terminal:
        yield terminal


def answer(terminal: Terminal, questions: Sequence[str], answers: Sequence[str]) -> None:
    for question, text in zip(questions, answers, strict=False):
        terminal.sees(question)
        terminal.sees(": ")
        terminal.types(f"{text}\r")


def all_answers(target: PostgresTarget, password: str = PASSWORD) -> list[str]:
    return ["", "", "postgres", target.host, str(target.port), target.dbname, "ann", password, "y"]


def administrator(guarded: Cluster, target: PostgresTarget) -> PostgresTarget:
    """The same database as its server's administrator sees it."""
    return guarded.target(target.dbname, host=str(guarded.folder))


def test_the_wizard_asks_for_everything_shows_what_it_will_do_and_does_it(
    filled: Program, guarded: Cluster, production: PostgresTarget
) -> None:
    with wizard(filled) as terminal:
        answer(terminal, TO_SERVER[:-1], all_answers(production)[:-1])
        terminal.sees(f"From {database_of(filled)}: 7 components, 2 sessions, 4 messages, 7 revisions.")
        terminal.sees(f"To {production.dbname} on ")
        terminal.sees(": empty.")
        terminal.sees("Go ahead? [Y/n]: ")
        assert rows(administrator(guarded, production)) == {}
        terminal.types("y\r")
        terminal.sees("Rows read")
        status, shown = terminal.ends()

    assert status == 0
    assert "every row was read again and is the same" in shown
    assert "AURITE_DB_TYPE=postgresql" in shown
    assert rows(administrator(guarded, production)) == rows(database_of(filled))


def test_the_password_is_not_echoed(filled: Program, production: PostgresTarget) -> None:
    everything = ""
    with wizard(filled) as terminal:
        answer(terminal, TO_SERVER[:7], all_answers(production)[:7])
        terminal.sees("Password of ann for the target [none]: ")
        terminal.types(f"{PASSWORD}\r")
        terminal.sees("From ")
        everything += terminal.shown
        terminal.sees("Go ahead?")
        terminal.types("\r")
        status, shown = terminal.ends()

    assert status == 0
    assert PASSWORD not in everything + shown
    assert PASSWORD[:6] not in everything + shown


@pytest.mark.parametrize("at", range(len(TO_SERVER)), ids=TO_SERVER)
def test_ctrl_c_at_any_question_writes_nothing(filled: Program, guarded: Cluster, production: PostgresTarget, at: int) -> None:
    before, files = rows(database_of(filled)), files_below(filled.folder)
    with wizard(filled) as terminal:
        answer(terminal, TO_SERVER[:at], all_answers(production)[:at])
        terminal.sees(TO_SERVER[at])
        terminal.sees(": ")
        terminal.presses_ctrl_c()
        status, shown = terminal.ends()

    assert status == 130
    assert "Moved" not in shown
    assert rows(administrator(guarded, production)) == {}
    assert rows(database_of(filled)) == before
    assert files_below(filled.folder) == files


@pytest.mark.parametrize("at", range(4))
def test_ctrl_c_writes_no_file_either(filled: Program, production: PostgresTarget, at: int) -> None:
    questions, answers = ("Move from", "Path of the source", "Move to", "Path of the target", "Go ahead?"), ["", "", "sqlite"]
    files = files_below(filled.folder)
    with wizard(filled) as terminal:
        answer(terminal, questions[: min(at, 3)], answers)
        if at == 3:
            terminal.sees("Path of the target's file: ")  # the file of the settings is the source
            terminal.types("deep/copy.db\r")
            terminal.sees("Go ahead?")
        else:
            terminal.sees("]: ")
        terminal.presses_ctrl_c()
        assert terminal.ends()[0] == 130

    assert files_below(filled.folder) == files


def test_the_defaults_come_from_the_environment(filled: Program, guarded: Cluster, production: PostgresTarget) -> None:
    program = filled.with_variables(**named(production), AURITE_DB_PASSWORD=PASSWORD)

    with wizard(program) as terminal:
        for question in (
            "(sqlite, postgresql) [sqlite]: ",
            "[.aurite_db/aurite.db]: ",
            "(sqlite, postgresql) [postgresql]: ",
            f"[{production.host}]: ",
            f"[{production.port}]: ",
            f"[{production.dbname}]: ",
            "[ann]: ",
            "[the one that is set]: ",
            "Go ahead? [Y/n]: ",
        ):
            terminal.sees(question)
            terminal.types("\r")
        assert terminal.ends()[0] == 0

    assert rows(administrator(guarded, production)) == rows(database_of(filled))


def test_an_answer_that_cannot_be_used_is_asked_for_again(filled: Program, production: PostgresTarget) -> None:
    with wizard(filled) as terminal:
        for question, wrong, told, right in (
            ("Move from", "oracle", "Error: 'oracle' is none of sqlite, postgresql", "SQLite"),
            ("Path of the source", "none.db", "Error: there is no database at none.db", ""),
            ("Move to", "x", "Error: 'x' is none of", "postgres"),
            ("Host of", "", "Port of", "99999"),
            ("Error: '99999' is not a whole number from 1 to 65535", str(production.port), "Name of", production.dbname),
        ):
            terminal.sees(question)
            terminal.types(f"{wrong}\r")
            terminal.sees(told)
            terminal.types(f"{right}\r")
        terminal.sees("User of the target's database: ")  # nothing says who
        terminal.presses_ctrl_c()
        assert terminal.ends()[0] == 130
    assert not (filled.folder / "none.db").exists()


def test_no_means_no(filled: Program) -> None:
    files = files_below(filled.folder)
    with wizard(filled) as terminal:
        answer(terminal, ("Move from", "Path of", "Move to"), ("", "", "sqlite"))
        terminal.sees("Path of the target")
        terminal.types("copy.db\r")
        terminal.sees("Go ahead?")
        terminal.types("n\r")
        status, shown = terminal.ends()

    assert status == 1
    assert "nothing was changed, as you said" in shown
    assert files_below(filled.folder) == files


@pytest.mark.parametrize(("said", "status", "messages"), [("stop", 1, 4), ("skip", 0, 6), ("replace", 0, 8)])
def test_the_wizard_asks_what_to_do_with_a_target_that_is_not_empty(filled: Program, said: str, status: int, messages: int) -> None:
    filled("migrate", "--source-type", "sqlite", "--target-path", "copy.db").done()
    for session in ("one", "three"):
        keep(filled.with_variables(AURITE_ENABLE_DB="true"), session, "It hails")
    with wizard(filled) as terminal:
        answer(terminal, ("Move from", "Path of", "Move to"), ("", "", "sqlite"))
        terminal.sees("Path of the target")
        terminal.types("copy.db\r")
        terminal.sees("To ")
        terminal.sees("7 components, 2 sessions, 4 messages")
        terminal.sees("(skip, replace, stop) [stop]: ")
        terminal.types(f"{said}\r")
        if said != "stop":
            terminal.sees("[y/N]: " if said == "replace" else "[Y/n]: ")
            terminal.types("y\r")
        assert terminal.ends()[0] == status

    assert len(rows(filled.folder / "copy.db")["messages"]) == messages


def test_replacing_asks_unless_yes_or_the_target_is_empty(filled: Program) -> None:
    move = ("--source-type", "sqlite", "--target-path", "copy.db", "--on-conflict", "replace")
    with wizard(filled, *move) as terminal:
        assert terminal.ends()[0] == 0
    before = rows(filled.folder / "copy.db")
    keep(filled.with_variables(AURITE_ENABLE_DB="true"), "one", "It hails")
    with wizard(filled, *move) as terminal:
        terminal.sees("Replace what is in both? [y/N]: ")
        terminal.types("\r")
        assert terminal.ends()[0] == 1
    assert rows(filled.folder / "copy.db") == before
    with wizard(filled, *move, "--yes") as terminal:
        assert terminal.ends()[0] == 0
    assert rows(filled.folder / "copy.db")["messages"] == rows(database_of(filled))["messages"]


def test_from_env_asks_only_for_what_is_missing(filled: Program, guarded: Cluster, production: PostgresTarget) -> None:
    variables = {name: value for name, value in named(production).items() if name != "AURITE_DB_USER"}
    with wizard(filled.with_variables(**variables), "--from-env") as terminal:
        terminal.sees("User of the target's database: ")
        before = terminal.shown
        terminal.types("ann\r")
        terminal.sees("Password of ann for the target [none]: ")
        terminal.types(f"{PASSWORD}\r")
        status, shown = terminal.ends()

    assert status == 0, shown
    assert "Go ahead?" not in before + shown
    assert rows(administrator(guarded, production)) == rows(database_of(filled))


def test_a_type_that_no_flag_says_is_asked_for(filled: Program) -> None:
    with wizard(filled, "--source-type", "sqlite", "--target-path", "copy.db", "--dry-run") as terminal:
        assert terminal.ends()[0] == 0
    with wizard(filled, "--target-path", "copy.db") as terminal:
        terminal.sees("Move from SQLite or PostgreSQL? (sqlite, postgresql) [sqlite]: ")
        terminal.types("\r")
        assert terminal.ends()[0] == 0

    assert rows(filled.folder / "copy.db") == rows(database_of(filled))


def test_a_wrong_password_ends_it_before_anything_is_written(filled: Program, guarded: Cluster, production: PostgresTarget) -> None:
    with wizard(filled) as terminal:
        answer(terminal, TO_SERVER[:8], all_answers(production, "wrong one")[:8])
        status, shown = terminal.ends()

    assert status == 1
    assert shown.count("Error: ") == 1
    assert "authentication failed for user 'ann'" in shown
    assert "wrong one" not in shown
    assert rows(administrator(guarded, production)) == {}


def test_a_dry_run_of_the_wizard_asks_and_only_tells(filled: Program) -> None:
    files = files_below(filled.folder)
    with wizard(filled, "--dry-run") as terminal:
        answer(terminal, ("Move from", "Path of", "Move to"), ("", "", "sqlite"))
        terminal.sees("Path of the target")
        terminal.types("copy.db\r")
        status, shown = terminal.ends()

    assert status == 0
    assert "Would move" in shown
    assert files_below(filled.folder) == files


def test_a_home_is_understood_in_an_answer(filled: Program) -> None:
    with wizard(filled, "--yes") as terminal:
        answer(terminal, ("Move from", "Path of", "Move to"), ("", "", "sqlite"))
        terminal.sees("Path of the target")
        terminal.types("~/copy.db\r")
        assert terminal.ends()[0] == 0

    assert (Path(filled.variables["HOME"]) / "copy.db").is_file()
