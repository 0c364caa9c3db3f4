"""Where a move starts and where it ends, decided from what was said and from the settings; nothing is opened or asked here."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeAlias

from aurite.errors import SameStoreError, UsageError
from aurite.settings import Secret, Settings

Engine = Literal["sqlite", "postgresql"]
Side = Literal["source", "target"]

ENGINES: dict[Engine, str] = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
"""What people call them."""

_OF_SERVERS = ("host", "port", "user", "name", "schema")


@dataclass(frozen=True, slots=True)
class Said:
    """What was said of one side, by flags or answers; None where nothing was."""

    side: Side
    engine: Engine | None = None
    path: Path | None = None
    host: str | None = None
    port: int | None = None
    user: str | None = None
    name: str | None = None
    schema: str | None = None
    password: Secret | None = None

    def is_silent(self) -> bool:
        """Whether nothing was said."""
        return self == Said(self.side)


@dataclass(frozen=True, slots=True)
class FilePlace:
    """A SQLite file."""

    path: Path


@dataclass(frozen=True, slots=True)
class ServerPlace:
    """A PostgreSQL database: in what it differs from the one that the settings name; None where it does not."""

    host: str | None = None
    port: int | None = None
    user: str | None = None
    name: str | None = None
    schema: str | None = None
    password: Secret | None = None


Place: TypeAlias = FilePlace | ServerPlace


def from_settings(source: Said, target: Said, settings: Settings) -> tuple[Said, Said]:
    """The two sides where the settings decide their types: from the database that they name to one of the opposite type.

    Raises:
        UsageError: another type was said of a side.
    """
    for said in (source, target):
        if said.engine is not None:
            raise UsageError(
                f"--from-env and --{said.side}-type exclude each other",
                next_step="Leave one of them out; --from-env goes from the database of AURITE_DB_TYPE to the opposite type",
            )
    return replace(source, engine=settings.db_type), replace(target, engine=opposite(settings.db_type))


def opposite(engine: Engine) -> Engine:
    return "postgresql" if engine == "sqlite" else "sqlite"


def with_engine(said: Said) -> Said:
    """The same with the type that its other values imply, where none was said.

    Raises:
        UsageError: its values contradict each other.
    """
    servers = [f"--{said.side}-{name}" for name in _OF_SERVERS if getattr(said, name) is not None]
    path = f"--{said.side}-path"
    engine: Engine | None = said.engine or ("sqlite" if said.path else "postgresql" if servers else None)
    if engine == "postgresql" and said.path:
        raise UsageError(f"{path} names a SQLite file, and the {said.side} is PostgreSQL", next_step=f"Leave out {path}")
    if engine == "sqlite" and servers:
        wrong = " and ".join(servers)
        raise UsageError(f"{wrong}: these are for PostgreSQL, and the {said.side} is SQLite", next_step=f"Leave out {wrong}")
    return replace(said, engine=engine)


def lacks_user(said: Said, settings: Settings) -> bool:
    """Whether nobody says as whom to connect to a server."""
    return said.engine == "postgresql" and not (said.user or settings.db_user or settings.db_url)


def places(source: Said, target: Said, settings: Settings, *, folder: Path) -> tuple[Place, Place]:
    """Where the move starts and where it ends.

    Args:
        folder: where relative paths start.

    Raises:
        UsageError: a value is missing; the message names every one, with its flag and variable.
        SameStoreError: both are the same.
    """
    missing = [text for said in (source, target) for text in _missing(said, settings)]
    if missing:
        raise UsageError(f"{' and '.join(missing)} must be given", next_step="See aurite migrate --help")
    ends = _place(source, settings, folder), _place(target, settings, folder)
    if ends[0] == ends[1]:
        flags = "--target-path" if isinstance(ends[0], FilePlace) else "--target-host, --target-name or --target-schema"
        shown = ends[0].path if isinstance(ends[0], FilePlace) else "the PostgreSQL database of the settings"
        raise SameStoreError(f"source and target are the same database, {shown}", next_step=f"Name another target with {flags}")
    return ends


def _missing(said: Said, settings: Settings) -> list[str]:
    if said.engine is None:
        return [f"--{said.side}-type"]
    return [f"--{said.side}-user or AURITE_DB_USER"] if lacks_user(said, settings) else []


def _place(said: Said, settings: Settings, folder: Path) -> Place:
    if said.engine == "sqlite":
        return FilePlace(folder / said.path if said.path else settings.db_path)
    return ServerPlace(said.host, said.port, said.user, said.name, said.schema, said.password)
