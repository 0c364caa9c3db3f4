"""What the tests of PostgreSQL share: databases that are closed at the end, and servers that may be harmed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, Protocol

import pytest

from aurite.config.manager import ConfigManager
from aurite.model.records import Author
from aurite.storage.components import SqlComponentStore
from aurite.storage.postgres.database import PostgresDatabase
from aurite.storage.postgres.target import PostgresTarget
from tests.clusters import Cluster


class Open(Protocol):
    def __call__(self, target: PostgresTarget, **options: Any) -> PostgresDatabase: ...


class Manage(Protocol):
    def __call__(self, target: PostgresTarget, **options: Any) -> ConfigManager: ...


@pytest.fixture
def opened() -> Iterator[Open]:
    """Opens databases, and closes them behind the test."""
    with ExitStack() as closing:

        def open_database(target: PostgresTarget, **options: Any) -> PostgresDatabase:
            database = PostgresDatabase(target, **options)
            closing.callback(database.close)
            return database

        yield open_database


@pytest.fixture
def managed(opened: Open) -> Manage:
    """Opens managers as processes have them."""

    def manage(target: PostgresTarget, **options: Any) -> ConfigManager:
        return ConfigManager(SqlComponentStore(opened(target, **options)), author=Author("python"))

    return manage


@pytest.fixture(scope="package")
def spare() -> Iterator[Cluster]:
    """A server that tests stop, kill and start again; each leaves it running."""
    cluster = Cluster().start()
    yield cluster
    cluster.remove()


@pytest.fixture
def harmed(spare: Cluster) -> Iterator[PostgresTarget]:
    """A database with Aurite's schema on the server that may be harmed."""
    name = spare.create_database()
    target = spare.target(name, parameters={"application_name": "aurite", "connect_timeout": "5"})
    PostgresDatabase(target, watch=False).close()
    yield target
    spare.drop_database(name)
