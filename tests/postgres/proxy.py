"""Something between client and server that forwards bytes, and cuts the line at a chosen moment."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from types import TracebackType


class Proxy:
    """A port of 127.0.0.1 that leads to a server.

    Once ``cut_after`` is set, the line is cut when bytes that hold it have gone to the server, before anything comes back: the
    server has what was asked of it, and its answer is lost. With ``swallow`` they do not even reach the server.
    """

    def __init__(self, port: int) -> None:
        self._server = port
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self.cut_after: bytes | None = None
        self.swallow = False
        self.cuts = 0
        self._lines: list[tuple[socket.socket, socket.socket]] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Proxy:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for line in self._lines:
            _hang_up(*line)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._socket.accept()
                server = socket.create_connection(("127.0.0.1", self._server))
            except OSError:
                return
            self._lines.append((client, server))
            answered = threading.Event()
            answered.set()
            threading.Thread(target=self._upwards, args=(client, server, answered), daemon=True).start()
            threading.Thread(target=self._downwards, args=(client, server, answered), daemon=True).start()

    def _upwards(self, client: socket.socket, server: socket.socket, may_answer: threading.Event) -> None:
        with suppress(OSError):  # one side has hung up
            self._forward_upwards(client, server, may_answer)
        _hang_up(client, server)

    def _forward_upwards(self, client: socket.socket, server: socket.socket, may_answer: threading.Event) -> None:
        while data := _received(client):
            if self.cut_after is not None and self.cut_after in data:
                may_answer.clear()
                self.cuts += 1
                self.cut_after = None
                if not self.swallow:
                    server.sendall(data)
                    server.settimeout(10)
                    _received(server)  # the answer: now it is certain that the server has done it
                return
            server.sendall(data)

    def _downwards(self, client: socket.socket, server: socket.socket, may_answer: threading.Event) -> None:
        while data := _peeked(server):
            if not may_answer.is_set():
                return
            try:
                server.recv(len(data))
                client.sendall(data)
            except OSError:
                return


def _received(end: socket.socket) -> bytes:
    try:
        return end.recv(65536)
    except OSError:
        return b""


def _peeked(end: socket.socket) -> bytes:
    try:
        return end.recv(65536, socket.MSG_PEEK)
    except OSError:
        return b""


def _hang_up(*ends: socket.socket) -> None:
    for end in ends:
        with suppress(OSError):  # the other side was quicker
            end.shutdown(socket.SHUT_RDWR)
        end.close()
