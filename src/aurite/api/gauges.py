"""What is read at the moment of a scrape: of the process, the store and its tables."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from aurite.api import machine
from aurite.errors import AuriteError
from aurite.stores import connections_in_use

if TYPE_CHECKING:
    from aurite.api.service import Service

Gauge = tuple[str, str, Mapping[str, str], float | int | None]

COUNTED_FOR = 60.0
"""Seconds for which the count of rows is taken as it was: counting reads whole tables."""


async def gauges(service: Service) -> list[Gauge]:
    """Name, help, labels and value of each."""
    found: list[Gauge] = [
        ("aurite_http_requests_in_progress", "Requests under way.", {}, service.metrics.in_progress),
        ("aurite_runs_in_progress", "Runs under way.", {}, service.runs_under_way),
        ("aurite_store_calls", "Calls of the store that wait or are carried out.", {}, service.waiting),
        ("aurite_store_workers", "Calls of the store that can be carried out at once.", {}, service.workers),
        ("aurite_resident_bytes", "Memory of the process.", {}, machine.resident_bytes()),
        ("aurite_uptime_seconds", "Since the process started to serve.", {}, round(time.time() - service.started_at, 1)),
        ("aurite_mcp_servers", "Registered MCP servers.", {}, len(service.tools.servers)),
    ]
    try:
        health = await service.health()
    except AuriteError:
        return [*found, ("aurite_ready", "Whether requests can be carried out.", {}, 0)]
    found += [
        ("aurite_ready", "Whether requests can be carried out.", {}, 1),
        ("aurite_config_version", "The counter of component changes that is loaded.", {}, health.loaded_version),
        ("aurite_config_version_lag", "Changes that this process has not seen yet.", {}, health.lag),
    ]
    return found + await _of_the_database(service)


async def _of_the_database(service: Service) -> list[Gauge]:
    if not service.in_database:
        return []
    now = time.monotonic()
    if service.counted is None or now - service.counted[0] > COUNTED_FOR:
        try:
            service.counted = (now, await service.call(lambda: service.aurite.database().status()))
        except AuriteError:
            return []
    facts: dict[str, Any] = service.counted[1]
    rows: dict[str, int] = facts.get("rows", {})
    return [
        *(("aurite_rows", "Rows of each table, at most a minute old.", {"table": table}, count) for table, count in rows.items()),
        ("aurite_database_bytes", "Size of the database.", {}, facts.get("bytes")),
        (
            "aurite_store_wait_seconds",
            "How long this process has waited for its turn to write, or for a connection, since it started.",
            {},
            round(service.aurite.database().seconds_waited, 6),
        ),
        ("aurite_pool_size", "Most connections of this process to the database.", {}, facts.get("pool_size")),
        ("aurite_pool_in_use", "Connections of this process that are in use.", {}, connections_in_use(service.aurite.database())),
    ]
