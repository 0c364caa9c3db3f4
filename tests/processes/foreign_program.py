"""Another program with SQLite files open: Python's own sqlite3, nothing of Aurite.

It reads requests, one JSON object per line, and answers each with one line: ``{"rows": [...]}`` or ``{"error": "..."}``. A process
of its own, because two SQLite libraries in one process drop each other's locks (https://www.sqlite.org/howtocorrupt.html 2.2.1).
"""

from __future__ import annotations

import json
import sqlite3
import sys
from typing import Any


def answer(connections: dict[str, sqlite3.Connection], request: dict[str, Any]) -> dict[str, Any]:
    path = request["path"]
    try:
        if "close" in request:
            connections.pop(path).close()
            return {"rows": []}
        if path not in connections:
            connections[path] = sqlite3.connect(path, isolation_level=None, timeout=5)
        cursor = connections[path].execute(request["sql"], request["values"])
        return {"rows": cursor.fetchall(), "changed": cursor.rowcount}
    except sqlite3.Error as error:
        return {"error": f"{type(error).__name__}: {error}"}


def main() -> None:
    connections: dict[str, sqlite3.Connection] = {}
    for line in sys.stdin:
        sys.stdout.write(json.dumps(answer(connections, json.loads(line))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
