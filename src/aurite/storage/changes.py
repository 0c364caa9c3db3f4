"""What a write comes to, once its changes are compared with what is there: the same rules for every store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from aurite.errors import ComponentExistsError, ComponentNotFoundError, InvalidValueError, RevisionConflictError
from aurite.model.difference import difference
from aurite.model.jsontext import MAX_DOCUMENT_BYTES, MAX_LEVELS, check, decode
from aurite.model.names import check_name
from aurite.model.records import Change, Create, Delete, Key, Put, Update, Written

Found: TypeAlias = tuple[str, int] | None
"""Document and revision of a component as it is now; None where it is not there."""


@dataclass(slots=True)
class Plan:
    """The changes, sorted by what they do."""

    created: list[Create | Put] = field(default_factory=list)
    updated: list[Update | Put] = field(default_factory=list)
    deleted: list[Delete] = field(default_factory=list)
    unchanged: list[Key] = field(default_factory=list)

    @property
    def touches_something(self) -> bool:
        return bool(self.created or self.updated or self.deleted)

    def written(self, version: int) -> Written:
        """The record of this plan, carried out."""
        return Written(
            version=version,
            created=tuple((change.type, change.name) for change in self.created),
            updated=tuple((change.type, change.name) for change in self.updated),
            unchanged=tuple(self.unchanged),
            deleted=tuple((change.type, change.name) for change in self.deleted),
        )


def plan(changes: Sequence[Change], current: Callable[[str, str], Found]) -> Plan:
    """What the changes come to.

    Args:
        current: gives document and revision of a component by type and name.

    Raises:
        ComponentExistsError, ComponentNotFoundError, RevisionConflictError: as ``ComponentStore.write`` says.
    """
    result = Plan()
    for change in changes:
        found = current(change.type, change.name)
        match change:
            case Create() if found:
                raise ComponentExistsError(
                    f"there is already {change.type} {change.name!r}", next_step="Choose another name, or update it"
                )
            case Create():
                result.created.append(change)
            case Put() if found is None:
                result.created.append(change)
            case Put() if found and found[0] == change.document:
                result.unchanged.append((change.type, change.name))
            case Put():
                result.updated.append(change)
            case Update():
                _require_current(change, found)
                result.updated.append(change)
            case Delete():
                _require_current(change, found)
                result.deleted.append(change)
    return result


def _require_current(change: Update | Delete, found: Found) -> None:
    if found is None and change.expected_revision is None:
        raise ComponentNotFoundError(
            f"there is no {change.type} {change.name!r}", next_step=f"See what there is with aurite list {change.type}s"
        )
    if found is None:
        raise RevisionConflictError(
            f"{change.type} {change.name!r} was deleted since you read revision {change.expected_revision}",
            current=None,
            revision=None,
            next_step="Create it again if it shall exist",
        )
    if found is not None and change.expected_revision is not None and found[1] != change.expected_revision:
        wanted = change.document if isinstance(change, Update) else None
        raise RevisionConflictError(
            f"{change.type} {change.name!r} is at revision {found[1]} now, not {change.expected_revision}",
            current=found[0],
            revision=found[1],
            diff=difference(found[0], wanted, before_is=f"revision {found[1]}", after_is="what was to be written"),
            next_step="Read it again, and repeat the change on what is there now",
        )


def check_changes(changes: Sequence[Change]) -> None:
    """Nothing, where all names are allowed, documents are within the limit, and no key appears twice.

    Raises:
        InvalidValueError.
    """
    seen: set[Key] = set()
    for change in changes:
        check_name(change.type, "component type")
        check_name(change.name, "component name")
        if (change.type, change.name) in seen:
            raise InvalidValueError(f"{change.type} {change.name!r} appears twice in one write")
        seen.add((change.type, change.name))
        if not isinstance(change, Delete):
            _check_document(f"{change.type} {change.name!r}", change.document)


def _check_document(what: str, document: str) -> None:
    size = len(document.encode("utf-8", "surrogatepass")) if len(document) > MAX_DOCUMENT_BYTES // 4 else 0
    if size > MAX_DOCUMENT_BYTES:
        raise InvalidValueError(f"{what} is larger than {MAX_DOCUMENT_BYTES // 1024 // 1024} MiB")
    if not document.lstrip(" \t\r\n").startswith("{"):
        raise InvalidValueError(f"{what} is not an object of JSON")
    if document.count("[") + document.count("{") > MAX_LEVELS:  # may be too deep; counting is cheap, reading is not
        check(decode(document), what=what)
