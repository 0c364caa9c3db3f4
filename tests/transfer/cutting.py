"""A line to a server that is cut after a chosen number of bytes."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from types import TracebackType


class CutLine:
    """A port of 127.0.0.1 that leads to a server, until so many bytes have gone up to it, or down from it."""

    def __init__(self, port: int, *, up: int | None = None, down: int | None = None) -> None:
        self._server_port = port
        self._left = {"up": up, "down": down}
        self.passed = {"up": 0, "down": 0}
        self._ends: list[socket.socket] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> CutLine:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._hang_up()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._socket.accept()
                server = socket.create_connection(("127.0.0.1", self._server_port))
            except OSError:
                return
            self._ends += [client, server]
            threading.Thread(target=self._forward, args=(client, server, "up"), daemon=True).start()
            threading.Thread(target=self._forward, args=(server, client, "down"), daemon=True).start()

    def _forward(self, one: socket.socket, other: socket.socket, way: str) -> None:
        with suppress(OSError):
            while data := one.recv(65536):
                left = self._left[way]
                if left is not None and self.passed[way] + len(data) >= left:
                    other.sendall(data[: left - self.passed[way]])
                    self._hang_up()  # all lines: to its client the server is gone
                    return
                self.passed[way] += len(data)
                other.sendall(data)
        with suppress(OSError):
            other.shutdown(socket.SHUT_WR)

    def _hang_up(self) -> None:
        for end in (self._socket, *self._ends):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
