"""Services that several tests share, one for each place where components may be kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from aurite.storage.postgres.target import PostgresTarget
from tests.api import project
from tests.api.server import Client, Service, environment
from tests.clusters import Server

Starter = Callable[..., Service]


@pytest.fixture(scope="session")
def start_service(tmp_path_factory: pytest.TempPathFactory, postgres_server: Server, postgres_template: str) -> Iterator[Starter]:
    """Starts services, each with a project and, where it needs one, a database of its own; they end with the tests."""
    with ExitStack() as closing:

        def new_database() -> PostgresTarget:
            name = postgres_server.create_database(template=postgres_template)
            closing.callback(postgres_server.drop_database, name)
            return postgres_server.target(name)

        def start(mode: str = "files", *arguments: str, ready: bool = True, **variables: str) -> Service:
            top = tmp_path_factory.mktemp("service")
            (top / "home").mkdir()
            (top / "work").mkdir()
            folder = project.make(top / "work")
            chosen = project.mode_variables(mode, new_database() if mode == "postgresql" else None)
            given = environment(top / "home", **{**chosen, **variables})
            if mode != "files":
                project.export(folder, given)
            service = Service(folder, given, arguments)
            closing.callback(service.stop)
            return service.start(ready=ready)

        yield start


@pytest.fixture(scope="session")
def services(start_service: Starter) -> Callable[[str], Service]:
    """The service of a mode, shared by all tests that leave it as it was."""
    running: dict[str, Service] = {}

    def of(mode: str) -> Service:
        if mode not in running:
            running[mode] = start_service(mode)
        return running[mode]

    return of


@pytest.fixture(params=project.MODES)
def service(request: pytest.FixtureRequest, services: Callable[[str], Service]) -> Service:
    """The shared service of each mode in turn."""
    return services(request.param)


@pytest.fixture
def api(service: Service) -> Client:
    """A client of it that has the key."""
    return service.client


@pytest.fixture
def files_api(services: Callable[[str], Service]) -> Client:
    """A client of the service that keeps components in files."""
    return services("files").client


@pytest.fixture
def sqlite_api(services: Callable[[str], Service]) -> Client:
    """A client of the service that keeps all in SQLite."""
    return services("sqlite").client


@pytest.fixture
def sqlite_folder(services: Callable[[str], Service]) -> Path:
    return services("sqlite").folder
