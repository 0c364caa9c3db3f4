"""Import: the components of a database as files of a new project."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import PurePath
from typing import Literal

from aurite.errors import InvalidComponentError, StorageError, VerificationError
from aurite.model.jsontext import decode, encode
from aurite.model.kinds import KINDS
from aurite.model.records import Component, Key, Problem
from aurite.storage.files.project_folder import ProjectDraft, ProjectFolder
from aurite.storage.ports import ComponentStore

Format = Literal["json", "yaml"]

_PATHS = {"mcp_server": "server_path", "custom_workflow": "module_path"}


@dataclass(frozen=True, slots=True)
class RelativePath:
    """A file that a component names from where it used to be."""

    key: Key
    field: str
    path: str
    folder: str | None
    """Where the path started; None where that is not known."""


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import wrote."""

    source: str
    folder: str
    files: Mapping[str, int]
    """How many components each file got, by its path below the folder."""
    imported: tuple[Key, ...]
    respelled: tuple[Key, ...]
    """Written by hand in the database with other white space, or numbers spelt otherwise; the files hold the same values."""
    relative_paths: tuple[RelativePath, ...]
    """Of components whose files have to be copied along."""
    problems: tuple[Problem, ...]
    """Left out, because they are not valid."""


def import_components(
    source: ComponentStore, folder: ProjectFolder, *, format: Format = "json", skip_invalid: bool = False
) -> ImportReport:
    """Write every component of a store into a new folder, one file for each type; all or nothing.

    Args:
        skip_invalid: leave out what is not valid; without it, one bad row means that nothing is written.

    Raises:
        InvalidComponentError: the source has problems, and they may not be skipped; ``reasons`` has a line for each.
        NotSupportedError: YAML cannot hold a value.
        VerificationError: what the files hold is not what the source holds.
        StorageError: the source holds nothing or cannot be read, or the folder cannot be written; nothing was written.
    """
    found = source.load()
    if found.problems and not skip_invalid:
        raise _not_valid(found.problems)
    if not found.components:
        raise StorageError(
            f"{source.location} holds no components; nothing was written",
            next_step="Check with aurite config show which database the settings name",
        )
    components = [found.components[key] for key in sorted(found.components)]
    documents = {component.key: _canonical(component.document) for component in components}
    with folder.draft() as draft:
        files: dict[str, int] = {}
        for type_, group in groupby(components, key=lambda component: component.type):
            files |= draft.write(KINDS[type_].plural, [documents[component.key] for component in group], f".{format}")
        _prove(draft, documents)
        draft.put_in_place()
    return ImportReport(
        source=source.location,
        folder=str(folder.path),
        files=files,
        imported=tuple(documents),
        respelled=tuple(component.key for component in components if component.document != documents[component.key]),
        relative_paths=tuple(_relative_paths(components)),
        problems=found.problems,
    )


def _canonical(document: str) -> str:
    """The document as files give it back; the same unless somebody wrote it by hand."""
    return encode(decode(document))


def _prove(draft: ProjectDraft, documents: Mapping[Key, str]) -> None:
    read = draft.read()
    differing = [key for key in documents if key not in read.components or read.components[key].document != documents[key]]
    differing += [key for key in read.components if key not in documents]
    problems = [str(problem) for problem in read.problems]
    if differing or problems:
        lines = tuple([f"{type_} {name!r} reads back as something else" for type_, name in differing] + problems)
        raise VerificationError(
            f"the files would not hold what the database holds: {lines[0]}; nothing was written",
            differences=lines,
            next_step="Report this; aurite backup keeps everything meanwhile",
        )


def _relative_paths(components: Iterable[Component]) -> Iterable[RelativePath]:
    for component in components:
        field = _PATHS.get(component.type)
        path = component.config().get(field) if field else None
        if field and isinstance(path, str) and _is_relative_path(path, field):
            origin = decode(component.provenance) if component.provenance else {}
            folder = origin.get("context_path") if isinstance(origin, dict) else None
            yield RelativePath(component.key, field, path, folder if isinstance(folder, str) else None)


def _is_relative_path(path: str, field: str) -> bool:
    dotted = field == "module_path" and "/" not in path and not path.endswith(".py")
    return dotted or not (PurePath(path).is_absolute() or path.startswith("~"))


def _not_valid(problems: tuple[Problem, ...]) -> InvalidComponentError:
    what = f"{len(problems)} {'row is' if len(problems) == 1 else 'rows are'} not valid, nothing was written"
    return InvalidComponentError(
        f"{what}; the first: {problems[0]}",
        reasons=tuple(map(str, problems)),
        next_step="Mend them, or leave them out with --skip-invalid",
    )
