"""Components in files: the store of file mode."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from aurite.errors import InvalidValueError, NoProjectError, NotSupportedError
from aurite.model.jsontext import check, decode_strictly
from aurite.model.kinds import KINDS
from aurite.model.records import (
    Author,
    Change,
    Component,
    ComponentRevision,
    Create,
    Delete,
    Key,
    Problem,
    Put,
    Snapshot,
    Update,
    Written,
)
from aurite.model.sources import Source
from aurite.model.validation import require_valid
from aurite.storage.changes import Found, Plan, check_changes, plan
from aurite.storage.collector import collector_off
from aurite.storage.file_errors import storage_error
from aurite.storage.files.component_files import ReadFile, read_file, revision_of
from aurite.storage.files.documents import shown_path
from aurite.storage.files.placement import chosen_file, default_file, lies_in
from aurite.storage.files.scan import FileWatch, Scan
from aurite.storage.files.text_edits import Edits
from aurite.storage.files.transaction import finish_interrupted, locked_folders, replace_files
from aurite.storage.write_lock import WriteLock

_LOOKS = 20


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a component stands; ``document`` is None where what stands there does not fit its type."""

    path: str
    position: int
    document: str | None


@dataclass(slots=True)
class _FilePlan:
    """A write as changes to files."""

    plan: Plan
    edits: dict[Path, Edits] = field(default_factory=dict)
    """By real path, links followed."""
    expected: dict[Path, list[tuple[int, str | None]]] = field(default_factory=dict)
    """What stands at the positions that change."""

    @property
    def folders(self) -> set[Path]:
        return {path.parent for path in self.edits}


class FileComponentStore:
    """The components of ordered sources of files; see ``ComponentStore`` for what each method promises.

    The first source wins by (type, name), within a source the first path by code point; the others are shadowed. Deleting a
    component therefore brings up the one it shadowed. Documents are kept as values: white space and the spelling of numbers follow
    the file. A revision follows from the content. Times are those of the file, until this store has seen the component before.

    Args:
        sources: in order of rank; none at all is an error when something is asked.
        problems: what was wrong with the ``.aurite`` files; part of each snapshot.
        always_scan: look at the files at every question, however many they are; see ``FileWatch`` for what happens otherwise.
    """

    def __init__(self, sources: Sequence[Source], *, problems: Sequence[Problem] = (), always_scan: bool = False) -> None:
        self._sources = tuple(sources)
        self._source_problems = tuple(problems)
        self._watch = FileWatch(self._sources, always_scan=always_scan)
        self._read: dict[str, ReadFile] = {}
        self._guard = threading.RLock()
        self._lock = WriteLock(self._sources[0].folder / ".aurite_cache" / "components.lock") if self._sources else None

    @property
    def location(self) -> str:
        return shown_path(self._sources[0].folder) if self._sources else "no project"

    def version(self) -> int:
        self._require_sources()
        with self._guard:
            return self._watch.look().version

    def load(self) -> Snapshot:
        self._require_sources()
        return self._snapshot(again=True)

    def load_changes(self, since: Snapshot) -> Snapshot:  # noqa: ARG002 - what is known of each file is kept here, not in snapshots
        self._require_sources()
        return self._snapshot(again=False)

    def write(self, changes: Sequence[Change], *, author: Author) -> Written:  # noqa: ARG002 - files say not who wrote them
        self._require_sources()
        check_changes(changes)
        wanted = [_checked(change) for change in changes]
        if self._lock is None:
            raise _no_project()
        with self._lock.held():
            while True:
                written = self._try_to_write(wanted)
                if written is not None:
                    return written

    def history(self, type: str, name: str) -> list[ComponentRevision]:  # noqa: ARG002 - refused for every component
        raise NotSupportedError(
            "components in files have no history of their own",
            next_step="Keep the files under version control, or use a database (AURITE_ENABLE_DB=true)",
        )

    def close(self) -> None:
        if self._lock is not None:
            self._lock.close()

    def _require_sources(self) -> None:
        if not self._sources:
            raise _no_project()

    # Reading.

    def _snapshot(self, *, again: bool) -> Snapshot:
        while True:
            with self._guard:
                seen = self._look(again=again)
                if not seen.journals:
                    return self._assembled(seen)
            self._finish_interrupted(seen)

    def _finish_interrupted(self, seen: Scan) -> None:
        """Wait for writes over several files, or finish them. Never under the guard: a writer that is waited for may need it."""
        finish_interrupted(seen.journals, self._may_write)

    def _look(self, *, again: bool) -> Scan:
        """All files read, or those that changed, such that none changed meanwhile; nothing read while a write is half done."""
        if again:
            self._read = {path: ReadFile(-1, old.components) for path, old in self._read.items()}
        seen, known = self._watch.look(now=True), self._read
        for _ in range(_LOOKS):
            if seen.journals:
                break
            with collector_off():
                self._read = {path: self._current(path, seen) for path in seen.files}
            if all(self._read[path] is known.get(path) for path in self._read):
                break
            before, known, seen = seen, self._read, self._watch.look(now=True)
            if seen.version == before.version:
                break
        return seen

    def _current(self, path: str, seen: Scan) -> ReadFile:
        known = self._read.get(path)
        changed_at = self._watch.changed_at(path)
        if known is not None and known.version >= changed_at:
            return known
        return read_file(seen.files[path], seen.version, known)

    def _assembled(self, seen: Scan) -> Snapshot:
        components: dict[Key, Component] = {}
        shadowed: list[Component] = []
        problems: list[Problem] = [*self._source_problems, *seen.problems]
        for path in seen.files:
            read = self._read[path]
            problems += read.problems
            for _, component in read.components:
                if components.setdefault(component.key, component) is not component:
                    shadowed.append(component)
        ordered = MappingProxyType({key: components[key] for key in sorted(components)})
        return Snapshot(seen.version, ordered, tuple(problems), tuple(shadowed))

    def _may_write(self, path: Path) -> bool:
        if lies_in(path.parent, [folder for source in self._sources for folder in source.config_folders]):
            return True
        with self._guard:
            files = self._watch.look().files
        return any(os.path.realpath(file) == str(path) for file in files if Path(file).is_symlink())

    # Writing.

    def _try_to_write(self, changes: Sequence[Change]) -> Written | None:
        """What was done, or None where the files changed in between and it has to be tried again."""
        with self._guard:
            seen = self._look(again=False)
            planned = None if seen.journals else self._plan(changes, seen)
        if planned is None:
            self._finish_interrupted(seen)
            return None
        for folder in planned.folders:
            _make_folder(folder)
        with locked_folders(planned.folders):
            with self._guard:
                seen = self._look(again=False)
                if seen.journals:
                    return None  # finishing it takes other locks, so ours are given back first
                again = self._plan(changes, seen)
            if again.folders != planned.folders:
                return None
            contents = _new_contents(again)
            if contents is None:
                return None
            if contents:
                replace_files(contents)
        with self._guard:
            return again.plan.written(self._watch.look(now=True).version)

    def _plan(self, changes: Sequence[Change], seen: Scan) -> _FilePlan:
        places = self._places(seen)

        def current(type_: str, name: str) -> Found:
            place = places.get((type_, name))
            if place is None:
                return None
            # What does not fit its type can be replaced and deleted, too; it has no revision and equals nothing.
            return ("", 0) if place.document is None else (place.document, revision_of(place.document))

        result = _FilePlan(plan(changes, current))
        for updated in result.plan.updated:
            self._change(result, places[updated.type, updated.name], updated.document)
        for deleted in result.plan.deleted:
            self._change(result, places[deleted.type, deleted.name], None)
        for created in result.plan.created:
            file = chosen_file(self._sources, created.file) if created.file else default_file(self._sources, created.type)
            edits = result.edits.setdefault(_real(file), Edits())
            edits.added = (*edits.added, created.document)
        return result

    def _change(self, result: _FilePlan, place: _Place, document: str | None) -> None:
        path = _real(Path(place.path))
        edits = result.edits.setdefault(path, Edits())
        result.expected.setdefault(path, []).append((place.position, place.document))
        if document is None:
            edits.deleted.add(place.position)
        else:
            edits.replaced[place.position] = document

    def _places(self, seen: Scan) -> Mapping[Key, _Place]:
        places: dict[Key, _Place] = {}
        for path in seen.files:
            for position, component in self._read[path].components:
                places.setdefault(component.key, _Place(path, position, component.document))
        for path in seen.files:
            for position, key in self._read[path].misfits:
                places.setdefault(key, _Place(path, position, None))
        return places


