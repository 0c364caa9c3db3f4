"""Concrete stores, made from settings: beside ``app.py`` the one module that names them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from aurite.errors import NotSupportedError
from aurite.model.records import Problem
from aurite.model.sources import Source
from aurite.settings import Secret, Settings

if TYPE_CHECKING:
    from aurite.storage.backup.file import BackupFile
    from aurite.storage.engine import Database
    from aurite.storage.files.config_files import ConfigFiles
    from aurite.storage.moving import Movable, Takeover
    from aurite.storage.postgres.database import PostgresDatabase
    from aurite.storage.postgres.provision import Creation
    from aurite.storage.postgres.target import PostgresTarget
    from aurite.storage.sqlite.database import SqliteDatabase


def open_database(settings: Settings, *, watch: bool) -> Database:
    """The database that the settings name, with the current schema.

    Args:
        watch: hear of other processes' changes in the background; for a process that lives longer than a command.

    Raises:
        StorageError, SettingsError.
    """
    return _sqlite(settings) if settings.db_type == "sqlite" else _postgres(settings, watch=watch)


def counter_of(database: Database) -> int:
    """The counter of component changes, asked of the database itself: it answers, and has the tables.

    Raises:
        StorageError: it does not.
    """
    version: int = database.read("SELECT config_version FROM store_meta")[0][0]
    return version


def connections_in_use(database: Database) -> int | None:
    """How many connections of this process are in use; None for a file."""
    in_use: int | None = getattr(database, "connections_in_use", None)
    return in_use


def describe(settings: Settings) -> dict[str, object]:
    """Where the database is, its versions, pending steps, sizes and content; its schema is left as it is.

    Raises:
        StorageError: it cannot be reached, is not one of ours, or a newer Aurite wrote it.
    """
    if settings.db_type == "sqlite":
        from aurite.storage.sqlite.file import outdated

        facts = outdated(settings.db_path)
        if facts is not None:
            return facts
    database = _as_it_is(settings)
    try:
        return database.status()
    finally:
        database.close()


def examine(settings: Settings, *, thorough: bool = True) -> list[Problem]:
    """What is wrong with the database; empty where all is well. Its schema is left as it is.

    Args:
        thorough: read all of it; else look for damage alone.

    Raises:
        StorageError: as for :func:`describe`.
    """
    facts = describe(settings)
    if facts["pending_steps"]:
        reason = f"its schema is {facts['schema_version']}, older than this version's; run: aurite db upgrade"
        return [Problem(str(facts["location"]), reason)]
    if settings.db_type == "sqlite":
        from aurite.storage.sqlite.file import examine as examine_file

        file = _sqlite(settings)
        try:
            return examine_file(file, thorough=thorough)
        finally:
            file.close()
    from aurite.storage.postgres.care import examine as examine_tables

    server = _postgres(settings, as_it_is=True)
    try:
        return examine_tables(server, thorough=thorough)
    finally:
        server.close()


def vacuum(settings: Settings) -> tuple[int, int]:
    """The bytes that the database took before and after it was tidied up.

    Raises:
        StorageError: it could not be done.
    """
    if settings.db_type == "sqlite":
        from aurite.storage.sqlite.file import vacuum as vacuum_file

        file = _sqlite(settings)
        try:
            return vacuum_file(file)
        finally:
            file.close()
    from aurite.storage.postgres.care import vacuum as vacuum_tables

    server = _postgres(settings)
    try:
        return vacuum_tables(server)
    finally:
        server.close()


def wait_for_server(settings: Settings, *, tell: Callable[[str], None]) -> None:
    """Returns once the PostgreSQL server takes connections, which is at once where the database is a SQLite file.

    Args:
        tell: takes a sentence for people where there is something to wait for.

    Raises:
        StoreUnavailableError: it did not within ``wait_for_db`` seconds.
    """
    if settings.db_type == "postgresql":
        from aurite.storage.postgres.waiting import wait_for

        wait_for(postgres_target(settings), settings.wait_for_db, tell=tell)


def upgrade_schema(settings: Settings) -> list[str]:
    """Bring the schema of the database to this version's; the names of the steps that it took.

    Raises:
        StorageError: it cannot be upgraded; it is as before.
    """
    if settings.db_type == "sqlite":
        database = _sqlite(settings)
        database.close()
        return database.steps_taken
    from aurite.storage.postgres.schema import upgrade

    server = _postgres(settings, as_it_is=True)
    try:
        return [f"{step.version:04d}_{step.name}" for step in upgrade(server)]
    finally:
        server.close()


def pending_sql(settings: Settings) -> str:
    """The SQL that would bring the schema of a PostgreSQL database to this version's; empty where nothing is pending.

    Raises:
        NotSupportedError: the database is SQLite, which upgrades by itself.
    """
    if settings.db_type == "sqlite":
        raise NotSupportedError(
            "a SQLite database upgrades itself when it is opened, after a backup beside it",
            next_step="Set AURITE_DB_TYPE=postgresql to see the steps for a server",
        )
    from aurite.storage.postgres.schema import pending_script

    server = _postgres(settings, as_it_is=True)
    try:
        return pending_script(server)
    finally:
        server.close()


def create_on_server(
    settings: Settings, *, admin_user: str, admin_password: str | None, admin_database: str, dry_run: bool
) -> Creation:
    """Make the role and the database that the settings name; see ``create_role_and_database``."""
    from aurite.storage.postgres.provision import create_role_and_database

    target = postgres_target(settings)
    password = Secret(admin_password) if admin_password else None
    administrator = replace(target, user=admin_user, password=password, dbname=admin_database, schema=None)
    return create_role_and_database(target, administrator, dry_run=dry_run)


def postgres_target(settings: Settings) -> PostgresTarget:
    """Where the PostgreSQL database of the settings is, and how to connect.

    Raises:
        SettingsError: something needed is missing.
    """
    from aurite.storage.postgres.target import target_from_settings

    return target_from_settings(settings)


def movable_file(path: Path) -> Movable:
    """A SQLite file to move out of or into."""
    from aurite.storage.sqlite.moving import SqliteMovable

    return SqliteMovable(path)


def movable_on_server(target: PostgresTarget) -> Movable:
    """A PostgreSQL database to move out of or into."""
    from aurite.storage.postgres.moving import PostgresMovable

    return PostgresMovable(target)


def movable(settings: Settings) -> Movable:
    """The database that the settings name, to move out of or into."""
    return movable_file(settings.db_path) if settings.db_type == "sqlite" else movable_on_server(postgres_target(settings))


def backup_file(path: Path) -> BackupFile:
    """A place where a backup lies, or shall lie."""
    from aurite.storage.backup.file import BackupFile

    return BackupFile(path)


def config_files(sources: Sequence[Source], name: str) -> ConfigFiles | None:
    """The files of the source of a name; None where there is none."""
    from aurite.storage.files.config_files import ConfigFiles, source_named

    found = source_named(sources, name)
    return None if found is None else ConfigFiles(found)


def takeover(settings: Settings) -> Takeover:
    """The database that the settings name, where Aurite 0.4 may have written it."""
    if settings.db_type == "sqlite":
        from aurite.storage.sqlite.takeover import SqliteTakeover

        return SqliteTakeover(settings.db_path)
    from aurite.storage.postgres.takeover import PostgresTakeover

    return PostgresTakeover(postgres_target(settings))


def _sqlite(settings: Settings) -> SqliteDatabase:
    from aurite.storage.sqlite.database import SqliteDatabase

    return SqliteDatabase(settings.db_path, synchronous=settings.db_synchronous)


def _as_it_is(settings: Settings) -> Database:
    return _sqlite(settings) if settings.db_type == "sqlite" else _postgres(settings, as_it_is=True)


def _postgres(settings: Settings, *, watch: bool = False, as_it_is: bool = False) -> PostgresDatabase:
    from aurite.storage.postgres.database import PostgresDatabase

    target = postgres_target(settings)
    return PostgresDatabase(
        target,
        force_refresh=settings.force_refresh,
        watch=watch,
        auto_upgrade=settings.db_auto_upgrade,
        replica=target.at(settings.db_replica_host) if settings.db_replica_host else None,
        as_it_is=as_it_is,
    )
