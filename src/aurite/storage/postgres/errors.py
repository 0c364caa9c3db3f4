"""What PostgreSQL's errors mean for the caller, in the guide's words: the one place that translates them.

The server's DETAIL, LINE and CONTEXT texts quote rows, and its messages may quote values, so none of its texts is passed on: the
SQLSTATE is (https://www.postgresql.org/docs/current/errcodes-appendix.html), and what Aurite knows of the situation.
"""

from __future__ import annotations

import psycopg

from aurite.errors import (
    AuriteError,
    InvalidValueError,
    OutcomeUnknownError,
    StorageError,
    StoreBusyError,
    StoreFullError,
    StoreReadOnlyError,
    StoreUnavailableError,
)
from aurite.storage.postgres.target import PostgresTarget, quoted

Meaning = tuple[type[StorageError], str, str]

_BY_STATE: dict[str, Meaning] = {
    "28P01": (
        StoreUnavailableError,
        "authentication failed for user {user!r} on {location}",
        "Check AURITE_DB_USER and AURITE_DB_PASSWORD",
    ),
    "28000": (
        StoreUnavailableError,
        "authentication failed: the server does not let user {user!r} in to {location}",
        "Check AURITE_DB_USER, and the server's pg_hba.conf for this user, database and address",
    ),
    "3D000": (
        StoreUnavailableError,
        "the database {dbname!r} does not exist on {host}",
        "Create it with aurite db create, or check AURITE_DB_NAME",
    ),
    "42501": (
        StoreReadOnlyError,
        "no permission: user {user!r} may not do this in {location}",
        "Let an administrator run: GRANT CREATE, USAGE ON SCHEMA {schema} TO {quoted_user}; "
        "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {quoted_user};",
    ),
    "53300": (
        StoreUnavailableError,
        "too many connections to {location}",
        "Lower AURITE_DB_POOL_SIZE, raise max_connections on the server, or put PgBouncer before it",
    ),
    "25006": (
        StoreReadOnlyError,
        "the database {location} is read-only (a standby, or default_transaction_read_only is on)",
        "Check that AURITE_DB_HOST is the primary server",
    ),
    "53100": (StoreFullError, "the disk of {location} is full; nothing of this write was kept", "Free disk space on the server"),
    "57014": (
        StoreBusyError,
        "a statement took longer than the statement time-out on {location} and was ended",
        "Raise AURITE_DB_STATEMENT_TIMEOUT, or try again when the server is less busy",
    ),
    "55P03": (StoreBusyError, "another client holds a lock in {location}", "Try again; pg_stat_activity shows who it is"),
    "40001": (StoreBusyError, "another client changed the same rows of {location} at once", "Try again"),
    "40P01": (StoreBusyError, "two clients waited for each other in {location}", "Try again"),
    "57P03": (StoreUnavailableError, "the server of {location} is starting up or shutting down", "Try again in a moment"),
    "42P07": (
        StoreUnavailableError,
        "{location} has tables of another program with the names that Aurite needs",
        "Set AURITE_DB_SCHEMA to a schema of its own",
    ),
    "3F000": (
        StoreUnavailableError,
        "the schema {schema} does not exist in {location}, and user {user!r} may not create it",
        "Let an administrator run: CREATE SCHEMA {schema} AUTHORIZATION {quoted_user};",
    ),
}

_CONNECTION_LOST = {"57P01", "57P02", "57P05", "08000", "08003", "08006", "08P01", "25P03", "25P04"}
"""08P01 is what PgBouncer says, whatever became of its connection to the server."""