def _no_project() -> NoProjectError:
    return NoProjectError("there is no .aurite here or in any folder above", next_step="Make a project with aurite init")


def _checked(change: Change) -> Change:
    """The change with its document as this store gives it back, once files can hold it.

    Raises:
        InvalidValueError: no component type, no JSON, a limit is broken, or type and name are not those of the document.
        InvalidComponentError: it does not fit its type, so it could not be read again.
    """
    if isinstance(change, Delete):
        return change
    what = f"{change.type} {change.name!r}"
    if change.type not in KINDS:
        raise InvalidValueError(f"there is no component type {change.type!r}", next_step=f"The types are: {', '.join(KINDS)}")
    value = decode_strictly(change.document)
    document = check(value, what=what)
    if not isinstance(value, dict) or (value.get("type"), value.get("name")) != (change.type, change.name):
        raise InvalidValueError(f"the document of {what} must be an object with just that type and name")
    require_valid(change.type, change.name, value)
    match change:
        case Create():
            return Create(change.type, change.name, document, change.provenance, change.file)
        case Put():
            return Put(change.type, change.name, document, change.provenance, change.file)
        case Update():
            return Update(change.type, change.name, document, change.expected_revision, change.provenance)


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise storage_error(error, folder) from error


def _new_contents(planned: _FilePlan) -> dict[Path, bytes | None] | None:
    """The new content of each file that changes; None where a file is not as it was when the write was planned."""
    from aurite.storage.files.document_writer import edited, parse_for_editing

    contents: dict[Path, bytes | None] = {}
    for path, edits in planned.edits.items():
        raw = _content(path)
        shown = shown_path(path)
        _, parsed = parse_for_editing(raw, path.suffix, shown)
        for position, document in planned.expected.get(path, ()):
            if position >= len(parsed.entries) or (document is not None and parsed.entries[position].document != document):
                return None
        new = edited(raw, path.suffix, edits, shown)
        if new != raw:
            contents[path] = new
    return contents


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise storage_error(error, path) from error
