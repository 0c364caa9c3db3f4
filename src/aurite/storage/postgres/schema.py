"""Which schema a PostgreSQL database has, and the steps to the one that this version wants."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from aurite.errors import SchemaOutdatedError, SchemaTooNewError, StoreUnavailableError
from aurite.storage.engine import Transaction
from aurite.storage.postgres.errors import schema_missing
from aurite.storage.postgres.target import PostgresTarget, quoted
from aurite.storage.schema import CURRENT, EMPTY, Migration, migrations

if TYPE_CHECKING:
    from aurite.storage.postgres.database import PostgresDatabase

_LOCK = 0x41757274
"""First half of the advisory lock's key; the second is the schema, so that two schemas do not wait for each other."""

OF_0_4 = -1
"""The schema version that stands for the tables of Aurite 0.4."""


def prepare(database: PostgresDatabase, *, auto_upgrade: bool) -> None:
    """Create the schema where there is none; upgrade an older one where that is asked for.

    Raises:
        SchemaTooNewError: a newer Aurite wrote it.
        SchemaOutdatedError: it is older, or of Aurite 0.4, and may not be upgraded unasked.
        StorageError: the tables cannot be made.
    """
    with database.snapshot() as view:
        version = schema_version(view)
    if version == CURRENT["postgresql"]:
        return
    require_usable(version, database.location)
    if version > EMPTY and not auto_upgrade:
        raise SchemaOutdatedError(
            f"the database {database.location} has schema {version}, older than this version's {CURRENT['postgresql']}",
            next_step="Upgrade it with aurite db upgrade, or set AURITE_DB_AUTO_UPGRADE=true",
        )
    upgrade(database)


def upgrade(database: PostgresDatabase) -> list[Migration]:
    """The steps that were carried out: all in one transaction, under a lock, after a second look."""
    with database.transaction() as work:
        return upgrade_within(work, database.target)


def upgrade_within(work: Transaction, target: PostgresTarget) -> list[Migration]:
    """The same inside a transaction that goes on: what follows and the tables become visible together."""
    lock_schema(work, target)
    if target.schema is not None:
        _make_schema(work, target)
    version = schema_version(work)
    require_usable(version, target.location)
    steps = pending(version)
    if steps:
        _require_utf8(work, target.location)
    for step in steps:
        _apply(work, step)
    return steps


def pending_script(database: PostgresDatabase) -> str:
    """The SQL of the steps that a database lacks, for an administrator to run in one transaction; empty where it lacks none.

    Raises:
        SchemaTooNewError, SchemaOutdatedError: as for :func:`prepare`.
    """
    with database.snapshot() as view:
        version = schema_version(view)
    require_usable(version, database.location)
    steps = pending(version)
    if not steps:
        return ""
    parts = ["BEGIN;", *(_whole_script(step) for step in steps), "COMMIT;"]
    return "\n".join(parts)


def pending(version: int) -> list[Migration]:
    """The steps that a database of a version still lacks."""
    return [step for step in migrations("postgresql") if step.version > max(version, EMPTY)]


def schema_version(view: Transaction) -> int:
    """The number of the last step that a database has; 0 where there are no tables of ours, -1 for those of Aurite 0.4."""
    # Not to_regclass(): it may answer from the server's cache, which misses tables made while this waited for the lock.
    found = view.row(
        "SELECT count(DISTINCT relname) FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace"
        " WHERE nspname = ANY (current_schemas(false)) AND relkind IN ('r', 'p') AND relname IN ('schema_migrations', 'store_meta')"
    )
    if found == (2,):
        version: int = (view.row("SELECT coalesce(max(version), 0) FROM schema_migrations") or (EMPTY,))[0]
        return version
    legacy = view.row(
        "SELECT 1 FROM pg_attribute WHERE attrelid = to_regclass('components') AND attname = 'component_type' AND NOT attisdropped"
    )
    return OF_0_4 if legacy else EMPTY


def require_usable(version: int, location: str) -> None:
    if version > CURRENT["postgresql"]:
        raise SchemaTooNewError(
            f"the database {location} has schema {version}, newer than this version of Aurite, which knows {CURRENT['postgresql']}",
            next_step="Install the newer version: pip install --upgrade aurite",
        )
    if version == OF_0_4:
        raise SchemaOutdatedError(
            f"the database {location} was written by Aurite 0.4 and is not converted unasked",
            next_step="Convert it with aurite db upgrade (in place), or copy it into a new one with aurite migrate",
        )


def lock_schema(work: Transaction, target: PostgresTarget) -> None:
    """Wait for the turn to change the schema; it lasts until the transaction ends."""
    name = target.schema or (work.row("SELECT current_schema()::text") or (None,))[0]
    if name is None:
        raise StoreUnavailableError(f"no schema of the search path exists in {target.location}", next_step="Set AURITE_DB_SCHEMA")
    work.rows("SELECT pg_advisory_xact_lock($1::int, hashtext($2::text))", _LOCK, name)


def _make_schema(work: Transaction, target: PostgresTarget) -> None:
    schema = target.schema or ""
    if work.row("SELECT 1 FROM pg_namespace WHERE nspname = $1", schema) is not None:
        return
    if work.row("SELECT has_database_privilege(current_database(), 'CREATE')") == (False,):
        raise schema_missing(target)
    work.run(f"CREATE SCHEMA {quoted(schema)}")


def _require_utf8(work: Transaction, location: str) -> None:
    encoding = (work.row("SELECT current_setting('server_encoding')") or ("",))[0]
    if encoding != "UTF8":
        raise StoreUnavailableError(
            f"the database {location} has the encoding {encoding}, which cannot hold every text",
            next_step="Create it with ENCODING 'UTF8', as aurite db create does",
        )


def _apply(work: Transaction, step: Migration) -> None:
    work.run(_whole_script(step))


def _whole_script(step: Migration) -> str:
    """A step with its record, as one text; the first also makes the tables that records and counter live in."""
    record = (
        "INSERT INTO schema_migrations (version, name, applied_at)"
        f" VALUES ({step.version}, '{step.name}', (extract(epoch FROM clock_timestamp()) * 1000000)::bigint);"
    )
    if step.version > 1:
        return f"{step.script}\n{record}\n"
    records = "CREATE TABLE schema_migrations (version INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_at BIGINT NOT NULL);"
    counter = f"INSERT INTO store_meta (id, store_id, created_at) VALUES (1, '{uuid.uuid4()}', aurite_now());"
    return f"{records}\n\n{step.script}\n{counter}\n{record}\n"
