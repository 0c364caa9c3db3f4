"""A PostgreSQL server as the pages describe it: on TCP everybody needs a password; an administrator comes in by the socket."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.clusters import Cluster

ADMIN_PASSWORD = "admin_password"
_WHO_COMES_IN = (
    "local all postgres trust",
    "local replication postgres trust",
    "local all all scram-sha-256",
    "host all all 127.0.0.1/32 scram-sha-256",
)


@pytest.fixture
def guarded_server() -> Iterator[Cluster]:
    """A server of its own for a page, because pages make roles."""
    cluster = Cluster(hba=_WHO_COMES_IN).start()
    try:
        with cluster.connect() as connection:
            connection.execute(f"ALTER USER postgres PASSWORD '{ADMIN_PASSWORD}'")
        yield cluster
    finally:
        cluster.remove()