_BY_TEXT: tuple[tuple[str, Meaning], ...] = (
    ("password authentication failed", _BY_STATE["28P01"]),
    (
        "no password supplied",
        (StoreUnavailableError, "authentication failed: no password for user {user!r}", "Set AURITE_DB_PASSWORD"),
    ),
    ("pg_hba.conf", _BY_STATE["28000"]),
    ("not permitted to log in", _BY_STATE["28000"]),
    ("authentication failed", _BY_STATE["28000"]),
    (
        'role "" does not exist',
        (
            StoreUnavailableError,
            "the user {user!r} does not exist on {host}",
            "Create it with aurite db create, or check AURITE_DB_USER",
        ),
    ),
    ('database "" does not exist', _BY_STATE["3D000"]),
    ("no such database", _BY_STATE["3D000"]),
    (
        "permission denied for database",
        (
            StoreUnavailableError,
            "no permission: user {user!r} may not connect to the database {dbname!r} on {host}",
            "Let an administrator run: GRANT CONNECT ON DATABASE {quoted_dbname} TO {quoted_user};",
        ),
    ),
    ("too many clients", _BY_STATE["53300"]),
    ("remaining connection slots", _BY_STATE["53300"]),
    ("too many connections", _BY_STATE["53300"]),
    ("starting up", _BY_STATE["57P03"]),
    ("shutting down", _BY_STATE["57P03"]),
    ("in recovery mode", _BY_STATE["57P03"]),
    ("not yet accepting connections", _BY_STATE["57P03"]),
    (
        "certificate",
        (StoreUnavailableError, "the certificate of {host} was not accepted", "Check AURITE_DB_SSLMODE and AURITE_DB_SSLROOTCERT"),
    ),
    ("SSL", (StoreUnavailableError, "no encrypted connection to {host} could be made", "Check AURITE_DB_SSLMODE")),
    (
        "could not translate host name",
        (StoreUnavailableError, "the host name {host!r} is not known", "Check AURITE_DB_HOST (use the service's name in Docker)"),
    ),
    (
        "failed to resolve host",
        (StoreUnavailableError, "the host name {host!r} is not known", "Check AURITE_DB_HOST (use the service's name in Docker)"),
    ),
    (
        "timeout",
        (
            StoreUnavailableError,
            "no answer from {host}:{port} within {connect_timeout} s",
            "Check AURITE_DB_HOST, AURITE_DB_PORT and the firewall, or raise AURITE_DB_CONNECT_TIMEOUT",
        ),
    ),
    (
        "onnection refused",
        (
            StoreUnavailableError,
            "connection refused by {host}:{port}",
            "Check that PostgreSQL is running there, and AURITE_DB_HOST and AURITE_DB_PORT",
        ),
    ),
    (
        "No such file or directory",
        (
            StoreUnavailableError,
            "connection refused: there is no server's socket in {host}",
            "Check that PostgreSQL is running, and AURITE_DB_HOST and AURITE_DB_PORT",
        ),
    ),
)


def translate(error: psycopg.Error | UnicodeEncodeError, target: PostgresTarget) -> AuriteError:
    """Aurite's error for one of a statement's."""
    if isinstance(error, UnicodeEncodeError):
        return InvalidValueError(
            f"{target.location} cannot hold or look up a text with a lone surrogate, as bytes that are not UTF-8 become",
            next_step="Give the text in UTF-8",
        )
    state = error.sqlstate or ""
    if state in _BY_STATE:
        return _said(_BY_STATE[state], target)
    if state in _CONNECTION_LOST or (not state and isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)):
        return connection_lost(target)
    if state.startswith(("22", "23")) or isinstance(error, psycopg.DataError):
        table = error.diag.table_name or "a table"
        return InvalidValueError(f"{target.location} refused a row of {table} (SQLSTATE {state or 'none'})")
    return StorageError(
        f"{target.location} failed (SQLSTATE {state or 'none'})", next_step="Look into the server's log for the statement"
    )


def translate_connecting(error: psycopg.Error, target: PostgresTarget) -> AuriteError:
    """Aurite's error for a connection that could not be made: told apart by SQLSTATE, or else by libpq's words."""
    if error.sqlstate in _BY_STATE:
        return _said(_BY_STATE[error.sqlstate or ""], target)
    text = _without_names(str(error), target)
    for words, meaning in _BY_TEXT:
        if words in text:
            return _said(meaning, target)
    return StoreUnavailableError(
        f"no connection to {target.location} (SQLSTATE {error.sqlstate or 'none'})",
        next_step="Check AURITE_DB_HOST and AURITE_DB_PORT",
    )


def _without_names(text: str, target: PostgresTarget) -> str:
    # A database may be named like the words of an error.
    for name in (target.user, target.dbname, target.host):
        text = text.replace(f'"{name}"', '""').replace(repr(name), '""')
    return text


def connection_lost(target: PostgresTarget) -> StoreUnavailableError:
    """The error for a connection that broke before anything was committed."""
    return StoreUnavailableError(
        f"the connection to {target.location} was lost; nothing of this was written", next_step="Try again; nothing needs a restart"
    )


def schema_missing(target: PostgresTarget) -> StorageError:
    """The error for a schema that is not there and may not be made."""
    return _said(_BY_STATE["3F000"], target)


def outcome_unknown(target: PostgresTarget) -> OutcomeUnknownError:
    """The error for a connection that broke after the commit was sent."""
    return OutcomeUnknownError(
        f"the connection to {target.location} broke while the write was being committed: it may or may not be there",
        next_step="Look whether it is there, then run the command again",
    )


def _said(meaning: Meaning, target: PostgresTarget) -> StorageError:
    kind, message, next_step = meaning
    facts = {
        "user": target.user,
        "quoted_user": quoted(target.user),
        "quoted_dbname": quoted(target.dbname),
        "host": target.host,
        "port": target.port,
        "dbname": target.dbname,
        "location": target.location,
        "schema": quoted(target.schema or "public"),
        "connect_timeout": target.connect_timeout,
    }
    return kind(message.format(**facts), next_step=next_step.format(**facts))
