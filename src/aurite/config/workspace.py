"""Which project and workspace a folder belongs to, and in which order their files of components count.

An ``.aurite`` is a TOML file with a table ``[aurite]``: ``type`` (``project`` or ``workspace``), ``include_configs`` (folders of
components) and, in a workspace, ``projects`` (folders). What is wrong in one becomes a problem with its line; the rest counts.
"""

from __future__ import annotations

import fcntl
import os
import re
import stat
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast

from aurite.errors import InvalidDocumentError, StorageError
from aurite.model.records import Problem
from aurite.model.sources import Level, Source
from aurite.settings import ANCHOR, find_anchor

__all__ = ["Anchor", "AnchorType", "Context", "Source", "add_project", "discover", "read_anchor"]

AnchorType = Literal["project", "workspace"]
_MAX_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Anchor:
    """What one ``.aurite`` says."""

    path: Path
    type: AnchorType
    config_folders: tuple[Path, ...] = ()
    project_folders: tuple[Path, ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def folder(self) -> Path:
        return self.path.parent

    @property
    def name(self) -> str:
        return self.folder.name


@dataclass(frozen=True, slots=True)
class Context:
    """Where a start folder stands."""

    project: Anchor | None = None
    workspace: Anchor | None = None
    sources: tuple[Source, ...] = ()
    """First the current project, then its workspace, the workspace's other projects as listed, and the user's own."""
    problems: tuple[Problem, ...] = ()


@dataclass(slots=True)
class _Search:
    sources: list[Source] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    seen: set[Path] = field(default_factory=set)

    def add(self, anchor: Anchor, level: Level, *, project: str | None = None, workspace: str | None = None) -> None:
        """Take an anchor's folders as the next source, unless they are one already."""
        real = anchor.path.resolve()
        if real not in self.seen:
            self.seen.add(real)
            self.problems += anchor.problems
            self.sources.append(Source(level, anchor.folder, anchor.config_folders, project, workspace))


def discover(start: Path, *, home: Path | None) -> Context:
    """The context of a folder: its project and workspace, looked for upwards, and all sources in their order.

    Args:
        home: whose ``.aurite`` comes last: a file like the others, or a folder whose files are read; None for no such source.
    """
    project, workspace = _around(start)
    search = _Search()
    inside = workspace.name if workspace else None
    if project is not None:
        search.add(project, "project", project=project.name, workspace=inside)
    if workspace is not None:
        search.add(workspace, "workspace", workspace=inside)
        for folder in workspace.project_folders:
            path = folder / ANCHOR
            if os.path.isfile(path):  # noqa: PTH113 - Path.is_file raises PermissionError
                search.add(read_anchor(path), "project", project=folder.name, workspace=inside)
    if home is not None:
        _add_user(home, search)
    return Context(project, workspace, tuple(search.sources), tuple(dict.fromkeys(search.problems)))


def _around(start: Path) -> tuple[Anchor | None, Anchor | None]:
    """The nearest project and the nearest workspace; a project above a workspace is none of ours."""
    project: Anchor | None = None
    path = find_anchor(start)
    while path is not None:
        anchor = read_anchor(path)
        if anchor.type == "workspace":
            return project, anchor
        project = project or anchor
        path = find_anchor(path.parent.parent) if path.parent != path.parent.parent else None
    return project, None


def _add_user(home: Path, search: _Search) -> None:
    path = home / ANCHOR
    if os.path.isfile(path):  # noqa: PTH113 - Path.is_file raises PermissionError
        search.add(read_anchor(path), "user")
    elif os.path.isdir(path):  # noqa: PTH112 - as above
        search.sources.append(Source("user", path, (path,)))


def read_anchor(path: Path) -> Anchor:
    """What an ``.aurite`` says; what cannot be read or used is among its problems, and counts as a project without folders."""
    import tomllib  # 1.5 ms, of which a list from a database has no need

    try:
        text = _read(path)
        table: Any = tomllib.loads(text).get("aurite")
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        return Anchor(path, "project", problems=(Problem(str(path), f"cannot be read: {reason}"),))
    except ValueError as error:  # not TOML, or not UTF-8; both say where
        line = re.search(r"line (\d+)", str(error))
        where = f"{path}:{line.group(1)}" if line else f"{path}:{len(_lines_before(path, error))}"
        return Anchor(path, "project", problems=(Problem(where, f"is not TOML: {error}"),))
    if not isinstance(table, dict):
        return Anchor(path, "project", problems=(Problem(f"{path}:1", "needs a table [aurite]"),))
    return _understood(path, text, table)


def _read(path: Path) -> str:
    with path.open("rb") as file:
        raw = file.read(_MAX_BYTES + 1)
    if len(raw) > _MAX_BYTES:
        raise ValueError("it is larger than 1 MiB")
    return raw.decode("utf-8-sig")


def _lines_before(path: Path, error: ValueError) -> list[bytes]:
    """The lines up to where reading stopped."""
    end = error.start if isinstance(error, UnicodeDecodeError) else 0
    with suppress(OSError), path.open("rb") as file:
        return file.read(_MAX_BYTES)[:end].split(b"\n")
    return [b""]


def _understood(path: Path, text: str, table: dict[str, Any]) -> Anchor:
    problems: list[Problem] = []
    written = table.get("type")
    if written not in ("project", "workspace"):
        said = "does not say its type" if written is None else f"says the type {written!r}"
        problems.append(Problem(_where(path, text, "type"), f'{said}; write type = "project" or type = "workspace"'))
    anchor_type: AnchorType = "workspace" if written == "workspace" else "project"
    configs = _folders(path, text, table, "include_configs", problems)
    projects = _folders(path, text, table, "projects", problems) if anchor_type == "workspace" else ()
    for folder in projects:
        if folder.is_dir() and not (folder / ANCHOR).is_file():
            problems.append(Problem(_where(path, text, "projects", folder.name), f"the project {folder} has no {ANCHOR}"))
    return Anchor(path, anchor_type, configs, projects, tuple(problems))


def _folders(path: Path, text: str, table: dict[str, Any], key: str, problems: list[Problem]) -> tuple[Path, ...]:
    listed = table.get(key, [])
    if not isinstance(listed, list):
        problems.append(Problem(_where(path, text, key), f"{key} must be a list of folders"))
        return ()
    folders: list[Path] = []
    for item in listed:
        if not isinstance(item, str) or not item or "\x00" in item:
            problems.append(Problem(_where(path, text, key), f"{key} must be a list of folders; {item!r} is none"))
            continue
        folder = Path(os.path.normpath(path.parent / item))
        folders.append(folder)
        if not os.path.isdir(folder):  # noqa: PTH112 - Path.is_dir raises PermissionError
            said = "is no folder" if folder.exists() else "does not exist"
            problems.append(Problem(_where(path, text, key, item), f"the folder {item!r} of {key} {said}"))
    return tuple(dict.fromkeys(folders))


def _where(path: Path, text: str, key: str, item: str | None = None) -> str:
    """File and line of a key of ``[aurite]``, or of an item of its list, as far as a look at the text can tell."""
    lines = text.split("\n")
    table = next((n for n, line in enumerate(lines) if re.match(r"\s*\[\s*aurite\s*\]", line)), 0)
    start = next((n for n in range(table, len(lines)) if re.match(rf"\s*{key}\s*=", lines[n])), None)
    if start is None:
        return f"{path}:{table + 1}"
    if item is not None:
        quoted = re.compile(rf"""["'][^"']*{re.escape(item)}["']""")
        start = next((n for n in range(start, len(lines)) if quoted.search(lines[n])), start)
    return f"{path}:{start + 1}"


def add_project(workspace_anchor: Path, folder_name: str) -> None:
    """Name a project in the ``.aurite`` of its workspace, comments and order kept; nothing to do where it is named already.

    Raises:
        InvalidDocumentError: the file is no ``.aurite`` of a workspace.
        StorageError: it cannot be read or written.
    """
    try:
        folder = os.open(workspace_anchor.parent, os.O_RDONLY)
    except OSError as error:
        raise _unwritable(error, workspace_anchor) from error
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)  # several projects may be made at once; none may be forgotten
        _add_project(workspace_anchor, folder_name)
    finally:
        os.close(folder)


