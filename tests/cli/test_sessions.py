"""``aurite sessions``: kept conversations are found, read, tagged and deleted; the same on files and SQLite."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import IO, Any
from uuid import uuid4

import pytest

from aurite.app import Aurite
from aurite.model.jsontext import encode
from aurite.model.records import NewMessage, NewRun, NewSession, RunEnd
from aurite.settings import Settings
from tests.cli.program import Program


def keep(program: Program, session: str, message: str) -> None:
    """A run as it is kept, without the seconds that a real one takes."""
    settings = Settings.from_env(program.folder)
    enabled = program.variables.get("AURITE_ENABLE_DB") == "true"
    app = Aurite(program.folder, settings=replace(settings, enable_db=enabled))
    run_id = uuid4().hex
    session_id = app.sessions.start_run(NewSession(f"agent-{session}", "agent", "Packing Agent"), NewRun(run_id)).session_id
    for document in ({"role": "user", "content": message}, {"role": "assistant", "content": f"You said: {message}"}):
        app.sessions.append(session_id, [NewMessage(document["role"], encode(document), run_id=run_id)])
    app.sessions.end_run(session_id, run_id, RunEnd("completed"))
    app.close()


def read_until(stream: IO[bytes], text: bytes) -> bytes:
    """What a process printed, up to the line with the text; pytest's time limit ends it where the text does not come."""
    lines = []
    for line in stream:
        lines.append(line)
        if text in line:
            break
    return b"".join(lines)


@pytest.fixture(params=["files", "sqlite"])
def store(request: pytest.FixtureRequest, project: Program) -> Program:
    """A project with sessions ``agent-one`` (two runs) and ``agent-two``."""
    program = project.with_variables(AURITE_ENABLE_DB="true") if request.param == "sqlite" else project
    for session, message in (("one", "It rains"), ("two", "It snows"), ("one", "It hails")):
        keep(program, session, message)
    return program


def listed(program: Program, *arguments: str) -> list[str]:
    document = program("sessions", "list", "--json", *arguments).done().json()
    return [session["session_id"] for session in document["sessions"]]


def test_sessions_are_listed_newest_first_and_by_every_filter(store: Program) -> None:
    assert listed(store) == ["agent-two", "agent-one"]
    assert listed(store, "--sort", "active") == ["agent-one", "agent-two"]
    assert listed(store, "--agent", "Packing Agent", "--status", "completed", "--since", "1h") == ["agent-two", "agent-one"]
    assert listed(store, "--base", "agent-one") == ["agent-one"]
    for nothing in (("--agent", "Other"), ("--workflow", "W"), ("--tag", "t"), ("--until", "1h"), ("--since", "2999-01-01")):
        assert listed(store, *nothing) == []
    ended = store("sessions", "list").done()
    assert [line.split()[0] for line in ended.lines] == ["agent-two", "agent-one"]
    assert ended.errors == ""


def test_pages_follow_each_other_by_their_cursor(store: Program) -> None:
    first = store("sessions", "list", "--limit", "1", "--json").done().json()
    assert f"There are more: --after {first['next']}" in store("sessions", "list", "--limit", "1").done().errors
    second = store("sessions", "list", "--limit", "1", "--after", first["next"], "--json").done().json()

    assert [page["sessions"][0]["session_id"] for page in (first, second)] == ["agent-two", "agent-one"]
    assert second["next"] is None
    store("sessions", "list", "--after", first["next"], "--sort", "active").refused("--sort created", status=2)


def test_a_conversation_is_printed_readable_and_as_json(store: Program) -> None:
    shown = store("sessions", "show", "one").done().output
    document = store("sessions", "show", "agent-one", "--json").done().json()

    assert shown.index("It rains") < shown.index("It hails")
    assert "It snows" not in shown
    assert [message["seq"] for message in document["messages"]] == list(range(1, document["session"]["message_count"] + 1))
    assert len(document["runs"]) == 2
    store("sessions", "show", "three").refused("three")


def test_tail_prints_the_newest_and_follows(store: Program) -> None:
    last = [json.loads(line) for line in store("sessions", "tail", "one", "-n", "2", "--json").done().lines]
    assert [message["role"] for message in last] == ["user", "assistant"]

    process = store.start("sessions", "tail", "one", "-n", "1", "--follow")
    assert process.stdout is not None
    seen = read_until(process.stdout, b"You said: It hails")
    keep(store, "one", "It thunders")
    seen += read_until(process.stdout, b"You said: It thunders")
    process.terminate()
    process.communicate(timeout=30)

    assert b"It rains" not in seen
    assert seen.count(b"You said") == 2


def test_tags_and_titles_come_and_go(store: Program) -> None:
    store("sessions", "tag", "one", "+good", "+to keep", "--add", "x").done()
    assert listed(store, "--tag", "to keep") == ["agent-one"]

    tagged = store("sessions", "tag", "one", "-x", "-home", "+[red]", "--json").done().json()
    assert tagged["tags"] == ["[red]", "good", "to keep"]
    store("sessions", "title", "one", "Rain").done()
    assert "Rain +[red] +good +to keep" in store("sessions", "list").done().output
    store("sessions", "title", "one", "").done()
    assert "Rain" not in store("sessions", "list").done().output
    store("sessions", "tag", "one", "+").refused(status=2)
    store("sessions", "tag", "one", "--add", "a\tb").refused("tag")
    assert "-h, --help" in store("sessions", "tag", "-h").done().output


def test_delete_says_how_much_and_needs_a_yes(store: Program) -> None:
    dry: dict[str, Any] = store("sessions", "delete", "one", "two", "--dry-run", "--json").done().json()
    assert dry["session_ids"] == ["agent-one", "agent-two"]
    store("sessions", "delete", "one").refused("--yes", status=2)
    store("sessions", "delete", "one", "three", "--yes").refused("three")
    assert listed(store) == ["agent-two", "agent-one"]

    ended = store("sessions", "delete", "one", "--yes").done()

    assert "Deleted 1 session with" in ended.errors
    assert "messages" in ended.errors
    assert listed(store) == ["agent-two"]


def test_delete_asks_on_a_terminal(store: Program) -> None:
    with store.terminal("sessions", "delete", "one") as person:
        person.sees("Delete 1 session with")
        person.types("n\n")
        status, _ = person.ends()

    assert status == 1
    assert listed(store) == ["agent-two", "agent-one"]


def test_what_a_message_holds_cannot_steer_the_terminal(store: Program) -> None:
    keep(store, "evil", "\x1b]0;owned\x07 \u202e")

    for arguments in (("show", "evil"), ("tail", "evil"), ("show", "evil", "--json")):
        shown = store("sessions", *arguments).done().output
        assert "\x1b" not in shown
        assert "\u202e" not in shown
        assert "owned" in shown
