"""A provider that speaks OpenAI's chat completions over real HTTP; its answers are scripted, its requests are kept."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType
from typing import Any


@dataclass
class Answer:
    """What the model says next."""

    text: str = ""
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    """(tool as the model names it, arguments) of each tool call."""
    status: int = 200
    error: str = ""
    """The provider's message, with a status of 400 and up."""
    code: str | None = None
    """Its word for that."""
    headers: dict[str, str] = field(default_factory=dict)
    """Of an answer with such a status."""
    hangs_up: bool = False
    """Whether the connection ends without an answer."""
    seconds: float = 0.0
    """How long it takes to answer."""
    stops_after: int | None = None
    """Pieces of a streamed text after which nothing more comes."""
    breaks_off: bool = False
    """Whether the connection breaks there, instead of staying open."""


@dataclass
class Request:
    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    at: float = field(default_factory=time.monotonic)

    @property
    def roles(self) -> list[str]:
        return [message["role"] for message in self.body["messages"]]


class Provider:
    """The server; as a context manager it is up, at ``base``."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.thinks: Callable[[Request], Answer] | None = None
        """Instead of a script: what it says to a request."""
        self.requests: list[Request] = []
        self.connections: set[tuple[str, int]] = set()
        """Where requests came from: one address and port for each connection."""
        self.closing = threading.Event()
        provider = self

        class Handler(_Handler):
            owner = provider

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.base = f"http://127.0.0.1:{self._server.server_port}/v1"

    def __enter__(self) -> Provider:
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def says(self, *answers: Answer | str) -> None:
        """Script what comes next."""
        self.answers += [Answer(answer) if isinstance(answer, str) else answer for answer in answers]

    def next_answer(self, request: Request) -> Answer:
        if self.answers:
            return self.answers.pop(0)
        return self.thinks(request) if self.thinks else Answer(status=500, error="the script has no further answer")


class _Handler(BaseHTTPRequestHandler):
    owner: Provider
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        request = Request(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
        self.owner.requests.append(request)
        self.owner.connections.add(self.client_address)
        answer = self.owner.next_answer(request)
        self.owner.closing.wait(answer.seconds)
        try:
            if answer.hangs_up:
                self.close_connection = True
            elif answer.status != 200:
                self._json(
                    answer.status, {"error": {"message": answer.error, "type": "error", "code": answer.code}}, answer.headers
                )
            elif body.get("stream"):
                self._stream(answer, body["model"])
            else:
                self._json(200, _completion(answer, body["model"]))
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""

    def _json(self, status: int, document: dict[str, Any], headers: Mapping[str, str] = MappingProxyType({})) -> None:
        raw = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(raw)

    def _stream(self, answer: Answer, model: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for position, delta in enumerate(_deltas(answer)):
            if position == answer.stops_after:
                if not answer.breaks_off:
                    self.owner.closing.wait()
                self.close_connection = True
                return
            self._event(json.dumps(_chunk(model, delta)))
        reason = "tool_calls" if answer.calls else "stop"
        self._event(json.dumps(_chunk(model, {}, reason)))
        self._event("[DONE]")
        self.wfile.write(b"0\r\n\r\n")

    def _event(self, text: str) -> None:
        raw = f"data: {text}\n\n".encode()
        self.wfile.write(f"{len(raw):x}\r\n".encode() + raw + b"\r\n")
        self.wfile.flush()


def _deltas(answer: Answer) -> Iterator[dict[str, Any]]:
    for word in answer.text.split(" ") if answer.text else []:
        yield {"role": "assistant", "content": word + " "}
    for position, call in enumerate(_tool_calls(answer)):
        arguments = call["function"]["arguments"]
        half = len(arguments) // 2
        yield {"tool_calls": [{"index": position, **call, "function": {**call["function"], "arguments": arguments[:half]}}]}
        yield {"tool_calls": [{"index": position, "function": {"arguments": arguments[half:]}}]}


def _chunk(model: str, delta: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": int(time.time()),
        "model": model,
        "choices": [{"index": 0, "delta": delta, "finish_reason": reason}],
    }


def _completion(answer: Answer, model: str) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": answer.text or None}
    if answer.calls:
        message["tool_calls"] = _tool_calls(answer)
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": model,
        "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls" if answer.calls else "stop"}],
        "usage": {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18},
    }


def _tool_calls(answer: Answer) -> list[dict[str, Any]]:
    return [
        {
            "id": f"call_{time.monotonic_ns()}_{number}",
            "type": "function",
            "function": {"name": name, "arguments": json.dumps(arguments)},
        }
        for number, (name, arguments) in enumerate(answer.calls)
    ]
