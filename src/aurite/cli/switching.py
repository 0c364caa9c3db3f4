"""The lines of ``.env`` that switch a project over to another database; passwords are left out of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from aurite.cli.output import remark
from aurite.settings import Setting, Settings

_PLAIN = re.compile(r"[\w./:@%+,-]*", re.ASCII)


def to_file(path: Path, settings: Settings) -> dict[str, str]:
    """The variables that name a SQLite file: by a path from the project where it lies inside."""
    shown = path.relative_to(settings.root) if path.is_relative_to(settings.root) else path
    return {"AURITE_ENABLE_DB": "true", "AURITE_DB_TYPE": "sqlite", "AURITE_DB_PATH": str(shown)}


def to_server(
    settings: Settings, *, host: str, port: int | str, user: str, name: str, schema: str | None, with_password: bool
) -> dict[str, str]:
    """The variables that name a PostgreSQL database; the one of its password is empty."""
    password = {"AURITE_DB_PASSWORD": ""} if with_password else {}
    if with_password and settings.db_password_file is not None:
        password = {"AURITE_DB_PASSWORD_FILE": settings.secret("AURITE_DB_PASSWORD_FILE") or str(settings.db_password_file)}
    return {
        "AURITE_ENABLE_DB": "true",
        "AURITE_DB_TYPE": "postgresql",
        "AURITE_DB_HOST": host,
        "AURITE_DB_PORT": str(port),
        "AURITE_DB_USER": user,
        **password,
        "AURITE_DB_NAME": name,
        **({"AURITE_DB_SCHEMA": schema} if schema else {}),
    }


def lines(variables: Mapping[str, str]) -> list[str]:
    """The lines of ``.env``, quoted where they have to be."""
    return [f"{name}={_quoted(value)}" for name, value in variables.items()]


def tell(variables: Mapping[str, str], settings: Settings) -> None:
    """On standard error: the lines, and what else has to be done."""
    remark(f"To use it from now on, let {settings.root / '.env'} have these lines, and restart your services:")
    for line in lines(variables):
        remark(line)
    if variables.get("AURITE_DB_PASSWORD") == "":
        remark("The password is not shown: write it behind AURITE_DB_PASSWORD=, or keep the line that is there.")
    if settings.db_url is not None and variables["AURITE_DB_TYPE"] == "postgresql":
        remark(
            "AURITE_DB_URL wins over these: take it out."
            if "AURITE_DB_HOST" in variables
            else "AURITE_DB_URL names the database and stays as it is."
        )
    stronger = [entry.name for entry in settings.entries if entry.source == "environment" and _differs(entry, variables, settings)]
    if stronger:
        remark(f"Change in the environment, which wins over .env: {', '.join(stronger)}.")


def _differs(entry: Setting, variables: Mapping[str, str], settings: Settings) -> bool:
    wanted = variables.get(entry.name)
    if not wanted or entry.value is None:
        return False
    if entry.variable.kind == "path":
        return settings.root / wanted != settings.root / entry.value
    return entry.variable.read(wanted) != entry.variable.read(entry.value)


def _quoted(value: str) -> str:
    if _PLAIN.fullmatch(value):
        return value
    if "'" not in value and "\n" not in value:
        return f"'{value}'"
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
