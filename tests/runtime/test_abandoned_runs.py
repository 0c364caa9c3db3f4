"""A run whose process is gone is interrupted at the next look; one that may still go on is left alone."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time

import pytest

from aurite.model.records import NewRun, NewSession, Run, SessionFilter
from aurite.runtime import owner
from aurite.runtime.owner import LONGEST_ELSEWHERE, is_abandoned, this_process
from tests.runtime.conftest import Project

HOST = socket.gethostname()


def run_of(owner: str | None, *, ago: int = 0) -> Run:
    """A run in progress that started some microseconds ago."""
    started = time.time_ns() // 1000 - ago
    return Run("r", "agent-x", "running", started, None, None, None, None, owner)


def other_process() -> tuple[subprocess.Popen[str], str]:
    """A process that lives until its input ends, and how it names itself as an owner."""
    program = "import sys; from aurite.runtime.owner import this_process; print(this_process(), flush=True); sys.stdin.read()"
    process = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def test_a_run_of_this_process_goes_on() -> None:
    assert not is_abandoned(run_of(this_process()))
    assert not is_abandoned(run_of(this_process(), ago=2 * LONGEST_ELSEWHERE))


def test_a_run_of_another_process_is_abandoned_when_that_has_ended_or_was_killed() -> None:
    process, name = other_process()
    assert name.startswith(f"{HOST}:{process.pid}:")
    assert not is_abandoned(run_of(name))
    process.kill()
    while not is_abandoned(run_of(name)):  # dead, and not yet waited for by its parent
        time.sleep(0.01)
    process.communicate()
    assert is_abandoned(run_of(name))


def test_a_process_id_that_was_given_again_does_not_hide_a_crash() -> None:
    host, pid, start = this_process().rsplit(":", 2)
    ticks, _, boot = start.partition("@")
    assert is_abandoned(run_of(f"{host}:{pid}:{int(ticks) - 1}@{boot}"))


def test_a_run_from_before_the_machine_was_started_again_is_abandoned() -> None:
    host, pid, start = this_process().rsplit(":", 2)
    ticks, _, boot = start.partition("@")
    assert is_abandoned(run_of(f"{host}:{pid}:{ticks}@000000000000.{boot.partition('.')[2]}"))


@pytest.mark.parametrize(
    "foreign",
    ["elsewhere:1:5@abc.1", "{host}:{pid}:{ticks}@{boot}.1", None, "", "nonsense", "a:b:c", f"{HOST}:x:1", "{host}:{pid}"],
)
def test_what_nobody_here_can_look_at_is_abandoned_after_a_day(foreign: str | None) -> None:
    host, pid, start = this_process().rsplit(":", 2)
    ticks, _, rest = start.partition("@")
    name = foreign and foreign.format(host=host, pid=pid, ticks=ticks, boot=rest.partition(".")[0])
    assert not is_abandoned(run_of(name))
    assert is_abandoned(run_of(name, ago=LONGEST_ELSEWHERE + 1_000_000))


def test_without_proc_a_process_is_known_by_its_id(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owner, "_boot", lambda: ("", ""))
    assert this_process().startswith(f"{HOST}:{os.getpid()}:")
    assert not is_abandoned(run_of(this_process()))
    process, _ = other_process()
    process.communicate()
    assert is_abandoned(run_of(f"{HOST}:{process.pid}:1"))


def started_by_a_dead_process(project: Project) -> None:
    process, name = other_process()
    process.communicate()
    project.aurite.sessions.start_run(NewSession("agent-x", "agent", "A"), NewRun("r", owner=name))


@pytest.mark.parametrize("look", ["get", "find", "runs", "list", "count", "iterate"])
def test_any_look_at_sessions_shows_it(project: Project, look: str) -> None:
    started_by_a_dead_process(project)
    sessions = project.open().sessions
    match look:
        case "get":
            session = sessions.get("agent-x")
            assert session is not None
            assert session.status == "interrupted"
        case "find":
            assert sessions.find("x").status == "interrupted"
        case "runs":
            assert [run.status for run in sessions.runs("agent-x")] == ["interrupted"]
        case "list":
            assert [session.status for session in sessions.list(SessionFilter(), limit=9).sessions] == ["interrupted"]
        case "count":
            assert sessions.count(SessionFilter(status="interrupted")) == 1
        case "iterate":
            assert [session.status for session in sessions.iterate(SessionFilter())] == ["interrupted"]


def test_a_new_run_is_a_look_too(project: Project) -> None:
    started_by_a_dead_process(project)
    project.has("agent", "B", llm_config_id="offline")
    project.run("B", "hi", session_id="y")
    (run,) = project.aurite.sessions.runs("agent-x")
    assert (run.status, run.error) == ("interrupted", "the process that carried it out ended before it did")
