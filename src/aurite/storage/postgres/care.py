"""A PostgreSQL database described, checked and vacuumed, for ``aurite db status``, ``check`` and ``vacuum``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg

from aurite.errors import StorageError, StoreReadOnlyError
from aurite.model.records import Problem
from aurite.storage.engine import Transaction
from aurite.storage.postgres.connections import connect
from aurite.storage.postgres.errors import connection_lost, translate
from aurite.storage.postgres.schema import pending, schema_version
from aurite.storage.schema import EMPTY
from aurite.storage.tables import TABLES

if TYPE_CHECKING:
    from aurite.storage.postgres.database import PostgresDatabase


def describe(database: PostgresDatabase) -> dict[str, object]:
    """Where it is, versions, pending steps, rows per table, and sizes in bytes."""
    with database.snapshot() as view:
        version = schema_version(view)
        if version <= EMPTY or pending(version):
            return _not_ready(database, version)
        config = view.row("SELECT config_version, store_id FROM store_meta")
        rows = {table: (view.row(f"SELECT count(*) FROM {table}") or (0,))[0] for table in TABLES}
        sizes = {table: (view.row("SELECT pg_total_relation_size($1::text::regclass)", table) or (0,))[0] for table in TABLES}
        server = view.row("SELECT current_setting('server_version'), current_user, current_schema(), pg_is_in_recovery()")
    if not (config and server):
        raise StorageError(f"the database {database.location} gives no account of itself", next_step="Run aurite db check")
    return {
        "engine": "postgresql",
        "engine_version": server[0],
        "location": database.location,
        "user": server[1],
        "schema": server[2],
        "in_recovery": server[3],
        "store_id": config[1],
        "schema_version": version,
        "pending_steps": [f"{step.version:04d}_{step.name}" for step in pending(version)],
        "config_version": config[0],
        "rows": rows,
        "bytes": sum(sizes.values()),
        "table_bytes": sizes,
        "pool_size": database.target.pool_size,
        "pgbouncer": database.target.pgbouncer,
    }


def _not_ready(database: PostgresDatabase, version: int) -> dict[str, object]:
    schema = "of Aurite 0.4" if version < EMPTY else version
    steps = [f"{step.version:04d}_{step.name}" for step in pending(version)]
    return {"engine": "postgresql", "location": database.location, "schema_version": schema, "pending_steps": steps}


def examine(database: PostgresDatabase, *, thorough: bool = True) -> list[Problem]:
    """What is wrong: counts that do not fit, components beside their history, triggers switched off, broken indexes.

    Args:
        thorough: compare tables with each other, too.
    """
    with database.snapshot() as view:
        problems = _differences(view) if thorough else []
        problems += [
            Problem(f"table {table}", f"the trigger {trigger} is switched off, so edits by hand are not seen")
            for table, trigger in view.rows(
                "SELECT relname, tgname FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid"
                " WHERE tgrelid = to_regclass('components') AND NOT tgisinternal AND tgenabled = 'D'"
            )
        ]
        problems += [
            Problem(f"table {table}", f"its index {index} is not valid; run: REINDEX INDEX {index}")
            for table, index in view.rows(
                "SELECT indrelid::regclass::text, indexrelid::regclass::text FROM pg_index"
                " WHERE NOT indisvalid AND indrelid IN (SELECT to_regclass(name) FROM unnest($1::text[]) AS name)",
                list(TABLES),
            )
        ]
    return problems


def _differences(view: Transaction) -> list[Problem]:
    """Rows of tables that do not fit each other."""
    problems: list[Problem] = []
    problems += [
        Problem(f"sessions {session_id!r}", f"message_count says {said}, but there are {found} messages up to number {last}")
        for session_id, said, found, last in view.rows(
            "SELECT sessions.session_id, message_count, count(seq), coalesce(max(seq), 0) FROM sessions"
            " LEFT JOIN messages ON messages.session_id = sessions.session_id GROUP BY sessions.session_id"
            " HAVING message_count <> count(seq) OR message_count <> coalesce(max(seq), 0) LIMIT 20"
        )
    ]
    problems += [
        Problem(f"components {type_} {name!r}", "its newest revision does not hold its present value")
        for type_, name in view.rows(
            "SELECT components.type, components.name FROM components LEFT JOIN component_revisions AS newest"
            " ON newest.type = components.type AND newest.name = components.name AND newest.revision = components.revision"
            " WHERE newest.document IS DISTINCT FROM components.document LIMIT 20"
        )
    ]
    return problems


def vacuum(database: PostgresDatabase) -> tuple[int, int]:
    """The bytes that the tables took before and after dead rows were cleared away and the planner's statistics renewed.

    Readers and writers go on. The tables use the space of dead rows again; only what lies at their ends goes back to the disk.

    Raises:
        StoreReadOnlyError: the tables belong to another role, which alone may vacuum them.
        StorageError: it could not be done.
    """
    with database.snapshot() as view:
        names = [
            name
            for (name,) in view.rows(
                "SELECT format('%I.%I', nspname, relname) FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace"
                " WHERE pg_class.oid IN (SELECT to_regclass(name) FROM unnest($1::text[]) AS name)",
                ["store_meta", "schema_migrations", *TABLES],
            )
        ]
        before = _bytes(view, names)
    target, warnings = database.target, []
    connection = connect(target)
    try:
        connection.add_notice_handler(lambda notice: warnings.append(notice.severity_nonlocalized))
        for name in names:
            connection.execute(f"VACUUM (ANALYZE) {name}")
    except psycopg.Error as error:
        raise connection_lost(target) if connection.closed else translate(error, target) from error
    finally:
        connection.close()
    if "WARNING" in warnings:  # how PostgreSQL says that it left a table out
        raise StoreReadOnlyError(
            f"not every table of {database.location} was vacuumed: user {target.user!r} does not own them",
            next_step="Run the command as their owner; autovacuum sees to them meanwhile",
        )
    with database.snapshot() as view:
        return before, _bytes(view, names)


def _bytes(view: Transaction, names: list[str]) -> int:
    found = view.row(
        "SELECT coalesce(sum(pg_total_relation_size(name::regclass)), 0)::bigint FROM unnest($1::text[]) AS name", names
    )
    size: int = found[0] if found else 0
    return size
