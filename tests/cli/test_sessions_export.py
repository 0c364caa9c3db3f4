"""``aurite sessions export``: whole conversations, exactly as they are kept, for programs and for people."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from aurite.app import Aurite
from aurite.model.jsontext import encode
from aurite.model.records import NewMessage, NewRun, NewSession, RunEnd
from tests.cli.program import Program
from tests.cli.test_json_output import keys_of, promised

ODD = '{"role":"user","content":"caf\\u00e9 \\ud800 \\u2028 \\u001b[31m","n":1.10e2,"big":1234567890123456789012345,"zero":-0.0}'
SPREAD = '{\n  "role": "assistant",\r\n  "content": "so\\nwhat"\n}'
TICKS = "```"


def store_of(program: Program) -> Aurite:
    """The store that the program works with."""
    enabled = program.variables.get("AURITE_ENABLE_DB", "false")
    (program.folder / ".env").write_text(f"AURITE_ENABLE_DB={enabled}\n")
    return Aurite(program.folder)


def keep(program: Program, new: NewSession, *documents: str, error: str | None = None) -> None:
    """A session with these messages, as it is kept."""
    app = store_of(program)
    run_id = uuid4().hex
    messages = [NewMessage(json.loads(text)["role"], text, run_id=run_id) for text in documents]
    app.sessions.start_run(new, NewRun(run_id), messages)
    app.sessions.end_run(new.session_id, run_id, RunEnd("failed" if error else "completed", error=error))
    app.close()


def said(role: str, content: str, **more: Any) -> str:
    return encode({"role": role, "content": content, **more})


@pytest.fixture(params=["files", "sqlite"])
def store(request: pytest.FixtureRequest, project: Program) -> Program:
    """A project with the session ``agent-odd``, and a workflow ``workflow-trip`` with a step."""
    program = project.with_variables(AURITE_ENABLE_DB="true") if request.param == "sqlite" else project
    keep(program, NewSession("agent-odd", "agent", "Packing Agent"), ODD, SPREAD)
    keep(program, NewSession("workflow-trip", "workflow", "Trip"), said("user", "Go"))
    step = NewSession("workflow-trip-0", "agent", "Packing Agent", "workflow-trip", "workflow-trip")
    keep(program, step, said("user", "Pack"), said("assistant", "Packed"))
    return program


def lines_of(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_every_line_is_an_object_and_documents_are_what_is_kept(store: Program) -> None:
    ended = store("sessions", "export", "odd").done()

    head, *messages, run = lines_of(ended.output)
    assert (head["type"], head["session_id"], head["name"], head["message_count"]) == ("session", "agent-odd", "Packing Agent", 2)
    assert [(line["type"], line["session_id"], line["seq"], line["role"]) for line in messages] == [
        ("message", "agent-odd", 1, "user"),
        ("message", "agent-odd", 2, "assistant"),
    ]
    assert [line["document"] for line in messages] == [json.loads(ODD), json.loads(SPREAD)]
    assert '"n":1.10e2,"big":1234567890123456789012345,"zero":-0.0' in ended.output
    assert (run["type"], run["status"], run["run_id"]) == ("run", "completed", messages[0]["run_id"])
    assert ended.errors == ""
    assert not re.search("[\x1b\u2028\ud800]", ended.output)


def test_the_keys_are_those_that_are_promised(store: Program) -> None:
    head, message, *_, run = lines_of(store("sessions", "export", "odd").done().output)

    assert set(head) == {"type"} | promised()["sessions tag"]
    assert set(message) == {"type", "session_id", "document"} | (keys_of("A message") - {"message"})
    assert set(run) == {"type", "session_id"} | keys_of("A run")


def test_sessions_come_as_they_were_named_each_once(store: Program) -> None:
    def exported(*arguments: str) -> list[str]:
        lines = lines_of(store("sessions", "export", *arguments).done().output)
        return [line["session_id"] for line in lines if line["type"] == "session"]

    assert exported("trip", "odd", "agent-odd") == ["workflow-trip", "agent-odd"]
    assert exported("trip", "odd", "--steps") == ["workflow-trip", "workflow-trip-0", "agent-odd"]
    assert exported("odd", "--steps") == ["agent-odd"]
    assert exported("workflow-trip-0") == ["workflow-trip-0"]


def test_output_that_cannot_hold_a_character_holds_its_escape(store: Program) -> None:
    ended = store.with_variables(PYTHONIOENCODING="ascii")("sessions", "export", "odd").done()

    assert lines_of(ended.output)[1]["document"] == json.loads(ODD)


def test_a_file_holds_the_same_and_is_for_its_owner_alone(store: Program) -> None:
    shown = store("sessions", "export", "odd", "trip").done().output
    assert store("sessions", "export", "odd", "trip", "-o", "-").done().output == shown
    ended = store("sessions", "export", "odd", "trip", "-o", "new/kept.jsonl").done()

    file = store.folder / "new" / "kept.jsonl"
    assert file.read_text(encoding="utf-8") == shown
    assert file.stat().st_mode & 0o777 == 0o600
    assert ended.output == ""
    assert "Wrote 2 sessions with 3 messages to new/kept.jsonl." in ended.errors
    assert [path.name for path in file.parent.iterdir()] == ["kept.jsonl"]


def test_a_file_that_is_there_is_replaced_only_where_that_is_asked_for(project: Program) -> None:
    keep(project, NewSession("agent-one", "agent", "A"), said("user", "One"))
    file = project.folder / "kept.jsonl"
    file.write_text("mine")
    export = ("sessions", "export", "one", "-o", "kept.jsonl")

    project(*export).refused("kept.jsonl", "is there already", "--overwrite")
    project(*export, "--overwrite").refused("--yes", status=2)
    project("sessions", "export", "one", "two", "-o", "kept.jsonl", "--overwrite", "--yes").refused("two")
    assert file.read_text() == "mine"
    with project.terminal(*export, "--overwrite") as person:
        person.sees("Replace kept.jsonl?")
        person.types("n\n")
        assert person.ends()[0] == 1
    assert file.read_text() == "mine"

    project(*export, "--overwrite", "--yes").done()
    assert len(lines_of(file.read_text())) == 3
    project("sessions", "export", "one", "-o", "config").refused("is a folder")
    project("sessions", "export", "one", "-o", "/dev/null", "--overwrite", "--yes").refused("no file")
    project("sessions", "export", "one", "--overwrite").refused("--output", status=2)


def test_nothing_is_written_where_it_cannot_be_written_whole(project: Program) -> None:
    keep(project, NewSession("agent-one", "agent", "A"), said("user", "One"))
    (project.folder / "closed").mkdir(mode=0o500)

    project.without_power()("sessions", "export", "one", "-o", "closed/kept.jsonl").refused("closed", "permission")
    project("sessions", "export", "one", "two", "-o", "kept.jsonl").refused("two")
    assert not (project.folder / "kept.jsonl").exists()
    assert project("sessions", "export").status == 2


def test_a_session_that_is_deleted_meanwhile_is_no_short_export(project: Program, tmp_path: Path) -> None:
    from aurite.cli.session_export import as_json_lines
    from aurite.errors import SessionNotFoundError

    keep(project, NewSession("agent-one", "agent", "A"), said("user", "One"))
    app = store_of(project)
    found = app.sessions.find("one")
    lines = as_json_lines(app.sessions, found)
    next(lines)
    app.sessions.delete(["agent-one"])

    with pytest.raises(SessionNotFoundError, match="while it was read"):
        list(lines)
    app.close()


def test_what_is_said_meanwhile_is_left_to_a_later_export(project: Program) -> None:
    from aurite.cli.session_export import as_json_lines

    keep(project, NewSession("agent-one", "agent", "A"), said("user", "One"))
    app = store_of(project)
    lines = as_json_lines(app.sessions, app.sessions.find("one"))
    app.sessions.append("agent-one", [NewMessage("user", said("user", "Two"))])

    assert [line["seq"] for line in map(json.loads, lines) if line["type"] == "message"] == [1]
    app.close()


def test_markdown_is_a_conversation_with_its_tool_calls(store: Program) -> None:
    call = {"id": "1", "type": "function", "function": {"name": "books-find", "arguments": '{"title":"Dune"}'}}
    keep(
        store,
        NewSession("agent-books", "agent", "Librarian", title="A `visit`"),
        said("system", "Be brief."),
        said("user", "Where is\r\n*Dune*?"),
        encode({"role": "assistant", "content": None, "tool_calls": [call]}),
        said("tool", "shelf 7", tool_call_id="1", name="books-find"),
        said("assistant", "On **shelf 7**.", interrupted=True),
        error="the provider went away",
    )

    text = store("sessions", "export", "books", "--format", "markdown").done().output

    timeless = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", "TIME", re.sub("[0-9a-f]{32}", "RUN", text))
    assert (
        timeless
        == f"""# Session `agent-books`

