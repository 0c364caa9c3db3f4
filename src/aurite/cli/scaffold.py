"""The files of a new project or workspace: written all or none, and never over a file that is there."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from itertools import groupby
from pathlib import Path, PurePosixPath
from typing import Literal

from aurite.errors import AuriteError, UsageError
from aurite.storage.file_errors import storage_error

ScaffoldKind = Literal["project", "workspace"]

_NAME = re.compile(r"[A-Za-z0-9_-]+")
_KEYS = {"OPENAI_API_KEY": "Key of OpenAI", "ANTHROPIC_API_KEY": "Key of Anthropic"}


def check_folder_name(name: str) -> str:
    """The name itself, once it is fit to be the folder of a project or workspace.

    Raises:
        UsageError: it holds other characters than letters, digits, ``_`` and ``-``, or begins with ``-``.
    """
    if not _NAME.fullmatch(name) or name.startswith("-"):
        raise UsageError(
            f"{name!r} cannot be the name of a project or workspace",
            next_step="Use letters, digits, '_' and '-', and do not begin with '-'.",
        )
    return name


def scaffold(kind: ScaffoldKind, folder: Path, *, with_database: bool = False) -> list[Path]:
    """The files of a new project or workspace, written below the folder.

    Raises:
        AuriteError: one of them is there already, or cannot be written; nothing was written.
    """
    wanted = dict(_template(kind))
    wanted[PurePosixPath(".env.example")] = example_of_env()
    if with_database:
        wanted[PurePosixPath(".env")] = "AURITE_ENABLE_DB=true\n"
    taken = [path for path in wanted if os.path.lexists(folder / path)]
    if taken:
        count = f" (the first of {len(taken)} such files)" if len(taken) > 1 else ""
        raise AuriteError(
            f"{folder / taken[0]} is there already{count}; nothing was written",
            next_step="Choose another name, or move the folder away.",
        )
    return _write_all(folder, wanted)


def add_to_workspace(project: Path) -> Path | None:
    """The folder of the workspace around a project, which names the project now; None where there is no workspace around it.

    Raises:
        InvalidDocumentError, StorageError: the workspace's ``.aurite`` cannot be read or written.
    """
    from aurite.config.workspace import add_project, discover

    workspace = discover(project, home=None).workspace
    if workspace is None:
        return None
    folder = workspace.folder.resolve()
    add_project(workspace.path, project.resolve().relative_to(folder).as_posix())
    return folder


def example_of_env() -> str:
    """A ``.env`` with every variable that Aurite reads, each with its meaning and default, all of them commented out."""
    from aurite.variables import VARIABLES

    lines = ["# Copy this file to .env, and take away the '#' in front of what you set. The real environment wins over it."]
    for section, variables in groupby(VARIABLES, key=lambda variable: variable.section):
        lines += ["", f"## {section}"]
        for variable in variables:
            lines += [f"# {variable.description}.", f"#{variable.name}={variable.default or ''}"]
    lines += ["", "## Keys of providers; an llm names its variable in `api_key_env_var`"]
    lines += [f"# {description}.\n#{name}=" for name, description in _KEYS.items()]
    return "\n".join(lines) + "\n"


def _template(kind: ScaffoldKind) -> Iterator[tuple[PurePosixPath, str]]:
    # A file named .gitignore or .aurite inside the package would hold for this repository too.
    for path, file in _walk(files("aurite") / "templates" / kind, PurePosixPath()):
        yield path.with_name(re.sub(r"^dot-", ".", path.name)), file.read_text(encoding="utf-8")


def _walk(folder: Traversable, path: PurePosixPath) -> Iterator[tuple[PurePosixPath, Traversable]]:
    for item in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if item.name == "__pycache__":
            continue
        if item.is_dir():
            yield from _walk(item, path / item.name)
        else:
            yield path / item.name, item


def _write_all(folder: Path, wanted: Mapping[PurePosixPath, str]) -> list[Path]:
    made_folders: list[Path] = []
    written: list[Path] = []
    try:
        for path, text in wanted.items():
            target = folder / path
            missing = [parent for parent in (target, *target.parents)[1:] if not parent.exists()]
            for parent in reversed(missing):
                parent.mkdir()
                made_folders.append(parent)
            _write_new(target, text, written)
    except BaseException as error:
        for file in written:
            file.unlink(missing_ok=True)
        for made in reversed(made_folders):
            made.rmdir()
        if isinstance(error, OSError):
            raise storage_error(error, folder) from error
        raise
    return written


def _write_new(target: Path, text: str, written: list[Path]) -> None:
    private = target.name == ".env"
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if private else 0o666)
    written.append(target)
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
