"""The table of every variable that Aurite reads: ``settings.py``, ``aurite config show`` and the README follow from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, TypeAlias

Kind = Literal["text", "path", "flag", "presence", "whole", "seconds", "choice"]
Value: TypeAlias = str | bool | int | float | None

FLAGS: Mapping[str, bool] = MappingProxyType(
    {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}
)


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable: how its text is read, what holds without it, and how people are told about it."""

    name: str
    attribute: str
    """The attribute of ``Settings`` that holds its value."""
    section: str
    description: str
    default: str | None = None
    """As text, read by the same rules; None: not set."""
    kind: Kind = "text"
    secret: bool = False
    choices: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """What may be written, in lower case, and what it stands for."""
    low: int = 0
    high: int = 0

    @property
    def allowed(self) -> str:
        """What a value may be, for messages and tables."""
        if self.kind == "choice":
            return ", ".join(self.choices)
        if self.kind == "flag":
            return "true, false, 1, 0, yes, no, on, off"
        if self.kind == "whole":
            return f"a whole number from {self.low} to {self.high}"
        if self.kind == "seconds":
            return f"a number of seconds from {self.low} to {self.high}"
        return "any text"

    def read(self, text: str) -> Value:
        """The value that the text stands for.

        Raises:
            ValueError: it is none of ``allowed``.
        """
        if self.kind in ("text", "path"):
            return text
        if self.kind == "presence":
            return True
        plain = text.strip().lower()
        if self.kind == "flag":
            return _look_up(FLAGS, plain)
        if self.kind == "choice":
            return _look_up(self.choices, plain)
        return self._number(plain)

    def _number(self, plain: str) -> int | float:
        if not plain.isascii() or "_" in plain:
            raise ValueError(plain)
        number = int(plain) if self.kind == "whole" else float(plain)
        if not self.low <= number <= self.high:
            raise ValueError(plain)
        return number


def _look_up(table: Mapping[str, str] | Mapping[str, bool], plain: str) -> str | bool:
    if plain not in table:
        raise ValueError(plain)
    return table[plain]


def _choices(*words: str, **aliases: str) -> Mapping[str, str]:
    return MappingProxyType({**{word.lower(): word for word in words}, **aliases})


_STORE, _SQLITE, _POSTGRES, _SERVICE, _OUTPUT = "Store", "SQLite", "PostgreSQL", "Service", "Output"
_LOG_LEVELS = _choices("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL", warn="WARNING", fatal="CRITICAL")
_SSL_MODES = _choices("disable", "allow", "prefer", "require", "verify-ca", "verify-full")

