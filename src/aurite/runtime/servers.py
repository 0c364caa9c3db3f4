"""How an MCP server is reached: its command or URL, made from the component and the settings."""

from __future__ import annotations

import hashlib
import os
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

from aurite.errors import McpServerError
from aurite.model.kinds import kind_of
from aurite.model.validation import require_valid
from aurite.runtime.secrets import secret_values

if TYPE_CHECKING:
    from aurite.model.kinds import mcp_server as mcp_server_kind
    from aurite.model.records import Component
    from aurite.settings import Settings

_VARIABLE = re.compile(r"\$?\{([A-Za-z_][A-Za-z0-9_]*)\}")


@dataclass(frozen=True, slots=True)
class Program:
    """A server that is a child process, spoken to by its standard input and output."""

    command: str
    args: tuple[str, ...]
    folder: Path
    environment: Mapping[str, str] = field(repr=False)
    is_python_file: bool = False


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A server at a URL."""

    url: str
    headers: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Server:
    """An MCP server as a component describes it."""

    name: str
    place: Program | Endpoint
    timeout: float
    """Seconds that one call may take."""
    registration_timeout: float
    """Seconds that its start may take."""
    excluded: frozenset[str] = field(repr=False)
    """Tools that nobody may use, bare or as `server-tool`."""
    roots: tuple[tuple[str, str], ...] = ()
    """(uri, name) of each."""

    @property
    def identity(self) -> str:
        """Equal for descriptions that one running server can serve; a changed component or environment starts another."""
        place = self.place
        values = place.environment if isinstance(place, Program) else place.headers
        facts = (repr(self), sorted(self.excluded), sorted(values.items()))
        return hashlib.sha256(repr(facts).encode("utf-8", "surrogatepass")).hexdigest()

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not appear in any text: what the server was given, and may say back."""
        if isinstance(self.place, Program):
            return secret_values(self.place.environment)
        parts = urlsplit(self.place.url)
        return tuple(value for value in (parts.password, parts.query, *self.place.headers.values()) if value)


def describe(component: Component, settings: Settings, base_folder: Callable[[Component], Path]) -> Server:
    """The server of a component.

    Raises:
        InvalidComponentError: the component does not fit its type.
        McpServerError: its file is not there, or a header names a variable that is not set.
    """
    document = component.config()
    require_valid("mcp_server", component.name, document)
    model = cast("mcp_server_kind.Model", kind_of("mcp_server").model.model_validate(document))
    return Server(
        name=model.name,
        place=_place(model, settings, base_folder(component)),
        timeout=model.timeout,
        registration_timeout=model.registration_timeout,
        excluded=frozenset(model.exclude or ()),
        roots=tuple((root.uri, root.name) for root in model.roots),
    )


def _place(model: mcp_server_kind.Model, settings: Settings, folder: Path) -> Program | Endpoint:
    if model.transport == "http_stream":
        headers = {name: _filled(model.name, name, text, settings) for name, text in (model.headers or {}).items()}
        return Endpoint(str(model.http_endpoint), headers)
    environment = dict(settings.environment)
    if model.transport == "local":
        return Program(str(model.command), tuple(model.args or ()), folder, environment)
    path = folder / Path(str(model.server_path)).expanduser()
    if not os.path.isfile(path):  # noqa: PTH113 - Path.is_file raises where a folder above may not be entered
        raise McpServerError(
            f"MCP server {model.name!r} did not start: there is no file {path}",
            next_step="Correct its server_path, which starts at the folder of the .aurite that owns the component.",
        )
    return Program(sys.executable, (str(path), *(model.args or ())), folder, environment, is_python_file=True)


def _filled(server: str, header: str, text: str, settings: Settings) -> str:
    def value(match: re.Match[str]) -> str:
        found = settings.secret(match.group(1))
        if found is None:
            raise McpServerError(
                f"MCP server {server!r} needs the variable {match.group(1)} for its header {header}, and it is not set",
                next_step=f"Set {match.group(1)} in the environment or in the .env of the project.",
            )
        return found

    return _VARIABLE.sub(value, text)
