"""What the tests of moves share: new databases of either engine, closed and dropped behind each test."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Protocol

import pytest

from tests.clusters import Server
from tests.transfer.databases import PostgresStore, SqliteStore, Store


class NewStore(Protocol):
    def __call__(self, engine: str, *, schema: bool = False) -> Store:
        """A database of its own; with Aurite's tables where asked, else empty or not even there."""
        ...


@pytest.fixture
def new_store(postgres_server: Server, postgres_template: str, tmp_path: Path) -> Iterator[NewStore]:
    numbers = count(1)
    made: list[str] = []

    def make(engine: str, *, schema: bool = False) -> Store:
        if engine == "sqlite":
            file = SqliteStore(tmp_path / f"aurite-{next(numbers)}.db")
            if schema:
                file.create()
            return file
        name = postgres_server.create_database(template=postgres_template if schema else "template0")
        made.append(name)
        return PostgresStore(postgres_server.target(name))

    yield make
    for name in made:
        postgres_server.drop_database(name)


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(params=["sqlite", "postgresql"])
def other_engine(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name
