"""What a child process last wrote to its standard error, for the message that says why it failed."""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import TextIO

_KEPT = 16 * 1024
"""Bytes that are kept; a server may write for days."""
_SHOWN_LINES = 5


class StderrTail:
    """A pipe to give to a child process, read by the running event loop; keeps the end of what came through."""

    def __init__(self) -> None:
        self._read_end, write_end = os.pipe()
        os.set_blocking(self._read_end, False)
        self.stream: TextIO = os.fdopen(write_end, "w")
        self._kept = bytearray()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._read_end, self._read)
        self._open = True

    def started(self) -> None:
        """The child has its own copy now; ours must go, or the end of the child would not be seen."""
        self.stream.close()

    def text(self) -> str:
        """The last lines, oldest first."""
        if self._open:
            self._read()
        lines = self._kept.decode("utf-8", "replace").strip().splitlines()
        return "\n".join(lines[-_SHOWN_LINES:])

    def close(self) -> None:
        """Give the pipe back; calling it twice is fine."""
        if self._open:
            self._open = False
            self._loop.remove_reader(self._read_end)
            os.close(self._read_end)
            self.stream.close()

    def _read(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while chunk := os.read(self._read_end, 65536):
                self._kept += chunk
                del self._kept[:-_KEPT]
            self._loop.remove_reader(self._read_end)  # the child has ended
