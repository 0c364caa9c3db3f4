"""The projects of a workspace: made, renamed, described, and taken out of it. Folders of projects are never deleted."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from aurite.config.workspace import Anchor, Context, add_project, read_anchor
from aurite.errors import InvalidDocumentError, InvalidValueError, NoProjectError, NotSupportedError
from aurite.settings import ANCHOR
from aurite.storage.file_errors import storage_error

_NAME = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Project:
    """A project as people see it."""

    name: str
    folder: Path
    is_active: bool
    include_configs: tuple[str, ...]
    description: str | None
    created_at: float | None
    """Seconds since 1970 UTC."""


class Projects:
    """The projects around a folder: those of its workspace, or its own alone."""

    def __init__(self, context: Context) -> None:
        self._context = context

    @property
    def active(self) -> Project | None:
        """The project of the folder itself; None where it lies in none."""
        return None if self._context.project is None else self._shown(self._context.project)

    @property
    def workspace(self) -> Anchor | None:
        return self._context.workspace

    def description_of(self, anchor: Anchor) -> str | None:
        """What the ``.aurite`` says of itself."""
        said = _table(anchor.path).get("description")
        return said if isinstance(said, str) else None

    def list(self) -> list[Project]:
        """All of them, as the workspace lists them."""
        workspace, active = self._context.workspace, self._context.project
        folders = list(workspace.project_folders) if workspace else []
        if active is not None and active.folder not in folders:
            folders.insert(0, active.folder)
        anchors = [folder / ANCHOR for folder in folders]
        return [self._shown(read_anchor(path)) for path in anchors if path.is_file()]

    def get(self, name: str) -> Project | None:
        return next((project for project in self.list() if project.name == name), None)

    def create(self, name: str, description: str | None) -> Project | None:
        """A new project in the workspace; None where there is a folder of that name.

        Raises:
            NoProjectError: there is no workspace.
            InvalidValueError: the name is not allowed.
            StorageError: it cannot be written.
        """
        import tomlkit

        workspace = self._workspace()
        folder = workspace.folder / _checked_name(name)
        table: dict[str, Any] = {"type": "project", "include_configs": ["config"]}
        if description is not None:
            table["description"] = description
        try:
            try:
                folder.mkdir()
            except FileExistsError:
                return None
            (folder / "config").mkdir()
            (folder / ANCHOR).write_text(tomlkit.dumps({"aurite": table}), encoding="utf-8")
        except OSError as error:
            raise storage_error(error, folder) from error
        add_project(workspace.path, name)
        return self._shown(read_anchor(folder / ANCHOR))

    def update(
        self, project: Project, *, description: str | None, include_configs: Sequence[str] | None, new_name: str | None
    ) -> None:
        """Change what the ``.aurite`` of a project says, comments kept, and its name, which is that of its folder.

        Raises:
            NotSupportedError: it is the active project, which cannot be renamed while it is in use.
            InvalidValueError: a folder lies outside of the project, or the name is taken or not allowed.
            StorageError, InvalidDocumentError: an ``.aurite`` cannot be changed.
        """
        if include_configs is not None:
            for text in include_configs:
                inside = Path(os.path.normpath(project.folder / text))
                if "\x00" in text or not inside.is_relative_to(project.folder):
                    raise InvalidValueError(f"include_configs: {text!r} lies outside of the project")
        renamed = new_name is not None and new_name != project.name
        if renamed:
            self._check_rename(project, cast("str", new_name))
        changes = {"description": description, "include_configs": None if include_configs is None else list(include_configs)}
        if any(value is not None for value in changes.values()):
            _edit(project.folder / ANCHOR, lambda table: table.update({k: v for k, v in changes.items() if v is not None}))
        if renamed:
            self._rename(project, cast("str", new_name))

    def remove(self, project: Project) -> None:
        """Take a project out of the workspace's list; its folder stays as it is.

        Raises:
            NoProjectError: there is no workspace. NotSupportedError: it is the active project.
        """
        workspace = self._workspace()
        if project.is_active:
            raise NotSupportedError(
                f"the project {project.name!r} is in use, so it cannot be taken out",
                next_step="Serve another folder, then try again",
            )
        _edit(workspace.path, lambda table: _drop(table, workspace, project.folder))

    def _check_rename(self, project: Project, name: str) -> None:
        if project.is_active:
            raise NotSupportedError(
                f"the project {project.name!r} is in use, so it cannot be renamed", next_step="Serve another folder, then try again"
            )
        self._workspace()
        if os.path.lexists(project.folder.parent / _checked_name(name)):
            raise InvalidValueError(f"new_name: there is a folder {name!r} already")

    def _rename(self, project: Project, name: str) -> None:
        workspace = self._workspace()
        target = project.folder.parent / name
        try:
            project.folder.rename(target)
        except OSError as error:
            raise storage_error(error, project.folder) from error
        _edit(workspace.path, lambda table: _swap(table, workspace, project.folder, target))

    def _workspace(self) -> Anchor:
        if self._context.workspace is None:
            raise NoProjectError("there is no workspace here", next_step="Make one with aurite init -w NAME")
        return self._context.workspace

    def _shown(self, anchor: Anchor) -> Project:
        active = self._context.project
        folders = (
            folder.relative_to(anchor.folder).as_posix() if folder.is_relative_to(anchor.folder) else str(folder)
            for folder in anchor.config_folders
        )
        return Project(
            name=anchor.name,
            folder=anchor.folder,
            is_active=active is not None and active.folder == anchor.folder,
            include_configs=tuple(folders),
            description=self.description_of(anchor),
            created_at=_made_at(anchor.path),
        )


def _made_at(path: Path) -> float | None:
    try:
        return path.stat().st_mtime
    except OSError:
        return None


def _checked_name(name: str) -> str:
    if not _NAME.fullmatch(name) or name.startswith("-") or len(name) > 255:
        raise InvalidValueError(f"{name[:60]!r} cannot be the name of a project", next_step="Use letters, digits, '_' and '-'")
    return name


def _table(path: Path) -> dict[str, Any]:
    import tomllib

    try:
        table = tomllib.loads(path.read_text(encoding="utf-8-sig")).get("aurite", {})
    except (OSError, ValueError):
        return {}  # what is wrong with the file is told as a problem of the configuration
    return table if isinstance(table, dict) else {}


def _edit(path: Path, change: Callable[[Any], None]) -> None:
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    try:
        document = tomlkit.parse(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise storage_error(error, path) from error
    except (TOMLKitError, ValueError) as error:
        raise InvalidDocumentError(f"{path} is not TOML: {error}", next_step="Mend it first") from error
    table = document.get("aurite")
    if not isinstance(table, dict):
        raise InvalidDocumentError(f"{path} has no table [aurite]", next_step="Mend it first")
    change(table)
    new = path.with_name(f".aurite-anchor-{os.urandom(8).hex()}")
    try:
        new.write_text(tomlkit.dumps(document), encoding="utf-8")
        new.chmod(path.stat().st_mode & 0o7777)
        new.rename(path)
    except OSError as error:
        new.unlink(missing_ok=True)
        raise storage_error(error, path) from error


def _drop(table: Any, workspace: Anchor, folder: Path) -> None:
    for position in reversed(_positions(table, workspace, folder)):
        del table["projects"][position]


def _swap(table: Any, workspace: Anchor, folder: Path, target: Path) -> None:
    for position in _positions(table, workspace, folder):
        table["projects"][position] = target.relative_to(workspace.folder).as_posix()


def _positions(table: Any, workspace: Anchor, folder: Path) -> list[int]:
    listed = table.get("projects", [])
    return [position for position, item in enumerate(listed) if Path(os.path.normpath(workspace.folder / str(item))) == folder]
