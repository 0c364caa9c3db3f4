"""Session files that Aurite 0.4 left are read, taken over at the first write, and deleted when asked for."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aurite.errors import InvalidValueError, SessionExistsError, StorageError
from aurite.model.history import history_document
from aurite.model.records import DeletedSessions, Message, NewMessage, NewRun, NewSession, RunEnd, Session, SessionFilter
from aurite.storage.session_files.store import FileSessionStore

HISTORY: list[dict[str, Any]] = [
    {"role": "system", "content": "You help."},
    {"role": "user", "content": "Weather in São Paulo? \U0001f302 \ud800"},
    {"content": None, "role": "assistant", "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "w"}}]},
    {"role": "tool", "tool_call_id": "c1", "name": "w", "content": '{"t": -0.0, "n": 12345678901234567890123}'},
    {"role": "assistant", "content": "Rain"},
]
DAY = 1_763_850_189_223_219
"""2025-11-22 22:23:09.223219 UTC."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / ".aurite_cache"
    folder.mkdir()
    return folder


@pytest.fixture
def store(folder: Path) -> FileSessionStore:
    return FileSessionStore(folder)


def agent_result(session_id: str, **fields: Any) -> dict[str, Any]:
    return {
        "status": "success",
        "final_response": HISTORY[-1],
        "conversation_history": HISTORY,
        "error_message": None,
        "session_id": session_id,
        "agent_name": "Weather Agent",
    } | fields


def keep(folder: Path, session_id: str, result: Any, **fields: Any) -> Path:
    """A file as 0.4 wrote it."""
    document = {
        "session_id": session_id,
        "base_session_id": session_id,
        "name": "Weather Agent",
        "result_type": "agent",
        "is_workflow": False,
        "message_count": 5,
        "execution_result": result,
        "agents_involved": None,
        "created_at": "2025-11-22T22:23:09.223219",
        "last_updated": "2025-11-22T22:23:10.223219",
    } | fields
    path = folder / f"{session_id}.json"
    path.write_text(json.dumps(document))
    return path


def keep_workflow(folder: Path) -> None:
    steps = [{"step_name": "Weather Agent", "step_type": "agent", "result": agent_result("workflow-w-0")}]
    result = {"workflow_name": "Daily", "status": "failed", "step_results": steps, "final_output": None, "error": "no plan"}
    keep(folder, "workflow-w", result, name="Daily", result_type="workflow", is_workflow=True)
    keep(folder, "workflow-w-0", agent_result("workflow-w-0"), base_session_id="workflow-w")


def everything(store: FileSessionStore, session_id: str) -> tuple[Session | None, list[Message], Any]:
    return store.get(session_id), store.messages(session_id), store.runs(session_id)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if not path.name.startswith(".")}


def test_an_agent_session_is_read_with_its_messages_and_run(store: FileSessionStore, folder: Path) -> None:
    path = keep(folder, "agent-x", agent_result("agent-x"))
    before = path.read_bytes()
    session = store.get("agent-x")
    assert session == Session("agent-x", "agent-x", None, "agent", "Weather Agent", "completed", None, 5, DAY, DAY + 1_000_000)
    assert store.find("x") == session
    assert list(store.iterate(SessionFilter(agent="Weather Agent"))) == [session]
    assert store.count(SessionFilter(workflow="Weather Agent")) == 0
    messages = store.messages("agent-x")
    assert [(found.seq, found.role) for found in messages] == list(
        enumerate(["system", "user", "assistant", "tool", "assistant"], 1)
    )
    assert [json.loads(found.document) for found in messages] == HISTORY
    assert [list(json.loads(found.document)) for found in messages] == [list(each) for each in HISTORY]
    assert store.messages("agent-x", after=1, limit=2) == messages[1:3]
    assert store.last_messages("agent-x", 2) == messages[3:]
    assert store.last_messages("agent-x", 0) == []
    (run,) = store.runs("agent-x")
    assert (run.status, run.started_at, run.ended_at, run.error) == ("completed", DAY, DAY + 1_000_000, None)
    assert session is not None
    told = history_document(session, messages, [run])
    assert told["execution_result"] == agent_result("agent-x")
    assert told["metadata"]["message_count"] == 5
    assert (names(folder), path.read_bytes()) == ({"agent-x.json"}, before)


