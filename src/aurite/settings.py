"""What holds for this start of Aurite: the only reader of the environment and of the project's ``.env``.

The real environment wins over ``.env``, ``.env`` over the defaults of ``variables.py``. A variable set to nothing counts as not
set. A value that cannot be used is refused at once, even where this mode would not need it.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, cast, final

from aurite import dotenv
from aurite.errors import SettingsError
from aurite.variables import VARIABLES, Variable

ANCHOR = ".aurite"
MASK = "********"
_PASSWORD_FILE_LIMIT = 64 * 1024
_PASSWORDS = {
    "source": ("AURITE_SOURCE_DB_PASSWORD", "AURITE_SOURCE_DB_PASSWORD_FILE"),
    "target": ("AURITE_TARGET_DB_PASSWORD", "AURITE_TARGET_DB_PASSWORD_FILE"),
}


@final
class Secret:
    """A text that shows itself only where it is asked to."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself; hand it on at once and keep no copy."""
        return self._text

    def __repr__(self) -> str:
        return MASK

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash((Secret, self._text))


@final
class Environment(Mapping[str, str]):
    """Names and values, the real environment over ``.env``; its ``repr`` shows none of them."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values: Mapping[str, str] = MappingProxyType(dict(values))

    def assign(self, name: str, value: str) -> None:
        """Have another value for what this process starts from now on; the process's own environment stays as it is."""
        self._values = MappingProxyType({**self._values, name: value})

    def __getitem__(self, name: str) -> str:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"<{len(self)} variables>"


@dataclass(frozen=True, slots=True)
class Setting:
    """One line of ``aurite config show``."""

    name: str
    value: str | None
    """As written; ``********`` for a secret; None where it is not set and has no default."""
    source: str
    """``environment``, ``/folder/.env:7``, ``default`` or ``not set``."""
    variable: Variable


@dataclass(frozen=True)
class Settings:
    """Every setting with its value; no ``repr`` of it shows a secret."""

    root: Path
    """The project: the folder of the nearest ``.aurite``; without one, the folder that was started in."""
    anchor: Path | None
    """That ``.aurite`` file."""
    user: str
    """The login name, for the record of who changed what."""
    enable_db: bool
    db_type: Literal["sqlite", "postgresql"]
    force_refresh: bool
    db_path: Path
    """Absolute; a relative value starts at ``root``."""
    db_synchronous: Literal["FULL", "NORMAL", "EXTRA", "OFF"]
    db_host: str
    db_port: int
    db_user: str | None
    db_password: Secret | None
    """As the variable says; :meth:`database_password` is the one to connect with."""
    db_password_file: Path | None
    db_name: str
    db_url: Secret | None
    db_sslmode: str
    db_sslrootcert: str | None
    """An absolute path, or ``system``."""
    db_schema: str | None
    db_pool_size: int
    db_pool_timeout: float
    db_connect_timeout: int
    db_statement_timeout: float
    """Seconds; 0 for no limit."""
    db_application_name: str
    db_pgbouncer: bool
    db_replica_host: str | None
    db_auto_upgrade: bool
    api_key: Secret | None
    port: int
    api_host: str
    api_grace: float
    """Seconds."""
    cors_origins: str | None
    env: str
    auto_export: bool
    wait_for_db: float
    """Seconds."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]
    no_color: bool
    entries: tuple[Setting, ...] = field(repr=False)
    """All variables in the order of the table, for people."""
    environment: Mapping[str, str] = field(repr=False)
    """All names and values, the real environment over ``.env``: what programs that Aurite starts may be given."""
    warnings: tuple[str, ...] = ()
    """What people should hear about their ``.env`` and misspelt variables; never holds a value."""

    @classmethod
    def from_env(cls, start: Path | None = None) -> Settings:
        """The settings that hold in a folder, the current one unless given.

        Raises:
            SettingsError: a variable's value cannot be used, or ``.env`` cannot be read; the message has every such variable.
        """
        folder = _folder(start)
        anchor = find_anchor(folder)
        root = anchor.parent if anchor else folder
        file = dotenv.read(root / ".env")
        texts = {name: entry.value for name, entry in file.entries.items()}
        sources = {name: f"{file.path}:{entry.line}" for name, entry in file.entries.items() if entry.value}
        for name, text in os.environ.items():
            if text or name not in texts:
                texts[name] = text
            if text:
                sources[name] = "environment"
        entries, values = _read_all(texts, sources)
        return cls(
            root=root,
            anchor=anchor,
            user=_login_name(),
            **_typed(values, root),
            entries=entries,
            environment=Environment(texts),
            warnings=file.warnings + tuple(_misspelt(texts)),
        )

    def secret(self, name: str) -> str | None:
        """The value of any variable, such as a provider's key, from the environment or ``.env``; None where it is not set."""
        return self.environment.get(name) or None

    def database_password(self) -> Secret | None:
        """The password to connect with, from ``AURITE_DB_PASSWORD`` or the file that ``AURITE_DB_PASSWORD_FILE`` names.

        The one that the real environment sets wins over one in ``.env``.

        Raises:
            SettingsError: both are set side by side, or the file cannot be read, is empty, or is no text.
        """
        if self.db_password_file is None:
            return self.db_password
        if self.db_password is not None:
            of_environment = [self._is_from_environment(name) for name in ("AURITE_DB_PASSWORD", "AURITE_DB_PASSWORD_FILE")]
            if of_environment[0] == of_environment[1]:
                raise SettingsError("AURITE_DB_PASSWORD and AURITE_DB_PASSWORD_FILE are both set", next_step="Keep one of them.")
            if of_environment[0]:
                return self.db_password
        return _read_password(self.db_password_file, "AURITE_DB_PASSWORD_FILE")

    def password_of(self, side: Literal["source", "target"]) -> Secret | None:
        """The password of one side of a move, where it has one of its own.

        It comes from ``AURITE_SOURCE_DB_PASSWORD`` or ``AURITE_TARGET_DB_PASSWORD``, or from the file that the variable with
        ``_FILE`` behind it names.

        Raises:
            SettingsError: as :meth:`database_password`.
        """
        text_name, file_name = _PASSWORDS[side]
        text, file = self.secret(text_name), self.secret(file_name)
        if text and file:
            raise SettingsError(f"{text_name} and {file_name} are both set", next_step="Keep one of them.")
        if file:
            return _read_password(_from_root(file, self.root), file_name)
        return Secret(text) if text else None

    def _is_from_environment(self, name: str) -> bool:
        return any(entry.name == name and entry.source == "environment" for entry in self.entries)