VARIABLES: tuple[Variable, ...] = (
    Variable(
        "AURITE_ENABLE_DB", "enable_db", _STORE, "Keep components and sessions in a database instead of files", "false", "flag"
    ),
    Variable(
        "AURITE_DB_TYPE",
        "db_type",
        _STORE,
        "Which database: `sqlite` or `postgresql` (`postgres` means the same)",
        "sqlite",
        "choice",
        choices=_choices("sqlite", "postgresql", postgres="postgresql"),
    ),
    Variable(
        "AURITE_CONFIG_FORCE_REFRESH",
        "force_refresh",
        _STORE,
        "Ask the database for changes before every single read",
        "false",
        "flag",
    ),
    Variable(
        "AURITE_DB_PATH",
        "db_path",
        _SQLITE,
        "The database file; a relative path starts at the project's folder",
        ".aurite_db/aurite.db",
        "path",
    ),
    Variable(
        "AURITE_DB_SYNCHRONOUS",
        "db_synchronous",
        _SQLITE,
        "When a write counts as done: `FULL` is on disk; `NORMAL` may lose the last writes at power loss",
        "FULL",
        "choice",
        choices=_choices("FULL", "NORMAL", "EXTRA", "OFF"),
    ),
    Variable(
        "AURITE_DB_HOST", "db_host", _POSTGRES, "Host name, IPv4 or IPv6 address, or the folder of the server's socket", "localhost"
    ),
    Variable("AURITE_DB_PORT", "db_port", _POSTGRES, "The server's port", "5432", "whole", low=1, high=65535),
    Variable("AURITE_DB_USER", "db_user", _POSTGRES, "The role to connect as; required for PostgreSQL"),
    Variable("AURITE_DB_PASSWORD", "db_password", _POSTGRES, "The role's password", secret=True),
    Variable("AURITE_DB_PASSWORD_FILE", "db_password_file", _POSTGRES, "A file that holds the password instead", kind="path"),
    Variable("AURITE_DB_NAME", "db_name", _POSTGRES, "The database's name", "aurite_storage"),
    Variable("AURITE_DB_URL", "db_url", _POSTGRES, "A libpq URI that wins over the variables above", secret=True),
    Variable(
        "AURITE_DB_SSLMODE",
        "db_sslmode",
        _POSTGRES,
        "How the connection is encrypted and the server checked",
        "prefer",
        "choice",
        choices=_SSL_MODES,
    ),
    Variable("AURITE_DB_SSLROOTCERT", "db_sslrootcert", _POSTGRES, "The file of certificate authorities, or `system`", kind="path"),
    Variable("AURITE_DB_SCHEMA", "db_schema", _POSTGRES, "The schema of the tables; otherwise the first of the role's search path"),
    Variable("AURITE_DB_POOL_SIZE", "db_pool_size", _POSTGRES, "Most connections of one process", "10", "whole", low=1, high=1000),
    Variable(
        "AURITE_DB_POOL_TIMEOUT",
        "db_pool_timeout",
        _POSTGRES,
        "Seconds to wait for a free connection",
        "30",
        "seconds",
        high=3600,
    ),
    Variable(
        "AURITE_DB_CONNECT_TIMEOUT",
        "db_connect_timeout",
        _POSTGRES,
        "Seconds to wait for the server to answer",
        "10",
        "whole",
        low=2,  # libpq takes less for 2 anyway
        high=3600,
    ),
    Variable(
        "AURITE_DB_STATEMENT_TIMEOUT",
        "db_statement_timeout",
        _POSTGRES,
        "Seconds that one statement may take; 0 for no limit",
        "0",
        "seconds",
        high=86400,
    ),
    Variable("AURITE_DB_APPLICATION_NAME", "db_application_name", _POSTGRES, "The name shown in `pg_stat_activity`", "aurite"),
    Variable("AURITE_DB_PGBOUNCER", "db_pgbouncer", _POSTGRES, "The server is a PgBouncer in transaction mode", "false", "flag"),
    Variable("AURITE_DB_REPLICA_HOST", "db_replica_host", _POSTGRES, "A read replica that serves the listing of sessions"),
    Variable(
        "AURITE_DB_AUTO_UPGRADE",
        "db_auto_upgrade",
        _POSTGRES,
        "Upgrade an older schema without being asked; SQLite always does",
        "false",
        "flag",
    ),
    Variable("API_KEY", "api_key", _SERVICE, "The key that clients of the service send as `X-API-Key`", secret=True),
    Variable("PORT", "port", _SERVICE, "The service's port", "8000", "whole", high=65535),
    Variable("AURITE_API_HOST", "api_host", _SERVICE, "The address that the service listens on", "0.0.0.0"),  # noqa: S104 - 0.4's
    Variable(
        "AURITE_API_GRACE",
        "api_grace",
        _SERVICE,
        "Seconds for which runs may go on when the service is told to stop, before they are cancelled",
        "20",
        "seconds",
        high=3600,
    ),
    Variable(
        "AURITE_CORS_ORIGINS",
        "cors_origins",
        _SERVICE,
        "Origins of web pages that may call the service, separated by commas, or `*`; none where it is not set",
    ),
    Variable("ENV", "env", _SERVICE, "What this installation is: `development`, `production` or another word", "development"),
    Variable("AURITE_AUTO_EXPORT", "auto_export", _SERVICE, "Export the component files when the container starts", "true", "flag"),
    Variable(
        "AURITE_WAIT_FOR_DB",
        "wait_for_db",
        _SERVICE,
        "Seconds for which the container waits for a PostgreSQL server that does not answer yet",
        "60",
        "seconds",
        high=86400,
    ),
    Variable("LOG_LEVEL", "log_level", _OUTPUT, "The least severe messages that are logged", "INFO", "choice", choices=_LOG_LEVELS),
    Variable("NO_COLOR", "no_color", _OUTPUT, "Any value: no colours in output", kind="presence"),
)
