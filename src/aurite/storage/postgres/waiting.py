"""Waiting for a server that is still starting, as one in a container beside ours may be."""

from __future__ import annotations

import time
from collections.abc import Callable

from psycopg.conninfo import make_conninfo
from psycopg.pq import PGconn, Ping

from aurite.errors import StoreUnavailableError
from aurite.storage.postgres.connections import connect
from aurite.storage.postgres.target import PostgresTarget

_PAUSE = 0.5
"""Seconds between two looks."""
_ANSWER_WITHIN = "2"
"""Seconds for one look, libpq's least: a signal is heard only between looks."""
_WHERE = ("host", "hostaddr", "port", "user", "dbname")


def wait_for(target: PostgresTarget, seconds: float, *, tell: Callable[[str], None]) -> None:
    """Returns once the server takes connections, or says at once why it does not let us in.

    Args:
        seconds: how long to wait; 0 to look once.
        tell: takes a sentence for people where there is something to wait for.

    Raises:
        StoreUnavailableError: it did not in time, with the reason of the last attempt.
    """
    started = time.monotonic()
    if answers(target):
        return
    if seconds:
        tell(f"Waiting for {target.location}, at most {seconds:g} s.")
    while (left := started + seconds - time.monotonic()) > 0:
        time.sleep(min(_PAUSE, left))
        if answers(target):
            tell(f"It takes connections after {time.monotonic() - started:.1f} s.")
            return
    try:
        connect(target).close()
    except StoreUnavailableError as error:
        raise StoreUnavailableError(
            f"{error.message}, tried for {seconds:g} s",
            next_step=f"{error.next_step}. AURITE_WAIT_FOR_DB says how many seconds it may take to come up",
        ) from error


def answers(target: PostgresTarget) -> bool:
    """Whether the server takes connections; whom it lets in is not asked, so that a wrong password is not waited for."""
    parameters = {name: value for name, value in target.connect_arguments().items() if name in _WHERE}
    found = PGconn.ping(make_conninfo("", **parameters, connect_timeout=_ANSWER_WITHIN).encode())
    return found not in (Ping.NO_RESPONSE, Ping.REJECT)
