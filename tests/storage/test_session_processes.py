"""Many processes use one session folder, and some of them die."""

from __future__ import annotations

import os
import random
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from aurite.errors import SessionNotFoundError
from aurite.model.jsontext import decode
from aurite.model.records import NewRun, NewSession, SessionFilter
from aurite.storage.session_files.store import FileSessionStore
from tests.storage.session_worker import ended, go, killed, line, message, started


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / ".aurite_cache"


@pytest.fixture
def store(folder: Path) -> FileSessionStore:
    store = FileSessionStore(folder)
    store.start_run(NewSession("agent-x", "agent", "weather"), NewRun("r1"))
    return store


def contents(store: FileSessionStore, session_id: str = "agent-x") -> list[list[object]]:
    return [decode(found.document)["content"] for found in store.messages(session_id)]


def test_eight_processes_append_to_one_session_and_lose_nothing(store: FileSessionStore, folder: Path) -> None:
    processes = [started("append", folder, "agent-x", writer, 25) for writer in range(8)]
    for process in processes:
        assert line(process) == "ready"
    for process in processes:
        go(process)
    last = [ended(process) for process in processes]
    found = store.messages("agent-x")
    assert [each.seq for each in found] == list(range(1, 401))
    for writer, seqs in enumerate(last):
        for number, seq in enumerate(seqs):
            assert contents(store)[seq - 2 : seq] == [[str(writer), number, part] for part in range(2)]
            if number == 0:
                continue
            assert seq > seqs[number - 1]


def test_eight_processes_start_one_session_at_once_and_it_is_made_once(folder: Path) -> None:
    processes = [started("start", folder, "agent-x", f"r{number}") for number in range(8)]
    for process in processes:
        assert line(process) == "ready"
    for process in processes:
        go(process)
    made = {instant for process in processes for instant in ended(process)}
    store = FileSessionStore(folder)
    session = store.get("agent-x")
    assert session is not None
    assert made == {session.created_at}
    assert {run.run_id for run in store.runs("agent-x")} == {f"r{number}" for number in range(8)}


def test_a_kill_in_mid_append_leaves_all_that_was_reported_and_no_half_write(store: FileSessionStore, folder: Path) -> None:
    chance = random.Random(4)
    reported = 0
    for _ in range(10):
        process = started("churn", folder, "agent-x", 300_000)
        assert line(process) == "ready"
        time.sleep(chance.uniform(0.0, 0.08))
        reported = max([reported, *killed(process)])
        session = store.get("agent-x")
        assert session is not None
        assert session.message_count >= reported
        assert session.message_count % 2 == 0
        reported = store.append("agent-x", [message(["between", part]) for part in range(2)])
    assert [found.seq for found in store.messages("agent-x")] == list(range(1, reported + 1))
    assert store.problems() == ()


def test_a_writer_sees_that_its_session_was_deleted(store: FileSessionStore, folder: Path) -> None:
    process = started("churn", folder, "agent-x", 10)
    assert line(process) == "ready"
    while line(process) < 20:
        pass
    store.delete(["agent-x"])
    _, errors = process.communicate(timeout=20)
    assert "SessionNotFoundError" in errors.splitlines()[-1]
    assert process.returncode == 1
    assert store.get("agent-x") is None
    assert sorted(path.name for path in folder.iterdir()) == [".lock"]


def test_a_writer_that_waited_for_the_lock_does_not_write_to_a_file_deleted_meanwhile(
    store: FileSessionStore, folder: Path
) -> None:
    with store._changed("agent-x"):
        process = started("append", folder, "agent-x", "w", 1)
        assert line(process) == "ready"
        go(process)
        time.sleep(0.3)
        FileSessionStore(folder).delete(["agent-x"])
    _, errors = process.communicate(timeout=20)
    assert "SessionNotFoundError" in errors.splitlines()[-1]


@pytest.fixture
def many(store: FileSessionStore) -> list[str]:
    ids = [f"agent-{number}" for number in range(200)]
    for session_id in ids:
        store.start_run(NewSession(session_id, "agent", "weather"), NewRun("r"))
    return ids


def test_a_kill_while_sessions_are_deleted_leaves_all_of_them_or_none(
    store: FileSessionStore, folder: Path, many: list[str]
) -> None:
    chance = random.Random(5)
    for _ in range(8):
        process = started("delete", folder, *many)
        assert line(process) == "ready"
        go(process)
        time.sleep(chance.uniform(0.0, 0.01))
        reported = killed(process)
        left = store.count(SessionFilter()) - 1
        assert left in ({0} if reported else {0, len(many)})
        for session_id in many:
            store.start_run(NewSession(session_id, "agent", "weather"), NewRun("r"))
        assert store.count(SessionFilter()) - 1 == len(many)


def test_what_a_killed_deletion_left_is_gone_for_everyone(store: FileSessionStore, folder: Path, many: list[str]) -> None:
    assert store.count(SessionFilter()) == len(many) + 1
    process = started("die-deleting", folder, *many)
    process.communicate(timeout=20)
    assert process.returncode == -signal.SIGKILL
    assert (folder / "agent-7.jsonl").exists()
    assert [session.session_id for session in store.iterate(SessionFilter())] == ["agent-x"]
    assert store.get("agent-7") is None
    assert store.messages("agent-7") == []
    with pytest.raises(SessionNotFoundError):
        store.append("agent-7", [message("late")])
    with pytest.raises(SessionNotFoundError):
        store.delete(["agent-7"])
    made = store.start_run(NewSession("agent-7", "workflow", "another"), NewRun("r"))
    assert store.get("agent-7") == made
    assert {path.name for path in folder.iterdir()} == {".lock", "agent-x.jsonl", "agent-7.jsonl"}


def test_the_lock_of_a_killed_process_is_free_though_a_child_of_it_lives(store: FileSessionStore, folder: Path) -> None:
    process = started("fork-while-locked", folder, "agent-x")
    child = line(process)
    process.wait(timeout=20)
    before = time.monotonic()
    try:
        assert store.append("agent-x", [message("after")]) == 1
        assert time.monotonic() - before < 10
    finally:
        os.kill(child, signal.SIGKILL)
        process.communicate(timeout=20)


def test_a_write_that_breaks_off_leaves_the_file_as_it_was(store: FileSessionStore, folder: Path) -> None:
    store.append("agent-x", [message("kept")])
    path = folder / "agent-x.jsonl"
    before = path.read_bytes()
    ((error, text),) = ended(started("append-with-little-room", folder, "agent-x", 100_000))
    assert error == "StoreFullError"
    assert str(path) in text
    assert path.read_bytes() == before
    assert store.append("agent-x", [message("next")]) == 2


@pytest.fixture
def shared() -> Iterator[Path]:
    """A folder below which another user may read."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_a_place_that_cannot_be_written_is_read_all_the_same_and_each_write_is_refused(shared: Path) -> None:
    folder = shared / ".aurite_cache"
    store = FileSessionStore(folder)
    store.start_run(NewSession("agent-x", "agent", "weather"), NewRun("r1"), [message("hello")])
    path = folder / "agent-x.jsonl"
    path.chmod(0o444)
    folder.chmod(0o555)
    before = path.read_bytes()
    try:
        read, *refused = ended(started("write-as-nobody", folder, "agent-x"))
    finally:
        folder.chmod(0o755)
    assert read == 1
    assert [error for error, _ in refused] == ["StoreReadOnlyError"] * 3
    assert all(str(folder) in text for _, text in refused)
    assert path.read_bytes() == before
