"""Processes beside the test on one PostgreSQL database: workers that run Aurite's stores, and somebody with psql."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import ClassVar

import psycopg

from aurite.settings import Secret
from aurite.storage.postgres.target import PostgresTarget
from tests.clusters import Connection
from tests.processes.programs import Worker


class PostgresWorker(Worker):
    """One process that carries out a task of ``worker.py`` in this folder."""

    module: ClassVar[str] = "tests.postgres.worker"


def told(target: PostgresTarget) -> str:
    """A target as a worker is told of it."""
    fields = {**asdict(target), "parameters": dict(target.parameters)}
    return json.dumps({**fields, "password": target.password.reveal() if target.password else None})


def heard(text: str) -> PostgresTarget:
    """What ``told`` was given."""
    fields = json.loads(text)
    password = fields.pop("password")
    return PostgresTarget(**fields, password=Secret(password) if password is not None else None)


@contextmanager
def hand(target: PostgresTarget) -> Iterator[Connection]:
    """Somebody with psql: a connection that knows nothing of Aurite, in autocommit mode."""
    with psycopg.connect(**target.connect_arguments(), autocommit=True) as connection:
        if target.schema is not None:
            connection.execute("SELECT set_config('search_path', quote_ident(%s), false)", [target.schema])
        yield connection


def seconds_until(holds: Callable[[], bool], *, within: float) -> float:
    """How long it took until something holds; fails where it takes too long."""
    started = time.monotonic()
    while not holds():
        assert time.monotonic() - started < within, f"not within {within} s"
        time.sleep(0.002)
    return time.monotonic() - started


def backends_of(connection: Connection, application_name: str) -> list[int]:
    """The server processes of one program's connections to the database that the connection is on."""
    rows = connection.execute(
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name = %s AND pid <> pg_backend_pid()",
        [application_name],
    ).fetchall()
    return [pid for (pid,) in rows]


def listeners_of(connection: Connection) -> list[int]:
    """The server processes that last said LISTEN or looked at the counter, and are idle."""
    rows = connection.execute(
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        " AND query = 'SELECT config_version FROM store_meta'"
    ).fetchall()
    return [pid for (pid,) in rows]