def find_anchor(start: Path) -> Path | None:
    """The nearest ``.aurite`` file, from a folder upwards; a folder of that name is none."""
    folder = start.resolve()
    for candidate in (folder, *folder.parents):
        # os.path asks without raising where a folder above may not be entered.
        if os.path.isfile(candidate / ANCHOR):  # noqa: PTH113 - Path.is_file raises PermissionError
            return candidate / ANCHOR
    return None


def variables() -> tuple[Variable, ...]:
    """Every variable that Aurite reads, in the order in which people are told about them."""
    return VARIABLES


def _folder(start: Path | None) -> Path:
    try:
        return (start or Path.cwd()).resolve()
    except FileNotFoundError as error:
        raise SettingsError("the current folder does not exist any more", next_step="Change to one that does.") from error


def _read_all(texts: Mapping[str, str], sources: Mapping[str, str]) -> tuple[tuple[Setting, ...], dict[str, Any]]:
    entries: list[Setting] = []
    values: dict[str, Any] = {}
    wrong: list[str] = []
    for variable in VARIABLES:
        is_set = variable.name in sources
        text = texts[variable.name] if is_set else variable.default
        source = sources.get(variable.name, "not set" if text is None else "default")
        try:
            values[variable.attribute] = None if text is None else variable.read(text)
        except ValueError:
            wrong.append(f"{variable.name} ({source}) is {_shortened(text)}; allowed: {variable.allowed}")
        entries.append(Setting(variable.name, MASK if is_set and variable.secret else text, source, variable))
    if wrong:
        names = ", ".join(line.split(" ", 1)[0] for line in wrong)
        raise SettingsError("; ".join(wrong), next_step=f"Change or unset {names}.")
    return tuple(entries), values


def _shortened(text: str | None) -> str:
    return repr(text) if text is None or len(text) <= 40 else repr(text[:40]) + "..."


def _typed(values: dict[str, Any], root: Path) -> dict[str, Any]:
    """The values as ``Settings`` holds them: paths from the root, secrets wrapped."""
    typed = dict(values)
    for variable in VARIABLES:
        value = values[variable.attribute]
        if variable.secret and value is not None:
            typed[variable.attribute] = Secret(value)
    typed["db_path"] = _from_root(values["db_path"], root)
    typed["db_password_file"] = values["db_password_file"] and _from_root(values["db_password_file"], root)
    certificate = cast("str | None", values["db_sslrootcert"])
    if certificate not in (None, "system"):
        typed["db_sslrootcert"] = str(_from_root(certificate, root))
    typed["no_color"] = bool(values["no_color"])
    return typed


def _from_root(text: str, root: Path) -> Path:
    path = Path(text)
    return root / (path.expanduser() if path.parts[:1] == ("~",) else path)


def _login_name() -> str:
    name = os.environ.get("LOGNAME") or os.environ.get("USER")
    if not name:
        try:
            name = pwd.getpwuid(os.getuid()).pw_name
        except KeyError:  # a container may run as a number without a name
            name = f"uid {os.getuid()}"
    return "".join(character if character.isprintable() else "?" for character in name[:255])


def _misspelt(names: Mapping[str, str]) -> Iterator[str]:
    known = {variable.name for variable in VARIABLES}
    unknown = sorted(name for name in names if name.startswith("AURITE_") and name not in known)
    if not unknown:
        return
    from difflib import get_close_matches

    for name in unknown:
        close = get_close_matches(name, known, n=1, cutoff=0.9)
        if close:
            yield f"{name} is not a variable of Aurite and was left out; did you mean {close[0]}?"


def _read_password(path: Path, variable: str) -> Secret:
    where = f"{variable} names {path}, which"
    next_step = "Put the password alone into it and let your user read it."
    try:
        with path.open("rb") as file:
            content = file.read(_PASSWORD_FILE_LIMIT + 1)
    except OSError as error:
        raise SettingsError(f"{where} cannot be read: {error.strerror}", next_step=next_step) from error
    if len(content) > _PASSWORD_FILE_LIMIT:
        raise SettingsError(f"{where} is larger than 64 KiB", next_step=next_step)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        # `from None`: the error carries the password into any traceback.
        raise SettingsError(f"{where} is not UTF-8 text", next_step=next_step) from None
    text = text.removesuffix("\n").removesuffix("\r")
    if not text:
        raise SettingsError(f"{where} is empty", next_step=next_step)
    return Secret(text)
