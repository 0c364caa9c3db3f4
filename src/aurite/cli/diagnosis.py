"""What ``aurite doctor`` finds: every part of an installation looked at, without asking the network and without showing a value."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast
from urllib.parse import urlsplit

from aurite.cli.sizes import in_units
from aurite.errors import AuriteError
from aurite.model.kinds import kind_of
from aurite.settings import find_anchor
from aurite.stores import describe, examine

if TYPE_CHECKING:
    from aurite.app import Aurite
    from aurite.model.kinds import agent as agent_kind
    from aurite.model.records import Component

State = Literal["fine", "note", "wrong"]

_LARGE_WAL = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    part: str
    """``settings``, ``files``, ``database``, ``components``, ``models`` or ``servers``."""
    state: State
    what: str
    next_step: str | None = None


def diagnose(app: Aurite) -> list[Finding]:
    """What was found in each part; nothing is changed, and no key is shown."""
    findings = [*_settings(app), *_files(app), *_guarded("database", lambda: _database(app))]
    usable = not any(finding.part == "database" and finding.state == "wrong" for finding in findings)
    if not app.settings.enable_db or (usable and _there(app)):
        findings += _guarded("components", lambda: _components(app))
        findings += _guarded("models", lambda: _models(app))
        findings += _guarded("servers", lambda: _servers(app))
    return findings


def wrong(part: str, error: AuriteError) -> Finding:
    """What an error says, as a finding."""
    return Finding(part, "wrong", error.message, error.next_step)


def _guarded(part: str, look: Callable[[], Iterator[Finding]]) -> list[Finding]:
    found: list[Finding] = []
    try:
        found.extend(look())
    except AuriteError as error:
        found.append(wrong(part, error))
    return found


def _settings(app: Aurite) -> Iterator[Finding]:
    settings = app.settings
    for text in settings.warnings:
        yield Finding("settings", "wrong", text, "Correct it in the environment or in .env")
    file = settings.root / ".env"
    if file.is_file() and stat.S_IMODE(file.stat().st_mode) & 0o077:
        yield Finding("settings", "note", f"others can read {file}", f"If it holds keys or passwords: chmod 600 {file}")
    if not settings.warnings:
        count = sum(entry.source not in ("default", "not set") for entry in settings.entries)
        yield Finding("settings", "fine", f"{count} of {len(settings.entries)} variables are set, all understood")


def _files(app: Aurite) -> Iterator[Finding]:
    if find_anchor(app.start_dir) is None:
        state: State = "note" if app.settings.enable_db else "wrong"
        yield Finding("files", state, "there is no .aurite here or in any folder above", "Make a project with aurite init")
    if not app.context.sources:
        return
    found = app.files.load()
    for problem in found.problems:
        yield Finding("files", "wrong", str(problem), "Mend the file")
    for component in found.shadowed:
        what = f"{component.type} {component.name} of {_source_file(component)} is not used: another file has one of that name"
        yield Finding("files", "note", what, "Give it another name, or delete it")
    if not found.problems:
        yield Finding("files", "fine", f"{len(found.components)} components in files of {app.files.location}")


def _source_file(component: Component) -> str:
    from aurite.model.jsontext import decode

    origin = decode(component.provenance) if component.provenance else {}
    return str(origin.get("source_file", "a file"))


def _there(app: Aurite) -> bool:
    return app.settings.db_type != "sqlite" or app.settings.db_path.exists()


def _database(app: Aurite) -> Iterator[Finding]:
    settings = app.settings
    if not settings.enable_db and not (settings.db_type == "sqlite" and _there(app)):
        yield Finding("database", "fine", "not used: AURITE_ENABLE_DB is off")
        return
    if not _there(app):
        yield Finding("database", "wrong", f"there is no database at {settings.db_path} yet", "Fill it from files: aurite export")
        return
    facts = describe(settings)
    if facts["pending_steps"]:
        what = f"{facts['location']} has schema {facts['schema_version']}, older than this version's"
        yield Finding("database", "wrong", what, "Upgrade it: aurite db upgrade")
        return
    problems = examine(settings, thorough=False)
    for problem in problems:
        yield Finding("database", "wrong", str(problem), "See aurite db check; if it is damaged, restore a backup")
    wal = _wal_size(settings.db_path) if settings.db_type == "sqlite" else 0
    if wal > _LARGE_WAL:
        what = f"{in_units(wal)} of changes lie beside {settings.db_path}"
        yield Finding("database", "note", what, "Fold them in: aurite db vacuum")
    if not problems:
        size = in_units(cast("int", facts["bytes"]))
        what = f"{facts['engine']} {facts['engine_version']} at {facts['location']}, schema {facts['schema_version']}, {size}"
        yield Finding("database", "fine", what)


def _wal_size(path: Path) -> int:
    wal = path.with_name(path.name + "-wal")
    return wal.stat().st_size if wal.exists() else 0


def _components(app: Aurite) -> Iterator[Finding]:
    entries = app.config.validate_all_components()
    for entry in entries:
        what = f"{entry.type} {entry.name} ({entry.where})" if entry.name else entry.where
        # What cannot be read of files was told already.
        if entry.errors and (entry.name or app.settings.enable_db):
            yield Finding("components", "wrong", f"{what}: {'; '.join(entry.errors)}", "Correct it, then run aurite validate")
        for warning in entry.warnings:
            yield Finding("components", "note", f"{what}: {warning}", "See aurite validate")
    if not entries:
        yield Finding("components", "note", f"there are none in the {app.store_description}", "Make some, or run aurite export")
    elif not any(entry.errors for entry in entries):
        yield Finding("components", "fine", f"{len(entries)} in the {app.store_description}, all valid")


def _models(app: Aurite) -> Iterator[Finding]:
    used = {config.get("llm_config_id") for config in app.config.list_configs("agent")}
    for component in app.config.components("llm"):
        yield _model(app, component, is_used=component.name in used)


def _model(app: Aurite, component: Component, *, is_used: bool) -> Finding:
    from aurite.runtime.llm import resolve

    user = cast("agent_kind.Model", kind_of("agent").model.model_validate({"type": "agent", "name": component.name}))
    try:
        llm = resolve(user, component.config(), app.settings)
    except AuriteError as error:
        unused = "" if is_used else " (no agent uses it)"
        return Finding("models", "wrong" if is_used else "note", error.message + unused, error.next_step)
    variable = next((name for name in llm.key_variables if app.settings.secret(name)), None)
    key = f"its key is set in {variable}" if variable else "its key stands in the component" if llm.key else "it needs no key"
    return Finding("models", "fine", f"llm {component.name} ({llm.provider.name}): {key}")


def _servers(app: Aurite) -> Iterator[Finding]:
    from aurite.runtime.servers import Endpoint
    from aurite.runtime.servers import describe as describe_server

    for component in app.config.components("mcp_server"):
        try:
            place = describe_server(component, app.settings, app.config.base_folder).place
        except AuriteError as error:
            yield wrong("servers", error)
            continue
        if isinstance(place, Endpoint):
            yield _endpoint(component.name, place.url)
        elif place.is_python_file:
            yield Finding("servers", "fine", f"mcp_server {component.name}: {place.args[0]} is there")
        else:
            yield _command(component.name, place.command, place.folder, place.environment.get("PATH"))


def _endpoint(name: str, url: str) -> Finding:
    try:
        parts = urlsplit(url)
        is_fine = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        is_fine = False
    if not is_fine:
        return Finding(
            "servers", "wrong", f"mcp_server {name}: its http_endpoint is no URL of a server", "Write http://host:port/path"
        )
    return Finding("servers", "fine", f"mcp_server {name}: reached at {parts.scheme}://{parts.netloc.rpartition('@')[2]}")


def _command(name: str, command: str, folder: Path, path: str | None) -> Finding:
    # As the operating system looks for it: what has a slash starts at the folder, all else is searched for.
    found = shutil.which(str(folder / command)) if os.sep in command else shutil.which(command, path=path)
    if found is None:
        where = f"in {folder}" if os.sep in command else "on the PATH"
        return Finding(
            "servers", "wrong", f"mcp_server {name}: there is no program {command} {where}", "Install it, or correct its command"
        )
    return Finding("servers", "fine", f"mcp_server {name}: {found} is there")