* agent `Librarian`, failed, 5 messages
* made TIME, last active TIME
* title: `` A `visit` ``

## 1. system, TIME

> Be brief.

## 2. user, TIME

> Where is
> *Dune*?

## 3. assistant, TIME

Calls `books-find` with:

{TICKS}json
{{"title":"Dune"}}
{TICKS}

## 4. tool `books-find`, TIME

{TICKS}text
shelf 7
{TICKS}

## 5. assistant, TIME

> On **shelf 7**.

(interrupted)

Run `RUN` failed:

{TICKS}text
the provider went away
{TICKS}

"""
    )


def test_nothing_that_was_said_passes_for_anything_else_in_markdown(project: Program) -> None:
    forged = f"ok\n\n## 9. user\n\n{TICKS}\nopen\n\x1b[31m\u202e"
    keep(
        project,
        NewSession("agent-evil", "agent", "# `<b>"),
        said("user", forged),
        said("assistant", f"<script>alert(1)</script>\n{TICKS}`\n## 10. user"),
        said("tool", f"{TICKS}\n## 11. user", name="x` <b>"),
    )

    text = project("sessions", "export", "evil", "--format", "markdown").done().output

    # What a reader of Markdown takes for outside of quotations and fences.
    outside = re.sub(r"^(`{3,})\w*\n.*?^\1$", "", text, flags=re.MULTILINE | re.DOTALL)
    outside = re.sub(r"^>.*$", "", outside, flags=re.MULTILINE)
    outside = re.sub(r"(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)", "", outside)
    assert re.findall(r"^## \d+", outside, re.MULTILINE) == ["## 1", "## 2", "## 3"]
    assert "<" not in outside
    assert not re.search("^>.*<", text, re.MULTILINE)  # a quotation may hold HTML
    assert not re.search("[\x1b\u202e]", text)
