"""What happened in this process, counted, and written as Prometheus reads it (text format 0.0.4)."""

from __future__ import annotations

import os
import threading
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Upper bounds of the latency histogram, seconds."""

Labels = Mapping[str, str]


class Metrics:
    """Counters of one process; touched by its event loop alone, save where it says otherwise."""

    def __init__(self) -> None:
        self._requests: Counter[tuple[str, str, int]] = Counter()
        self._latency: dict[tuple[str, str], list[int]] = {}
        self._seconds: defaultdict[tuple[str, str], float] = defaultdict(float)
        self._runs: Counter[tuple[str, str]] = Counter()
        self._tokens: Counter[str] = Counter()
        self._guard = threading.Lock()
        self.in_progress = 0

    def request_ended(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request; ``route`` is the path as it is declared, so that there are only so many."""
        key = (method, route)
        self._requests[(method, route, status)] += 1
        self._latency.setdefault(key, [0] * (len(BUCKETS) + 1))[bisect_left(BUCKETS, seconds)] += 1
        self._seconds[key] += seconds

    def run_ended(self, kind: str, outcome: str) -> None:
        """Count a run of an agent or workflow."""
        self._runs[(kind, outcome)] += 1

    def tokens_used(self, sent: int, received: int) -> None:
        """Count tokens of a run, as the provider told them; from any thread."""
        with self._guard:
            self._tokens["input"] += sent
            self._tokens["output"] += received

    def lines(self, gauges: Iterable[tuple[str, str, Labels, float | int | None]]) -> Iterator[str]:
        """All lines; every series names its process, because each worker counts for itself.

        Args:
            gauges: name, help, labels and value of each; those without a value are left out. Equal names stand behind each other.
        """
        yield from _head("aurite_http_requests_total", "counter", "Requests by route and status.")
        for (method, route, status), count in sorted(self._requests.items()):
            yield _line("aurite_http_requests_total", {"method": method, "route": route, "status": str(status)}, count)
        yield from self._histogram()
        yield from _head("aurite_runs_total", "counter", "Runs that ended, by kind and outcome.")
        for (kind, outcome), count in sorted(self._runs.items()):
            yield _line("aurite_runs_total", {"kind": kind, "outcome": outcome}, count)
        yield from _head("aurite_tokens_total", "counter", "Tokens sent to models and received from them.")
        for direction in ("input", "output"):
            yield _line("aurite_tokens_total", {"direction": direction}, self._tokens[direction])
        before = None
        for name, meaning, labels, value in gauges:
            if value is None:
                continue
            if name != before:
                yield from _head(name, "gauge", meaning)
                before = name
            yield _line(name, labels, value)

    def _histogram(self) -> Iterator[str]:
        name = "aurite_http_request_seconds"
        yield from _head(name, "histogram", "How long requests took.")
        for (method, route), counts in sorted(self._latency.items()):
            labels = {"method": method, "route": route}
            total = 0
            for bound, count in zip((*BUCKETS, None), counts, strict=True):
                total += count
                yield _line(f"{name}_bucket", {**labels, "le": "+Inf" if bound is None else f"{bound:g}"}, total)
            yield _line(f"{name}_sum", labels, round(self._seconds[(method, route)], 6))
            yield _line(f"{name}_count", labels, total)


def _head(name: str, kind: str, meaning: str) -> Iterator[str]:
    yield f"# HELP {name} {meaning}"
    yield f"# TYPE {name} {kind}"


def _line(name: str, labels: Labels, value: float) -> str:
    shown = ",".join(f'{label}="{_escaped(text)}"' for label, text in {**labels, "process": str(os.getpid())}.items())
    return f"{name}{{{shown}}} {value}"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
