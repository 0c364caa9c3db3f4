"""Where a PostgreSQL database is and how to connect to it: from settings or from a URI, never built as a URL by hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from aurite.errors import SettingsError
from aurite.settings import Secret, Settings

_KEEP_ALIVE = {"keepalives_idle": "30", "keepalives_interval": "10", "keepalives_count": "3"}
"""Within a minute a connection that a firewall has dropped without a word shows as broken, so that nobody is given it."""

_VARIABLES = {"host": "AURITE_DB_HOST", "user": "AURITE_DB_USER", "dbname": "AURITE_DB_NAME", "password": "AURITE_DB_PASSWORD"}


@dataclass(frozen=True, slots=True)
class PostgresTarget:
    """One database on one server, with all that a connection needs."""

    host: str
    """One, or several separated by commas, as a URI may say: the first that answers is taken."""
    port: int | str
    """One, or as many as hosts."""
    user: str
    dbname: str
    password: Secret | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)
    """Further libpq parameters: sslmode, sslrootcert, application_name, connect_timeout, ..."""
    schema: str | None = None
    statement_timeout: float = 0
    """Seconds; 0 for no limit."""
    pool_size: int = 10
    pool_timeout: float = 30
    """Seconds to wait for a free connection."""
    pgbouncer: bool = False
    """Behind a PgBouncer in transaction mode: nothing may outlive a transaction."""

    @property
    def location(self) -> str:
        """Host, port and database, for people."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.dbname} on {host}:{self.port}" if not self.host.startswith("/") else f"{self.dbname} at {self.host}"

    @property
    def connect_timeout(self) -> int:
        """Seconds within which a connection is there, or an error."""
        return int(self.parameters.get("connect_timeout", "10"))

    def at(self, host: str) -> PostgresTarget:
        """The same database on another host, a replica for instance."""
        return replace(self, host=host)

    def connect_arguments(self) -> dict[str, Any]:
        """Keyword arguments for ``psycopg.connect``; they hold the password.

        Raises:
            SettingsError: a value cannot be sent to any server.
        """
        arguments: dict[str, Any] = {
            **_KEEP_ALIVE,
            **self.parameters,
            "host": self.host,
            "port": self.port,
            "user": self.user,
            "dbname": self.dbname,
        }
        if self.password is not None:
            arguments["password"] = self.password.reveal()
        for name, variable in _VARIABLES.items():
            if not _can_be_sent(arguments.get(name, "")):
                raise SettingsError(f"{variable} holds a zero character or is not UTF-8 text", next_step=f"Change {variable}")
        return arguments


def target_from_settings(settings: Settings) -> PostgresTarget:
    """The database that the settings name; ``AURITE_DB_URL`` wins over the parts.

    Raises:
        SettingsError: something needed is missing, or the URI cannot be read.
    """
    parameters = {
        "sslmode": settings.db_sslmode,
        "application_name": settings.db_application_name,
        "connect_timeout": str(settings.db_connect_timeout),
    }
    if settings.db_sslrootcert:
        parameters["sslrootcert"] = settings.db_sslrootcert
    target = PostgresTarget(
        host=settings.db_host,
        port=settings.db_port,
        user=settings.db_user or "",
        dbname=settings.db_name,
        password=settings.database_password(),
        parameters=parameters,
        schema=settings.db_schema,
        statement_timeout=settings.db_statement_timeout,
        pool_size=settings.db_pool_size,
        pool_timeout=settings.db_pool_timeout,
        pgbouncer=settings.db_pgbouncer,
    )
    if settings.db_url is not None:
        return _with_uri(target, settings.db_url)
    if not settings.db_user:
        raise SettingsError("AURITE_DB_USER is not set, and PostgreSQL needs it", next_step="Set it in the environment or in .env")
    return target


def _with_uri(target: PostgresTarget, uri: Secret) -> PostgresTarget:
    import psycopg
    from psycopg.conninfo import conninfo_to_dict

    try:
        parts = {key: str(value) for key, value in conninfo_to_dict(uri.reveal()).items() if value is not None}
        port = ",".join(str(int(part)) for part in parts.pop("port", str(target.port)).split(","))
        int(parts.get("connect_timeout", "0"))
    except (psycopg.Error, ValueError):
        raise SettingsError(  # the cause would show the URI, which holds the password
            "AURITE_DB_URL cannot be read", next_step="It looks like postgresql://user:password@host:5432/database"
        ) from None
    password = parts.pop("password", None)
    return replace(
        target,
        host=parts.pop("host", target.host),
        port=int(port) if port.isdecimal() else port,
        user=parts.pop("user", target.user),
        dbname=parts.pop("dbname", target.dbname),
        password=Secret(password) if password is not None else target.password,
        parameters={**target.parameters, **parts},
    )


def quoted(identifier: str) -> str:
    """The identifier as SQL wants it."""
    return '"' + identifier.replace('"', '""') + '"'


def _can_be_sent(text: str) -> bool:
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)
