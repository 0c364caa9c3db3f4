"""PostgreSQL keeps the contracts of both stores."""

from __future__ import annotations

from pathlib import Path

import pytest

from aurite.storage.components import SqlComponentStore
from aurite.storage.ports import ComponentStore, SessionStore
from aurite.storage.postgres.database import PostgresDatabase
from aurite.storage.postgres.target import PostgresTarget
from aurite.storage.sessions import SqlSessionStore
from aurite.testing import ComponentStoreContract, SessionStoreContract


def components_in(target: PostgresTarget) -> ComponentStore:
    # The contract wants a change of another view at once; how soon it is heard of without asking is tested elsewhere.
    return SqlComponentStore(PostgresDatabase(target, force_refresh=True))


def sessions_in(target: PostgresTarget) -> SessionStore:
    return SqlSessionStore(PostgresDatabase(target, force_refresh=True))


class TestPostgresComponents(ComponentStoreContract):
    @pytest.fixture(autouse=True)
    def _target(self, postgres: PostgresTarget) -> None:
        self.target = postgres

    def open_store(self, folder: Path) -> ComponentStore:  # noqa: ARG002 - what two views share is the database
        return components_in(self.target)


class TestPostgresSessions(SessionStoreContract):
    @pytest.fixture(autouse=True)
    def _target(self, postgres: PostgresTarget) -> None:
        self.target = postgres

    def open_store(self, folder: Path) -> SessionStore:  # noqa: ARG002 - what two views share is the database
        return sessions_in(self.target)
