"""What all tests share: each runs as a user with an empty home and none of this machine's settings."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from types import MappingProxyType

import pytest

from aurite.storage.postgres.database import PostgresDatabase
from aurite.storage.postgres.target import PostgresTarget
from tests.clusters import Cluster, ForeignServer, Server

MACHINE: Mapping[str, str] = MappingProxyType(dict(os.environ))
"""The environment that the tests were started in."""

_OURS = ("API_KEY", "PORT", "ENV", "LOG_LEVEL", "NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES")


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    for name in MACHINE:
        ours = name in _OURS or name.endswith("_API_KEY") or name.startswith("AURITE_")
        if ours and not name.startswith("AURITE_TEST_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path_factory.mktemp("home")))


@pytest.fixture
def machine_environment() -> Mapping[str, str]:
    """The environment as it was before: for tests that install packages with this machine's pip settings."""
    return MACHINE


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    """A PostgreSQL server for all tests of this process: one of our own, or the one that AURITE_TEST_PG names."""
    uri = MACHINE.get("AURITE_TEST_PG")
    if uri:
        yield ForeignServer(uri)
        return
    cluster = Cluster().start()
    yield cluster
    cluster.remove()


@pytest.fixture(scope="session")
def postgres_template(postgres_server: Server) -> Iterator[str]:
    """The name of a database with Aurite's schema and nothing in it, to be cloned."""
    name = postgres_server.create_database()
    PostgresDatabase(postgres_server.target(name), watch=False).close()
    yield name
    postgres_server.drop_database(name)


@pytest.fixture
def postgres(postgres_server: Server, postgres_template: str) -> Iterator[PostgresTarget]:
    """A database of its own for one test, with Aurite's schema."""
    name = postgres_server.create_database(template=postgres_template)
    yield postgres_server.target(name)
    postgres_server.drop_database(name)


@pytest.fixture
def empty_postgres(postgres_server: Server) -> Iterator[PostgresTarget]:
    """A database of its own for one test, without any table."""
    name = postgres_server.create_database()
    yield postgres_server.target(name)
    postgres_server.drop_database(name)
