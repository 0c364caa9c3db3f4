"""The service under load: two worker processes, clients that keep their connections, beside a bare FastAPI route."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.api.server import KEY, Service, environment
from tests.clusters import free_port

from aurite.model.records import Put, SessionFilter
from aurite.storage.components import SqlComponentStore
from aurite.storage.sessions import SqlSessionStore
from aurite.storage.sqlite.database import SqliteDatabase
from bench import material
from bench.measuring import Budget, Measured
from bench.scale import Scale

_CLIENTS = 4
_BARE = """\
import sys

import uvicorn
from fastapi import FastAPI

app = FastAPI()


@app.get("/bare")
async def bare() -> dict[str, str]:
    return {"name": "Agent 000001", "system_prompt": "x" * 500}


if __name__ == "__main__":
    uvicorn.run("bare:app", port=int(sys.argv[1]), workers=2, log_level="error")
"""


@dataclass(frozen=True, slots=True)
class _Request:
    kind: str
    method: str
    path: str
    often: int
    """How often in a row, on one connection."""
    body: bytes | None = None


_MIX = (
    _Request("component", "GET", "/config/components/agent/Agent%20000001", 10),
    _Request("history", "GET", "/execution/history?limit=50", 4),
    _Request("run", "POST", "/execution/agents/Runner/run", 1, b'{"user_message": "hello"}'),
)
"""Reads, listings and runs as the pages of a web front end ask for them."""


def load(scale: Scale, folder: Path) -> Iterator[Measured]:
    """Reads of components, listings of the history and offline runs, mixed; every answer looked at, every run looked up."""
    folder = folder / "project"  # the service's log lies beside it
    (folder / "config").mkdir(parents=True)
    (folder / ".aurite").write_text(material.PROJECT)
    material.store_of_components(folder / "aurite.db", scale.exported)
    _make_runnable(folder / "aurite.db")
    with _bare_service(folder) as bare_port:
        floors = _Times()
        _at_once(lambda: _ask(bare_port, _Request("bare", "GET", "/bare", scale.requests), floors))
    settings = environment(folder / "home", AURITE_ENABLE_DB="true", AURITE_DB_PATH="aurite.db")
    with Service(folder, settings, arguments=("--workers", "2")) as service:
        idle = max(_resident(pid) for pid in _workers(service))
        times = _Times()
        _at_once(lambda: _mixed(service.client.port, times, scale.requests))
        busy = max(_resident(pid) for pid in _workers(service))
    store = SqlSessionStore(SqliteDatabase(folder / "aurite.db"))
    kept = [session for session in store.iterate(SessionFilter(agent="Runner")) if len(store.messages(session.session_id)) == 2]
    store.close()
    if len(kept) != len(times.seconds["run"]):
        raise RuntimeError(f"{len(times.seconds['run'])} runs were answered, but {len(kept)} sessions are whole")
    for kind, what in (("component", "read a component"), ("history", "list the history"), ("run", "an offline run")):
        for share in (0.5, 0.99):
            name = f"service, 2 workers: {what}, p{share * 100:.0f}"
            yield Measured(name, floors.at("bare", share), times.at(kind, share), "seconds")
    name = f"service: memory of a worker, {scale.exported:,} components, idle"
    yield Measured(name, idle, idle, "bytes", Budget("value", most=150 * 1024 * 1024))
    yield Measured("service: memory of a worker after the load", idle, busy, "bytes")


@dataclass
class _Times:
    """Seconds of every request, by kind."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    guard: threading.Lock = field(default_factory=threading.Lock)

    def add(self, kind: str, seconds: float) -> None:
        with self.guard:
            self.seconds.setdefault(kind, []).append(seconds)

    def at(self, kind: str, share: float) -> float:
        ordered = sorted(self.seconds[kind])
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def _make_runnable(path: Path) -> None:
    store = SqlComponentStore(SqliteDatabase(path))
    llm = {"type": "llm", "name": "offline", "provider": "offline", "model": "offline"}
    agent = {"type": "agent", "name": "Runner", "llm_config_id": "offline"}
    changes = [Put(str(each["type"]), str(each["name"]), json.dumps(each)) for each in (llm, agent)]
    store.write(changes, author=material.AUTHOR)
    store.close()


def _mixed(port: int, times: _Times, rounds: int) -> None:
    for _ in range(max(1, rounds // sum(request.often for request in _MIX))):
        for request in _MIX:
            _ask(port, request, times)


def _ask(port: int, request: _Request, times: _Times) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    for _ in range(request.often):
        started = time.perf_counter()
        connection.request(request.method, request.path, request.body, {"X-API-Key": KEY, "Content-Type": "application/json"})
        response = connection.getresponse()
        content = response.read()
        times.add(request.kind, time.perf_counter() - started)
        if response.status != 200:
            raise RuntimeError(f"{request.method} {request.path} was answered with {response.status}: {content[:200]!r}")
    connection.close()


def _at_once(work: Callable[[], None]) -> None:
    failures: list[BaseException] = []

    def guarded() -> None:
        try:
            work()
        except (RuntimeError, OSError, http.client.HTTPException) as error:
            failures.append(error)

    clients = [threading.Thread(target=guarded) for _ in range(_CLIENTS)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    if failures:
        raise failures[0]


@contextmanager
def _bare_service(folder: Path) -> Iterator[int]:
    (folder / "bare.py").write_text(_BARE)
    port = free_port()
    process = subprocess.Popen([sys.executable, "bare.py", str(port)], cwd=folder)  # noqa: S603  our own program
    try:
        while True:
            try:
                http.client.HTTPConnection("127.0.0.1", port, timeout=5).request("GET", "/bare")
                break
            except OSError:
                time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait()


def _workers(service: Service) -> list[int]:
    """The processes that answer: the children of the one that was started."""
    if service.process is None:
        return []
    started = service.process.pid
    return [int(pid) for pid in Path(f"/proc/{started}/task/{started}/children").read_text().split()] or [started]


def _resident(pid: int) -> int:
    fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line)
    return int(fields["VmRSS"].split()[0]) * 1024
