"""The blocks of a page, run in one shell on a terminal, as somebody would who follows the page from top to bottom."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import shlex
import signal
import struct
import sys
import termios
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.docs.pages import Block

_MARK = "\x1e"
_ESCAPES = re.compile(r"\x1b(\[[0-9;?]*[A-Za-z]|[=>])")
_SPINNER = re.compile("[\u2800-\u28ff]")
_COLUMNS, _ROWS = 110, 50


@dataclass(frozen=True, slots=True)
class Ran:
    """What a block printed, and how it ended."""

    block: Block
    output: str
    ended: str
    """``passes``; ``fails`` where one of its commands did; empty where the shell did not get to its end."""


def run_blocks(
    blocks: Sequence[Block], folder: Path, variables: Mapping[str, str], *, within: float = 90, preamble: str = ""
) -> list[Ran]:
    """Run the ``bash`` and ``python`` blocks one after the other in an empty folder; later ones see what earlier ones did.

    Args:
        within: seconds that all of them may take.
        preamble: lines of bash that come first, such as a stand-in for ``sudo``.
    """
    work = folder / "work"
    work.mkdir()
    script = folder / "page.sh"
    script.write_text("\n".join([preamble, *_script(blocks, folder)]), encoding="utf-8")
    shown = _on_terminal(["bash", "--noprofile", "--norc", str(script)], work, _environment(folder, variables), within)
    parts = dict(re.findall(rf"{_MARK}begin (\d+)\n(.*?)(?={_MARK}|\Z)", shown, re.DOTALL))
    ends = dict(re.findall(rf"{_MARK}end (\d+) (\w+)\n", shown))
    return [Ran(block, parts.get(str(number), ""), ends.get(str(number), "")) for number, block in enumerate(blocks)]


def _script(blocks: Sequence[Block], folder: Path) -> list[str]:
    lines = ["set -o pipefail", "trap 'ended=fails' ERR"]
    for number, block in enumerate(blocks):
        file = folder / f"block-{number}"
        file.write_text(block.text, encoding="utf-8")
        command = "python" if block.language == "python" else "source"
        lines += [
            f"printf '\\036begin {number}\\n'",
            "ended=passes",
            f"{command} {shlex.quote(str(file))}",
            f"printf '\\036end {number} %s\\n' $ended",
        ]
        if "fails" not in block.words:
            lines.append("[ $ended = passes ] || exit 1")
    return lines


def _environment(folder: Path, variables: Mapping[str, str]) -> dict[str, str]:
    programs = folder / "programs"
    programs.mkdir()
    (folder / "home").mkdir()
    (programs / "sqlite3").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m apsw "$@"\n', encoding="utf-8")
    (programs / "sqlite3").chmod(0o755)
    path = [
        str(programs),
        str(Path(sys.executable).parent),
        *([variables["PATH"]] if "PATH" in variables else []),
        os.environ["PATH"],
    ]
    return {
        "PATH": ":".join(path),
        "HOME": str(folder / "home"),
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "TERM": "xterm",
        "USER": "sam",
        "PAGER": "cat",
        **{name: value for name, value in variables.items() if name != "PATH"},
    }


def _on_terminal(command: Sequence[str], folder: Path, variables: Mapping[str, str], within: float) -> str:
    pid, screen = pty.fork()
    if pid == 0:
        try:
            os.chdir(folder)
            os.execvpe(command[0], list(command), dict(variables))
        finally:
            os._exit(127)
    fcntl.ioctl(screen, termios.TIOCSWINSZ, struct.pack("HHHH", _ROWS, _COLUMNS, 0, 0))
    shown = b""
    deadline = time.monotonic() + within
    try:
        while data := _read(screen, deadline):
            shown += data
    finally:
        os.killpg(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(screen)
    return _ESCAPES.sub("", shown.decode("utf-8", "replace").replace("\r\n", "\n"))


def _read(screen: int, deadline: float) -> bytes:
    ready, _, _ = select.select([screen], [], [], max(0.0, deadline - time.monotonic()))
    if not ready:
        return b""
    try:
        return os.read(screen, 65536)
    except OSError:  # how Linux says that the other end was closed
        return b""


def fits(shown: str, printed: str) -> bool:
    """Whether what a page shows is what was printed.

    Runs of blanks, empty lines and progress do not count. ``...`` stands for any text within a line; on a line of its own, for any
    lines.
    """
    pattern = ""
    for line in _plain(shown):
        if line == "...":
            pattern += r"(?:[^\n]*\n)*?"
        else:
            pattern += r"[^\n]*".join(map(re.escape, line.split("..."))) + r"\n"
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in _plain(printed))) is not None


def _plain(text: str) -> list[str]:
    lines = (" ".join(line.split()) for line in text.splitlines())
    return [line for line in lines if line and not _SPINNER.search(line)]
