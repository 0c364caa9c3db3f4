"""Which rows there are, by the name that ``--only`` takes. The rows of another database are another module, and a line here."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from types import MappingProxyType

from bench import exporting, index, lists, logs, moves, postgres, service, starting, writers
from bench.measuring import Measured
from bench.scale import Scale

Bench = Callable[[Scale, Path], Iterable[Measured]]
"""Rows, measured in an empty folder of their own."""

CATALOGUE: MappingProxyType[str, Bench] = MappingProxyType(
    {
        "load": index.load,
        "get_config": index.get_config,
        "append": logs.append,
        "threads": writers.threads,
        "processes": writers.processes,
        "read": logs.read,
        "list": lists.list_newest,
        "new_sessions": logs.start,
        "export": exporting.export,
        "start": starting.start,
        "disk": logs.disk,
        "migrate": moves.migrate,
        "postgres_load": postgres.load,
        "postgres_coherence": postgres.coherence,
        "postgres_sessions": postgres.sessions,
        "postgres_threads": postgres.threads,
        "postgres_start": postgres.start,
        "postgres_disk": postgres.disk,
        "service": service.load,
    }
)