def _add_project(workspace_anchor: Path, folder_name: str) -> None:
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    try:
        text = _read(workspace_anchor)
        document = tomlkit.parse(text)
    except OSError as error:
        raise _unwritable(error, workspace_anchor) from error
    except (TOMLKitError, ValueError) as error:
        raise InvalidDocumentError(f"{workspace_anchor} is not TOML: {error}", next_step="Mend it first") from error
    table = cast("Any", document.get("aurite"))
    if not isinstance(table, dict) or table.get("type") != "workspace" or not isinstance(table.get("projects", []), list):
        raise InvalidDocumentError(f"{workspace_anchor} is not the {ANCHOR} of a workspace")
    if folder_name in table.get("projects", []):
        return
    if "projects" not in table:
        table["projects"] = tomlkit.array()
    table["projects"].append(folder_name)
    _replace(workspace_anchor, tomlkit.dumps(document))


def _replace(path: Path, text: str) -> None:
    target = path.resolve()
    new = target.with_name(f".aurite-anchor-{os.urandom(8).hex()}")
    try:
        mode = stat.S_IMODE(target.stat().st_mode)
        try:
            with new.open("x", encoding="utf-8", newline="") as file:
                os.fchmod(file.fileno(), mode)
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            new.rename(target)
        finally:
            new.unlink(missing_ok=True)
    except OSError as error:
        raise _unwritable(error, path) from error


def _unwritable(error: OSError, path: Path) -> StorageError:
    reason = (error.strerror or type(error).__name__).lower()
    return StorageError(
        f"{path} cannot be written: {reason}", next_step="Check the permissions of its folder, and the space on the disk"
    )
