"""Which configuration applies: every component in memory, as fresh as its store, written through it."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aurite.config.history import History
from aurite.errors import ComponentNotFoundError, InvalidComponentError, InvalidValueError, StorageError
from aurite.model.jsontext import check, decode
from aurite.model.kinds import kind_of
from aurite.model.names import check_name
from aurite.model.records import (
    Author,
    Change,
    Component,
    Create,
    Delete,
    Key,
    Problem,
    Put,
    Snapshot,
    Update,
    Written,
)
from aurite.model.validation import Findings, examine, require_valid
from aurite.storage.changes import Found, plan
from aurite.storage.ports import ComponentStore

Config = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Validation:
    """What is to be said about one component."""

    type: str | None
    name: str | None
    where: str
    errors: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


class ConfigManager:
    """All components of a store in memory, in one immutable snapshot that is swapped whole.

    Every read asks the store for its counter first, so that a change by another process is seen at once; a write goes to the store
    first, and a store that raises leaves the memory as it was. Components registered in memory win over the store's. Methods may
    be called from any thread, and return fresh values that the caller may change freely.

    Args:
        store: where components are kept.
        author: recorded with every change.
        root: where relative paths start for components that do not say where they came from.

    Raises:
        StorageError: the store could not be read.
    """

    def __init__(self, store: ComponentStore, *, author: Author, root: Path | None = None) -> None:
        self._store = store
        self._author = author
        self._root = root or Path.cwd()
        self._loading = threading.Lock()
        self._registered: Mapping[Key, Component] = {}
        self._snapshot = store.load()

    @property
    def location(self) -> str:
        """Where the components are kept, for people."""
        return self._store.location

    @property
    def version(self) -> int:
        """The store's counter that the memory stands at."""
        return self._snapshot.version

    # Reading.

    def get_component(self, component_type: str, name: str) -> Component | None:
        """The component as it is kept, or None where there is none.

        Raises:
            UnknownTypeError: there is no such type.
        """
        key = (kind_of(component_type).type, name)
        registered = self._registered.get(key)
        return registered if registered is not None else self._current().components.get(key)

    def get_config(self, component_type: str, name: str) -> Config | None:
        """The component's document, or None where there is none."""
        component = self.get_component(component_type, name)
        return None if component is None else component.config()

    def require_config(self, component_type: str, name: str) -> Config:
        """The component's document.

        Raises:
            ComponentNotFoundError: with names that look alike.
        """
        return self.require_component(component_type, name).config()

    def require_component(self, component_type: str, name: str) -> Component:
        """The component as it is kept.

        Raises:
            ComponentNotFoundError: with names that look alike, or the problem that hides it.
        """
        component = self.get_component(component_type, name)
        if component is None:
            raise self._not_found(kind_of(component_type).type, name)
        return component

    def components(self, component_type: str | None = None) -> list[Component]:
        """Components of one type or of all, sorted by type and name."""
        kind = kind_of(component_type).type if component_type is not None else None
        index: dict[Key, Component] = {**self._current().components, **self._registered}
        return [index[key] for key in sorted(index) if kind is None or key[0] == kind]

    def list_configs(self, component_type: str) -> list[Config]:
        """The documents of one type, sorted by name."""
        return [component.config() for component in self.components(component_type)]

    def get_all_configs(self) -> dict[str, dict[str, Config]]:
        """All documents, by type and name."""
        configs: dict[str, dict[str, Config]] = {}
        for component in self.components():
            configs.setdefault(component.type, {})[component.name] = component.config()
        return configs

    def get_component_index(self) -> list[Config]:
        """One entry per component with its identity, description, revision and origin, sorted by type and name."""
        index = []
        for component in self.components():
            origin = decode(component.provenance) if component.provenance else {}
            index.append(
                {
                    "name": component.name,
                    "component_type": component.type,
                    "description": component.config().get("description"),
                    "revision": component.revision,
                    "updated_at": component.updated_at,
                    "writer": component.writer,
                    "source_file": origin.get("source_file"),
                    "context_level": origin.get("context_level"),
                    "project_name": origin.get("project_name"),
                    "workspace_name": origin.get("workspace_name"),
                }
            )
        return index

    def problems(self) -> tuple[Problem, ...]:
        """What could not be read or does not fit its type."""
        return self._current().problems

    def shadowed(self) -> tuple[Component, ...]:
        """Components of files that another file with a higher place wins over."""
        return self._current().shadowed

    def place_of(self, component: Component) -> str:
        """Where the component is kept, for people: its file in file mode, which may be another project's, or the database."""
        origin = decode(component.provenance) if component.provenance and component.writer == "file" else {}
        return str(origin.get("source_file") or self.location)

    def base_folder(self, component: Component) -> Path:
        """The folder where relative paths of a component start: that of the ``.aurite`` it came from.

        The current project's, where that is not known or is not on this machine.
        """
        origin = decode(component.provenance) if component.provenance else {}
        folder = Path(origin.get("context_path") or self._root)
        return folder if folder.is_dir() else self._root

    @property
    def history(self) -> History:
        """What became of components over time, and the way back."""
        return History(self, self._store)

    def refresh(self) -> None:
        """Load everything anew from the store."""
        with self._loading:
            self._snapshot = self._store.load()

    # Writing.

    def create_component(
        self, component_type: str, config: Config, *, file_path: str | None = None, provenance: str | None = None
    ) -> Component:
        """The new component, kept in the store.

        Args:
            component_type: singular or plural.
            config: its document; ``type`` may be left out.
            file_path: in file mode the file that shall own it.
            provenance: JSON text that says where it came from; see ``Component``.

        Raises:
            InvalidComponentError, InvalidValueError, ComponentExistsError, StorageError.
        """
        type_, name, document = self._prepared(component_type, config)
        written = self._write(Create(type_, name, document, provenance=provenance, file=file_path))
        return self._stored(type_, name, document, written)

    def update_component(
        self, component_type: str, name: str, config: Config, *, expected_revision: int | None = None
    ) -> Component:
        """The component with its whole document replaced.

        Raises:
            InvalidComponentError, InvalidValueError, ComponentNotFoundError, RevisionConflictError, StorageError.
        """
        type_, written_name, document = self._prepared(component_type, config, name=name)
        if written_name != name:
            raise InvalidComponentError(
                f"the document says the name {written_name!r}, but {type_} {name!r} shall be updated",
                next_step="To rename a component, create it under the new name and delete the old one",
            )
        written = self._write(Update(type_, name, document, expected_revision))
        return self._stored(type_, name, document, written)

    def put_components(self, configs: Sequence[Config], *, dry_run: bool = False) -> Written:
        """Create the components, or replace those that are there; all or none. Equal ones stay untouched.

        Raises:
            InvalidComponentError, InvalidValueError, StorageError.
        """
        changes = []
        for config in configs:
            type_, name, document = self._prepared(_required_dict(config).get("type", ""), config)
            changes.append(Put(type_, name, document))
        if dry_run:
            return self._foreseen(changes)
        return self._write(*changes)

    def delete_config(self, component_type: str, name: str, *, expected_revision: int | None = None) -> None:
        """Take the component out of the store, and out of the registrations in memory.

        Raises:
            ComponentNotFoundError, RevisionConflictError, StorageError.
        """
        key = (kind_of(component_type).type, name)
        if key in self._registered:
            with self._loading:
                self._registered = {other: component for other, component in self._registered.items() if other != key}
            return
        there = self._current()
        known = key in there.components or any((problem.type, problem.name) == key for problem in there.problems)
        if not known and expected_revision is None:
            raise self._not_found(*key)
        self._write(Delete(*key, expected_revision=expected_revision))

    def register_component_in_memory(self, component_type: str, config: Config) -> None:
        """Have a component for the life of this object alone; it wins over the store's.

        Raises:
            InvalidComponentError, InvalidValueError.
        """
        type_, name, document = self._prepared(component_type, config)
        component = Component(type_, name, document, revision=0, created_at=0, updated_at=0, writer="memory")
        with self._loading:
            self._registered = {**self._registered, component.key: component}

    # Validating.

    def validate_component(self, component_type: str, name: str) -> Findings:
        """Errors and warnings of one component, references to other components included.

        Raises:
            ComponentNotFoundError.
        """
        component = self.require_component(component_type, name)
        return self._examined(component)

    def validate_all_components(self) -> list[Validation]:
        """One entry per component, problems of unreadable ones included, sorted by type and name."""
        entries = [Validation(p.type, p.name, p.where, errors=(p.reason,)) for p in self.problems()]
        for component in self.components():
            findings = self._examined(component)
            entries.append(Validation(component.type, component.name, self.place_of(component), findings.errors, findings.warnings))
        return sorted(entries, key=lambda entry: (entry.type or "", entry.name or "", entry.where))

    # Inside.

    def _current(self) -> Snapshot:
        snapshot = self._snapshot
        if self._store.version() == snapshot.version:
            return snapshot
        with self._loading:
            if self._store.version() != self._snapshot.version:
                self._snapshot = self._store.load_changes(self._snapshot)
            return self._snapshot

    def _write(self, *changes: Change) -> Written:
        written = self._store.write(changes, author=self._author)
        with suppress(StorageError):  # it is written; the next read tries again, and tells
            self._current()
        return written

    def _stored(self, type_: str, name: str, document: str, written: Written) -> Component:
        """What was just written, even where another process has changed or deleted it since, or a registration wins over it."""
        found = self._snapshot.components.get((type_, name))
        if found is not None and found.document == document:
            return found
        return Component(type_, name, document, revision=written.version, created_at=0, updated_at=0, writer=self._author.writer)

    def _prepared(self, component_type: str, config: Config, **missing: str) -> tuple[str, str, str]:
        """Type, name and document of what a caller gave, ``type`` and the other fields that may be missing put in front."""
        kind, config = kind_of(component_type), _required_dict(config)
        absent = {field: value for field, value in {"type": kind.type, **missing}.items() if field not in config}
        document = check({**absent, **config} if absent else config, what=kind.label)
        name = config.get("name", missing.get("name"))
        require_valid(kind.type, name if isinstance(name, str) else "", decode(document))
        return kind.type, check_name(name, "component name"), document

    def _foreseen(self, changes: Sequence[Put]) -> Written:
        there = self._current()

        def current(type_: str, name: str) -> Found:
            component = there.components.get((type_, name))
            return None if component is None else (component.document, component.revision)

        return plan(changes, current).written(there.version)

    def _examined(self, component: Component) -> Findings:
        from aurite.config.references import missing_references

        findings = examine(component.type, component.config())
        missing = missing_references(component.config(), lambda type_, name: self.get_component(type_, name) is not None)
        return Findings(errors=findings.errors + missing, warnings=findings.warnings)

    def _not_found(self, type_: str, name: str) -> ComponentNotFoundError:
        from difflib import get_close_matches

        hidden = [problem for problem in self.problems() if (problem.type, problem.name) == (type_, name)]
        if hidden:
            return ComponentNotFoundError(
                f"{kind_of(type_).label} {name!r} is not usable: {hidden[0]}", next_step="Mend it, then try again"
            )
        alike = get_close_matches(name, [component.name for component in self.components(type_)], n=3)
        next_step = f"Did you mean {' or '.join(map(repr, alike))}?" if alike else f"See aurite list {kind_of(type_).plural}"
        return ComponentNotFoundError(f"there is no {kind_of(type_).label} {name!r} in {self.location}", next_step=next_step)


def _required_dict(config: Config) -> Config:
    if not isinstance(config, dict):
        raise InvalidValueError(f"the document of a component must be a dict, not {type(config).__name__}")
    return config
