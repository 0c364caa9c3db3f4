"""A real PgBouncer in transaction mode, where this machine has the program."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from aurite.settings import Secret
from aurite.storage.postgres.target import PostgresTarget
from tests.clusters import free_port

PROGRAM = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
_NOBODY = 65534
"""PgBouncer refuses to run as root."""


class PgBouncer:
    """Between clients and the server of a target: clients share a few connections, and get another for each transaction."""

    def __init__(self, server: PostgresTarget, *, connections: int = 3, port: int | None = None) -> None:
        self.port = port or free_port()
        self._folder = Path(tempfile.mkdtemp(prefix="aurite-bouncer-", dir="/tmp"))
        password = f" password={server.password.reveal()}" if isinstance(server.password, Secret) else ""
        users = self._folder / "users"
        users.write_text(f'"{server.user}" "{server.password.reveal() if server.password else ""}"\n', encoding="utf-8")
        (self._folder / "ini").write_text(
            "[databases]\n"
            f"* = host={server.host} port={server.port}{password}\n"
            "[pgbouncer]\n"
            f"listen_addr = 127.0.0.1\nlisten_port = {self.port}\nunix_socket_dir =\n"
            f"auth_type = trust\nauth_file = {users}\nadmin_users = {server.user}\n"
            f"pool_mode = transaction\ndefault_pool_size = {connections}\nmax_client_conn = 200\n"
            "server_round_robin = 1\nserver_login_retry = 1\n"  # each transaction gets another connection than the one before
            "log_connections = 0\nlog_disconnections = 0\n",
            encoding="utf-8",
        )
        as_nobody: dict[str, Any] = {"user": _NOBODY, "group": _NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
        if as_nobody:
            for path in (self._folder, *self._folder.iterdir()):
                os.chown(path, _NOBODY, _NOBODY)
        assert PROGRAM is not None
        with (self._folder / "log").open("w") as log:
            self._process = subprocess.Popen(
                [PROGRAM, self._folder / "ini"], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self._folder, **as_nobody
            )
        self._wait()

    def __enter__(self) -> PgBouncer:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._process.kill()
        self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _wait(self) -> None:
        deadline = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                said = (self._folder / "log").read_text(encoding="utf-8", errors="replace")
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"pgbouncer does not start: {said}") from None
                time.sleep(0.02)
            else:
                return