def test_a_workflow_keeps_its_result_and_its_steps_are_its_children(store: FileSessionStore, folder: Path) -> None:
    keep_workflow(folder)
    workflow, step = store.get("workflow-w"), store.get("workflow-w-0")
    assert workflow is not None
    assert step is not None
    assert (workflow.kind, workflow.name, workflow.status, workflow.message_count) == ("workflow", "Daily", "failed", 0)
    assert (step.kind, step.base_session_id, step.parent_session_id) == ("agent", "workflow-w", "workflow-w")
    (run,) = store.runs("workflow-w")
    assert run.error == "no plan"
    told = history_document(workflow, [], [run])["execution_result"]
    assert told["step_results"][0]["result"]["conversation_history"] == HISTORY
    assert store.find("w") == workflow
    assert store.delete(["workflow-w"]) == DeletedSessions(("workflow-w", "workflow-w-0"), 5)
    assert names(folder) == set()


@pytest.mark.parametrize(
    ("status", "wanted"),
    [
        ("success", "completed"),
        ("error", "failed"),
        ("max_iterations_reached", "max_iterations_reached"),
        (None, "completed"),
    ],
)
def test_the_status_of_a_result_becomes_that_of_the_session(
    store: FileSessionStore, folder: Path, status: str | None, wanted: str
) -> None:
    keep(folder, "agent-x", agent_result("agent-x", status=status, error_message="boom"))
    session = store.get("agent-x")
    assert session is not None
    assert (session.status, store.runs("agent-x")[0].error) == (wanted, "boom")


@pytest.mark.parametrize(
    "document",
    [
        {"conversation_history": [{"role": "user", "content": "hi"}], "agent_name": "A"},
        {"execution_result": {"conversation_history": [{"role": "user", "content": "hi"}]}, "name": "A"},
        {"execution_result": '{"conversation_history": [{"role": "user", "content": "hi"}]}', "name": "A", "created_at": None},
    ],
)
def test_an_older_form_with_fewer_fields_is_read_too(store: FileSessionStore, folder: Path, document: dict[str, Any]) -> None:
    path = folder / "chat.json"
    path.write_text(json.dumps(document))
    os.utime(path, ns=(5_000, 7_000_000))
    assert store.get("chat") == Session("chat", "chat", None, "agent", "A", "completed", None, 1, 7000, 7000)
    assert json.loads(store.messages("chat")[0].document) == {"role": "user", "content": "hi"}


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        ("2025-11-22 22:23:09.223219", DAY),
        ("2025-11-22T22:23:09.223219Z", DAY),
        ("2025-11-23T00:23:09.223219+02:00", DAY),
        ("2025-11-22T22:23:09", DAY - 223_219),
    ],
)
def test_times_are_utc_unless_they_say_otherwise(store: FileSessionStore, folder: Path, written: str, wanted: int) -> None:
    keep(folder, "agent-x", agent_result("agent-x"), created_at=written)
    session = store.get("agent-x")
    assert session is not None
    assert session.created_at == wanted


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "not JSON"),
        ("[]", "not an object"),
        ('{"a": 1}', "no execution_result"),
        ('{"execution_result": 3}', "no execution_result"),
        ('{"conversation_history": {"role": "user"}}', "not a list"),
        ('{"conversation_history": ["hi"]}', "conversation_history[0]"),
        ('{"conversation_history": [], "created_at": "yesterday"}', "created_at"),
        ('{"conversation_history": [], "created_at": 3}', "created_at"),
        ('{"conversation_history": [], "name": 3}', "not text"),
        ('{"conversation_history": [], "session_id": "other"}', "'other'"),
        ("\x80", "UTF-8"),
    ],
)
def test_a_file_that_cannot_be_read_is_a_problem_and_hides_no_other(
    store: FileSessionStore, folder: Path, content: str, reason: str
) -> None:
    keep(folder, "agent-x", agent_result("agent-x"))
    bad = folder / "agent-bad.json"
    bad.write_bytes(content.encode("latin-1"))
    assert [session.session_id for session in store.iterate(SessionFilter())] == ["agent-x"]
    (problem,) = store.problems()
    assert problem.where == str(bad)
    assert reason in problem.reason
    refused_works: tuple[Callable[[], object], ...] = (
        lambda: store.get("agent-bad"),
        lambda: store.start_run(NewSession("agent-bad", "agent", "A"), NewRun("r")),
        lambda: store.set_title("agent-bad", "T"),
    )
    for work in refused_works:
        with pytest.raises(StorageError) as refused:
            work()
        assert str(bad) in str(refused.value)
    assert names(folder) == {"agent-x.json", "agent-bad.json"}


