"""The two ends of a move, opened from what was decided, and the move itself as somebody at a terminal sees it."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import FrameType
from typing import TYPE_CHECKING, Any

from aurite.cli import switching
from aurite.cli.errors import Terminated
from aurite.cli.migration_progress import progress_bars
from aurite.cli.output import progress, remark
from aurite.errors import MisfitError, VerificationError
from aurite.settings import Settings
from aurite.stores import movable_file, movable_on_server, postgres_target
from aurite.transfer.migrate import MoveReport, OnConflict, migrate
from aurite.transfer.plan import FilePlace, Place, ServerPlace

if TYPE_CHECKING:
    from aurite.storage.moving import Movable

_MOST_TOLD = 20


@dataclass(frozen=True, slots=True)
class End:
    """One end of a move."""

    movable: Movable
    variables: Mapping[str, str]
    """What ``.env`` needs to name it; without its password."""


@dataclass(frozen=True, slots=True)
class Move:
    """A move that can begin."""

    source: End
    target: End
    verify: bool

    def look(self, on_conflict: OnConflict) -> MoveReport:
        """What would be moved, and what the target holds; nothing is written.

        Raises:
            as :func:`aurite.transfer.migrate.migrate`.
        """
        with told_in_full(), ended_properly(), progress("Looking at both databases"):
            return migrate(self.source.movable, self.target.movable, on_conflict=on_conflict, dry_run=True)

    def carry_out(self, on_conflict: OnConflict) -> MoveReport:
        """Move, with a progress bar for each table on a terminal.

        Raises:
            as :func:`aurite.transfer.migrate.migrate`.
        """
        with told_in_full(), ended_properly(), progress_bars() as advance:
            return migrate(self.source.movable, self.target.movable, verify=self.verify, on_conflict=on_conflict, progress=advance)


def end(place: Place, settings: Settings) -> End:
    """What a place is to a move; nothing is opened yet.

    Raises:
        SettingsError: the settings cannot be used to reach it.
    """
    if isinstance(place, FilePlace):
        return End(movable_file(place.path), switching.to_file(place.path, settings))
    return _server(place, settings)


def _server(place: ServerPlace, settings: Settings) -> End:
    if place.password is not None:
        settings = replace(settings, db_password=place.password, db_password_file=None)
    known = postgres_target(replace(settings, db_user=place.user or settings.db_user))
    differing: dict[str, Any] = {
        "host": place.host,
        "port": place.port,
        "user": place.user,
        "dbname": place.name,
        "schema": place.schema,
        "password": place.password,
    }
    target = replace(known, **{name: value for name, value in differing.items() if value is not None})
    if place.host is not None:
        # A URI may name an address or a list of ports that belong to its own host.
        parameters = {name: value for name, value in known.parameters.items() if name != "hostaddr"}
        target = replace(target, parameters=parameters, port=target.port if isinstance(target.port, int) else settings.db_port)
    variables = {"AURITE_ENABLE_DB": "true", "AURITE_DB_TYPE": "postgresql"}
    if settings.db_url is None or target != known:
        variables = switching.to_server(
            settings,
            host=target.host,
            port=target.port,
            user=target.user,
            name=target.dbname,
            schema=target.schema,
            with_password=target.password is not None,
        )
    return End(movable_on_server(target), variables)


@contextmanager
def told_in_full() -> Iterator[None]:
    """Where rows do not fit or are not the same, they are listed before the error is told in one line."""
    try:
        yield
    except (MisfitError, VerificationError) as error:
        rows = error.reasons if isinstance(error, MisfitError) else error.differences
        for row in rows[:_MOST_TOLD]:
            remark(f"Problem: {row}")
        if len(rows) > _MOST_TOLD:
            remark(f"... and {len(rows) - _MOST_TOLD:,} more.")
        raise


@contextmanager
def ended_properly() -> Iterator[None]:
    """A termination signal ends the block as Ctrl-C does, so that nothing of an unfinished target is left behind."""

    def terminate(_number: int, _frame: FrameType | None) -> None:
        raise Terminated

    before = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
