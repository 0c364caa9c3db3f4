"""The past of components: what changed, and the way back, which is a new change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aurite.errors import ComponentExistsError, ComponentNotFoundError
from aurite.model.difference import difference
from aurite.model.jsontext import decode
from aurite.model.kinds import kind_of
from aurite.model.records import Component, ComponentRevision

if TYPE_CHECKING:
    from aurite.config.manager import ConfigManager
    from aurite.storage.ports import ComponentStore


class History:
    """Every change of every component that a store remembers. Types may be singular or plural."""

    def __init__(self, manager: ConfigManager, store: ComponentStore) -> None:
        self._manager = manager
        self._store = store

    def revisions(self, component_type: str, name: str) -> list[ComponentRevision]:
        """Every change of a component, newest first.

        Raises:
            ComponentNotFoundError: there never was such a component.
            NotSupportedError: components are kept in files.
        """
        kind = kind_of(component_type)
        found = self._store.history(kind.type, name)
        if not found:
            raise ComponentNotFoundError(
                f"{self._store.location} remembers no {kind.label} {name!r}", next_step=f"See aurite list {kind.plural}"
            )
        return found

    def revision(self, component_type: str, name: str, number: int) -> ComponentRevision:
        """One change of a component.

        Raises:
            ComponentNotFoundError: it has no such revision; the message lists those it has.
        """
        revisions = self.revisions(component_type, name)
        for revision in revisions:
            if revision.revision == number:
                return revision
        known = ", ".join(str(revision.revision) for revision in revisions[:10])
        raise ComponentNotFoundError(
            f"{kind_of(component_type).label} {name!r} has no revision {number}", next_step=f"Its newest revisions: {known}"
        )

    def diff(self, component_type: str, name: str, before: int | None = None, after: int | None = None) -> str:
        """How a component differs between two revisions: by default the newest and the one before it."""
        revisions = self.revisions(component_type, name)
        newer = self.revision(component_type, name, after) if after is not None else revisions[0]
        earlier = [revision for revision in revisions if revision.revision < newer.revision]
        older = self.revision(component_type, name, before) if before is not None else earlier[0] if earlier else None
        return difference(
            older.document if older else None,
            newer.document,
            before_is=f"revision {older.revision}" if older else "nothing",
            after_is=f"revision {newer.revision}" + ("" if newer.document is not None else " (deleted)"),
        )

    def roll_back(self, component_type: str, name: str, number: int, *, expected_revision: int | None = None) -> Component:
        """The component with the value of an earlier revision, as a new revision.

        Raises:
            ComponentNotFoundError: it is not there, or has no such revision.
            InvalidComponentError: the earlier value does not fit the type any more.
            RevisionConflictError: ``expected_revision`` is set and is not the current one.
        """
        earlier = self.revision(component_type, name, number)
        kind = kind_of(component_type)
        if earlier.document is None:
            raise ComponentNotFoundError(
                f"revision {number} is where {kind.label} {name!r} was deleted, so it has no value",
                next_step="Choose an earlier revision",
            )
        if self._manager.get_component(kind.type, name) is None:
            raise ComponentNotFoundError(
                f"{kind.label} {name!r} is not there any more",
                next_step=f"Bring it back: aurite config restore {kind.type} {name!r}",
            )
        return self._manager.update_component(kind.type, name, decode(earlier.document), expected_revision=expected_revision)

    def restore(self, component_type: str, name: str) -> Component:
        """A deleted component, created again with the last value it had.

        Raises:
            ComponentExistsError: it is there.
            ComponentNotFoundError: there never was one.
        """
        kind = kind_of(component_type)
        last = next(revision for revision in self.revisions(kind.type, name) if revision.document is not None)
        if self._manager.get_component(kind.type, name) is not None:
            raise ComponentExistsError(
                f"{kind.label} {name!r} is there, nothing is to be restored",
                next_step="To go back to an earlier value: aurite config rollback",
            )
        return self._manager.create_component(kind.type, decode(last.document or "{}"), provenance=last.provenance)