@pytest.mark.parametrize("write", ["append", "start", "title", "tag", "end"])
def test_the_first_write_takes_a_session_over_and_changes_nothing_else(store: FileSessionStore, folder: Path, write: str) -> None:
    content = keep(folder, "agent-x", agent_result("agent-x")).read_bytes()
    keep(folder, "agent-y", agent_result("agent-y"))
    session, messages, runs = everything(store, "agent-x")
    writes: dict[str, Callable[[], object]] = {
        "append": lambda: store.append("agent-x", [NewMessage("user", '{"role":"user"}')]),
        "start": lambda: store.start_run(NewSession("agent-x", "agent", "Weather Agent"), NewRun("r")),
        "title": lambda: store.set_title("agent-x", None),
        "tag": lambda: store.tag("agent-x"),
        "end": lambda: store.end_run("agent-x", runs[0].run_id, RunEnd("failed")),
    }
    writes[write]()
    assert names(folder) == {"agent-x.jsonl", "agent-x.json.taken-over", "agent-y.json"}
    assert (folder / "agent-x.json.taken-over").read_bytes() == content
    now = everything(FileSessionStore(folder), "agent-x")
    if write in {"title", "tag"}:
        assert now == (session, messages, runs)
    assert now[1][:5] == messages
    assert len(now[1]) == (6 if write == "append" else 5)
    if write == "start":
        assert [run.run_id for run in now[2]] == [runs[0].run_id, "r"]
    assert [found.session_id for found in store.iterate(SessionFilter())] == ["agent-x", "agent-y"]
    assert store.problems() == ()


def test_a_session_of_0_4_belongs_to_its_agent(store: FileSessionStore, folder: Path) -> None:
    keep(folder, "agent-x", agent_result("agent-x"))
    before = everything(store, "agent-x")
    with pytest.raises(SessionExistsError):
        store.start_run(NewSession("agent-x", "agent", "another"), NewRun("r"))
    assert everything(store, "agent-x") == before


def test_a_take_over_that_was_cut_off_is_finished_by_the_next_write(store: FileSessionStore, folder: Path) -> None:
    path = keep(folder, "agent-x", agent_result("agent-x"))
    content = path.read_bytes()
    assert store.append("agent-x", [NewMessage("user", "{}")]) == 6
    path.write_bytes(content)  # as if the process had been killed before it renamed the old file
    (folder / "agent-x.json.taken-over").unlink()
    assert [found.message_count for found in store.iterate(SessionFilter())] == [6]
    assert store.append("agent-x", [NewMessage("user", "{}")]) == 7
    assert names(folder) == {"agent-x.jsonl", "agent-x.json.taken-over"}


def test_deleting_takes_the_old_file_along(store: FileSessionStore, folder: Path) -> None:
    keep(folder, "agent-x", agent_result("agent-x"))
    keep(folder, "agent-y", agent_result("agent-y"))
    store.append("agent-x", [NewMessage("user", "{}")])
    assert store.delete(["agent-x", "agent-y"]).messages == 11
    assert names(folder) == set()
    with pytest.raises(InvalidValueError):
        store.start_run(NewSession("", "agent", "A"), NewRun("r"))
