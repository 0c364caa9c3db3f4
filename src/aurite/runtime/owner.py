"""Which process a run belongs to, so that a crash can be told from work in progress."""

from __future__ import annotations

import os
import socket
import time
from functools import cache
from pathlib import Path


@cache
def _started() -> str:
    # A process id is given again one day; together with its start time it never is. Source: proc(5), field 22 of stat, which
    # counts behind the command's name, because that may hold blanks and brackets. Without /proc, the time of the first run.
    try:
        return Path("/proc/self/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return str(int(time.time()))


def this_process() -> str:
    """``host:pid:starttime`` of this process."""
    return f"{socket.gethostname()}:{os.getpid()}:{_started()}"
