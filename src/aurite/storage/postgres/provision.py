"""Making role and database from an administrator's connection, as the guide's psql lines do."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

import psycopg
from psycopg import sql

from aurite.errors import SettingsError
from aurite.storage.postgres.connections import Connection, connect
from aurite.storage.postgres.errors import translate
from aurite.storage.postgres.target import PostgresTarget


@dataclass(frozen=True, slots=True)
class Creation:
    """What was done, or would be done."""

    statements: tuple[str, ...]
    """As psql would be given them; a password is shown as ``********``."""
    present: tuple[str, ...]
    """What was there already and stays as it is: ``role "x"``, ``database "y"``."""


def create_role_and_database(target: PostgresTarget, administrator: PostgresTarget, *, dry_run: bool = False) -> Creation:
    """What it took to have the target's role and database.

    The password travels as a SCRAM verifier, so that it is in no log of the server.

    Args:
        target: the role and database that Aurite shall use.
        administrator: how to connect as somebody who may create both.
        dry_run: only tell.

    Raises:
        SettingsError: the role must be made, and no password is set for it.
        StorageError: the server cannot be reached, or the administrator may not do this.
    """
    connection = connect(administrator)
    try:
        return _created(connection, target, dry_run=dry_run)
    except psycopg.Error as error:
        raise translate(error, administrator) from error
    finally:
        with suppress(psycopg.Error):
            connection.close()


def _created(connection: Connection, target: PostgresTarget, *, dry_run: bool) -> Creation:
    role, database = sql.Identifier(target.user), sql.Identifier(target.dbname)
    statements: list[str] = []
    present: list[str] = []
    if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = $1", [target.user]).fetchone():
        present.append(f"role {role.as_string(connection)}")
    else:
        if target.password is None:
            raise SettingsError(
                f"the role {target.user!r} is to be made, and no password is set for it", next_step="Set AURITE_DB_PASSWORD"
            )
        verifier = _verifier(connection, target)
        make_role = sql.SQL("CREATE USER {} WITH PASSWORD {}")
        statements.append(make_role.format(role, sql.Literal("********")).as_string(connection))
        if not dry_run:
            connection.execute(make_role.format(role, sql.Literal(verifier)))
    if connection.execute("SELECT 1 FROM pg_database WHERE datname = $1", [target.dbname]).fetchone():
        present.append(f"database {database.as_string(connection)}")
    else:
        make_database = sql.SQL("CREATE DATABASE {} OWNER {} ENCODING 'UTF8' TEMPLATE template0").format(database, role)
        statements.append(make_database.as_string(connection))
        if not dry_run:
            connection.execute(make_database)
    return Creation(statements=tuple(statements), present=tuple(present))


def _verifier(connection: Connection, target: PostgresTarget) -> str:
    password = target.password.reveal().encode() if target.password else b""
    return connection.pgconn.encrypt_password(password, target.user.encode(), b"scram-sha-256").decode()
