"""The service in a process of its own, and a client that speaks to it over a real connection."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

KEY = "correct-horse-battery-staple"
_SERVING = re.compile(r"serving .* on http://127\.0\.0\.1:(\d+)")


@dataclass(frozen=True)
class Answer:
    """What the service answered."""

    status: int
    headers: Mapping[str, str]
    """By lower-case name."""
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    def done(self) -> Any:
        """The value, once it is clear that all was done."""
        assert 200 <= self.status < 300, f"{self.status}: {self.body.decode()}"
        return self.json() if self.body else None

    def refused(self, status: int, code: str) -> Any:
        """The refusal, which has the status and the code."""
        assert self.status == status, f"{self.status}: {self.body.decode()}"
        body = self.json()
        assert body["code"] == code, body
        assert body["status"] == status
        assert body["detail"]
        return body


@dataclass
class Client:
    """Speaks to one service; every request on a connection of its own."""

    port: int
    key: str | None = KEY
    timeout: float = 60

    def __call__(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: Mapping[str, str] | None = None,
        raw: bytes | None = None,
    ) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=self.timeout)
        try:
            self.send(connection, method, path, body, headers=headers, raw=raw)
            response = connection.getresponse()
            return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, response.read())
        finally:
            connection.close()

    def send(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: Mapping[str, str] | None = None,
        raw: bytes | None = None,
    ) -> None:
        sent = {} if self.key is None else {"X-API-Key": self.key}
        data = raw
        if body is not None:
            data = json.dumps(body).encode()
        if data is not None:
            sent["Content-Type"] = "application/json"
        connection.request(method, path, data, {**sent, **(headers or {})})

    def get(self, path: str, **options: Any) -> Answer:
        return self("GET", path, **options)

    def post(self, path: str, body: Any = None, **options: Any) -> Answer:
        return self("POST", path, {} if body is None and "raw" not in options else body, **options)

    def put(self, path: str, body: Any = None, **options: Any) -> Answer:
        return self("PUT", path, body, **options)

    def delete(self, path: str, **options: Any) -> Answer:
        return self("DELETE", path, **options)

    def stream(self, path: str, body: Any) -> Stream:
        """A stream of events that has begun."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=self.timeout)
        self.send(connection, "POST", path, body)
        return Stream(connection, connection.getresponse())


@dataclass
class Stream:
    """Server-sent events as they come; leaving the block hangs up."""

    connection: http.client.HTTPConnection
    response: http.client.HTTPResponse

    def events(self) -> Iterator[dict[str, Any]]:
        for line in self.response:
            if line.startswith(b"data: "):
                yield json.loads(line[6:])
            else:
                assert line in (b"\n", b"") or line.startswith(b":"), line

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.response.close()
        self.connection.close()


@dataclass
class Service:
    """``aurite api`` in a folder."""

    folder: Path
    variables: Mapping[str, str]
    arguments: tuple[str, ...] = ()
    process: subprocess.Popen[bytes] | None = None
    client: Client = field(default_factory=lambda: Client(0))

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.client.port}"

    @property
    def log(self) -> str:
        """What it wrote to standard error."""
        return (self.folder.parent / f"{self.folder.name}.log").read_text(encoding="utf-8") if self._log.exists() else ""

    @property
    def _log(self) -> Path:
        return self.folder.parent / f"{self.folder.name}.log"

    def start(self, *, ready: bool = True) -> Self:
        before = len(self.log)
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "aurite", "api", "--host", "127.0.0.1", "--port", "0", *self.arguments],
                cwd=self.folder,
                env=dict(self.variables),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + 60
        while (found := _SERVING.search(self.log[before:])) is None:
            assert self.process.poll() is None, self.log
            assert time.monotonic() < deadline, self.log
            time.sleep(0.02)
        self.client = Client(int(found[1]), self.variables.get("API_KEY"))
        if ready:
            self.wait_for("/health/ready", 200)
        return self

    def wait_for(self, path: str, status: int, seconds: float = 60) -> Answer:
        """The answer, once it has that status."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                answer = self.client.get(path)
                if answer.status == status:
                    return answer
                said = f"{answer.status} {answer.body!r}"
            except OSError as error:
                said = str(error)
            assert time.monotonic() < deadline, f"{path}: {said}\n{self.log}"
            time.sleep(0.05)

    def terminate(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)

    def ended(self, seconds: float = 60) -> int:
        """The status with which it ended."""
        assert self.process is not None
        return self.process.wait(seconds)

    def stop(self) -> None:
        """End it, whatever it does."""
        if self.process is not None and self.process.poll() is None:
            self.terminate()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()


def environment(home: Path, **variables: str) -> dict[str, str]:
    """The variables of a service, none of them the tester's."""
    return {"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8", "TZ": "UTC", "API_KEY": KEY, **variables}


def name_in_path(name: str) -> str:
    """A name as one segment of a path."""
    return quote(name, safe="")
