"""Components in SQL: one store for SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from types import MappingProxyType

from aurite.errors import InvalidValueError
from aurite.model.jsontext import check, decode
from aurite.model.kinds import KINDS
from aurite.model.names import check_name, check_text
from aurite.model.records import Author, Change, Component, ComponentRevision, Key, Problem, Snapshot, Written
from aurite.storage.changes import Found, Plan, check_changes, plan
from aurite.storage.collector import collector_off
from aurite.storage.engine import Engine, Row, Transaction
from aurite.storage.statements import statements

BY_HAND = "sql"
"""The writer of rows that somebody edited by SQL; they alone are validated when read."""


class SqlComponentStore:
    """The components of a database; see ``ComponentStore`` for what each method promises."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._sql = statements("components", engine.dialect)

    @property
    def location(self) -> str:
        return self._engine.location

    def version(self) -> int:
        return self._engine.config_version()

    def load(self) -> Snapshot:
        with self._engine.snapshot() as view, collector_off():
            version = _only(view.row(self._sql["version"]))
            components = {(row[0], row[1]): Component(*row) for row in view.rows(self._sql["load"])}
        problems = _without_misfits(components, components.values())
        self._engine.note_config_version(version)
        return Snapshot(version=version, components=MappingProxyType(components), problems=tuple(problems.values()))

    def load_changes(self, since: Snapshot) -> Snapshot:
        with self._engine.snapshot() as view:
            version = _only(view.row(self._sql["version"]))
            rows = view.rows(self._sql["load_changes"], since.version) if version > since.version else []
        self._engine.note_config_version(version)
        if version < since.version:  # another database took this one's place
            return self.load()
        changed = {(row[0], row[1]): Component(*row) if row[2] is not None else None for row in rows}
        components = dict(since.components)
        for key, component in changed.items():
            components.pop(key, None)
            if component is not None:
                components[key] = component
        problems = {problem_key(problem): problem for problem in since.problems if problem_key(problem) not in changed}
        problems |= _without_misfits(components, [component for component in changed.values() if component is not None])
        in_order = tuple(problems[key] for key in sorted(problems))
        return Snapshot(version=version, components=MappingProxyType(components), problems=in_order)

    def write(self, changes: Sequence[Change], *, author: Author) -> Written:
        check_changes(changes)
        with self._engine.transaction() as work:
            version: int = _only(work.row(self._sql["lock"]))
            found = plan(changes, self._current(work, changes))
            if found.touches_something:
                version = _only(work.row(self._sql["begin_change"], author.writer))
                self._carry_out(work, found, version, author)
                work.run(self._sql["end_change"])
        self._engine.note_config_version(version)
        return found.written(version)

    def history(self, type: str, name: str) -> list[ComponentRevision]:
        return [ComponentRevision(*row) for row in self._engine.read(self._sql["history"], type, name)]

    def close(self) -> None:
        self._engine.close()

    def _current(self, work: Transaction, changes: Sequence[Change]) -> Callable[[str, str], Found]:
        if "current_of_many" not in self._sql:  # a file is asked one by one; a server is not waited for as often
            return lambda type_, name: _document_and_revision(work.row(self._sql["current"], type_, name))
        rows = work.rows(self._sql["current_of_many"], [c.type for c in changes], [c.name for c in changes])
        found: dict[Key, Found] = {(type_, name): (document, revision) for type_, name, document, revision in rows}
        return lambda type_, name: found.get((type_, name))

    def _carry_out(self, work: Transaction, changes: Plan, revision: int, author: Author) -> None:
        instant, writer, user = work.now(), author.writer, author.user
        work.run_many(
            self._sql["insert"],
            [(c.type, c.name, c.document, revision, instant, writer, c.provenance) for c in changes.created],
        )
        work.run_many(
            self._sql["update"],
            [(c.type, c.name, c.document, revision, instant, writer, c.provenance) for c in changes.updated],
        )
        work.run_many(self._sql["delete"], [(c.type, c.name) for c in changes.deleted])
        work.run_many(
            self._sql["record"],
            [
                *((revision, c.type, c.name, "create", c.document, c.provenance, writer, user, instant) for c in changes.created),
                *((revision, c.type, c.name, "update", c.document, c.provenance, writer, user, instant) for c in changes.updated),
                *((revision, c.type, c.name, "delete", None, None, writer, user, instant) for c in changes.deleted),
            ],
        )


def problem_key(problem: Problem) -> Key:
    """The key of the component that a problem is about."""
    return (problem.type or "", problem.name or "")


def _without_misfits(components: dict[Key, Component], candidates: Iterable[Component]) -> dict[Key, Problem]:
    """Take rows edited by hand that are no valid components out of the index; the problem of each by its key."""
    problems = {}
    for component in [candidate for candidate in candidates if candidate.writer == BY_HAND]:
        reason = misfit(component)
        if reason:
            where = f"components {component.type} {component.name!r}"
            problems[component.key] = Problem(where, reason, component.type, component.name)
            del components[component.key]
    return problems


def misfit(component: Component) -> str | None:
    """Why a row is no valid component; None where it is one."""
    from aurite.model.validation import examine

    if component.type not in KINDS:
        return f"{component.type!r} is no component type"
    try:
        check_name(component.name, "component name")
        check_text(component.document, "document")
        check_text(component.provenance, "provenance")
        document = decode(component.document)
        check(document, what="document")
    except InvalidValueError as error:
        return error.message
    findings = examine(component.type, document)
    if findings.errors:
        return "; ".join(findings.errors)
    if document["name"] != component.name:
        return f"its document says the name {document['name']!r}"
    return None


def _document_and_revision(row: Row | None) -> Found:
    return None if row is None else (row[0], row[1])


def _only(row: Row | None) -> int:
    if row is None:
        raise LookupError("store_meta has no row")
    value: int = row[0]
    return value
