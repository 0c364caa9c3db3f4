"""What stores keep and give back: immutable records, the same for files, SQLite and PostgreSQL.

Instants are integers, microseconds since 1970-01-01 UTC. Documents are JSON text, byte for byte as stored.
``msgspec.Struct`` instead of a frozen dataclass where a hundred thousand are made at once: it is built in C.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, TypeAlias

import msgspec

from aurite.model.jsontext import JsonValue, decode

Key: TypeAlias = tuple[str, str]
"""(type, name): the identity of a component, everywhere."""

RunStatus = Literal["running", "completed", "failed", "max_iterations_reached", "cancelled", "interrupted"]
SessionKind = Literal["agent", "workflow"]


class Component(msgspec.Struct, frozen=True, gc=False):
    """One component as its store holds it."""

    type: str
    name: str
    document: str
    """JSON text of the whole component, ``type`` and ``name`` included, key order as written."""
    revision: int
    """The store's counter when it was last written; in files, a number derived from the content."""
    created_at: int
    updated_at: int
    writer: str
    """Who wrote it last: ``cli``, ``api``, ``python``, ``export``, ``sql``; ``file`` in files, ``memory`` for registrations."""
    provenance: str | None = None
    """JSON text with ``source_file``, ``context_path``, ``context_level``, ``project_name``, ``workspace_name``, where known."""

    @property
    def key(self) -> Key:
        return (self.type, self.name)

    def config(self) -> dict[str, JsonValue]:
        """The document as a fresh dict that the caller may change freely."""
        value: dict[str, JsonValue] = decode(self.document)
        return value


class ComponentRevision(msgspec.Struct, frozen=True, gc=False):
    """One change of one component, as its store remembers it."""

    revision: int
    type: str
    name: str
    change: str
    """``create``, ``update`` or ``delete``."""
    document: str | None
    """The whole value after the change; None where it was deleted."""
    provenance: str | None
    writer: str
    """From where it came: ``cli``, ``api``, ``python``, ``export``, ``sql``."""
    author: str | None
    """Login name, or the database's role for edits by SQL; None where it is not known."""
    changed_at: int

    @property
    def key(self) -> Key:
        return (self.type, self.name)


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that could not be read, or does not fit its type; the rest goes on without it."""

    where: str
    """``path/file.yaml:12`` or ``components agent "X"``."""
    reason: str
    type: str | None = None
    name: str | None = None

    def __str__(self) -> str:
        return f"{self.where}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All components of a store at one version, read in one consistent look."""

    version: int
    components: Mapping[Key, Component] = field(default_factory=lambda: MappingProxyType({}))
    problems: tuple[Problem, ...] = ()
    shadowed: tuple[Component, ...] = ()
    """Components of files that another file with a higher place wins over; no errors."""


@dataclass(frozen=True, slots=True)
class Author:
    """From where a change comes, and who made it."""

    writer: str
    user: str | None = None


# Changes: what a write asks for. A write is a list of them, carried out all or not at all.


@dataclass(frozen=True, slots=True)
class Create:
    type: str
    name: str
    document: str
    provenance: str | None = None
    file: str | None = None
    """In file mode the file that shall own it; the store's own choice where None. Databases ignore it."""


@dataclass(frozen=True, slots=True)
class Update:
    type: str
    name: str
    document: str
    expected_revision: int | None = None
    provenance: str | None = None


@dataclass(frozen=True, slots=True)
class Put:
    """Create, or replace what is there; left untouched, revision included, where the document is the same already."""

    type: str
    name: str
    document: str
    provenance: str | None = None
    file: str | None = None


@dataclass(frozen=True, slots=True)
class Delete:
    type: str
    name: str
    expected_revision: int | None = None


Change: TypeAlias = Create | Update | Put | Delete


@dataclass(frozen=True, slots=True)
class Written:
    """What a write did."""

    version: int
    """The store's counter after the write."""
    created: tuple[Key, ...] = ()
    updated: tuple[Key, ...] = ()
    unchanged: tuple[Key, ...] = ()
    deleted: tuple[Key, ...] = ()


# Sessions.


@dataclass(frozen=True, slots=True)
class NewSession:
    """What a session is made from; ``base_session_id`` is its own id unless it is a step of a workflow."""

    session_id: str
    kind: SessionKind
    name: str
    """Name of the agent or workflow."""
    base_session_id: str | None = None
    parent_session_id: str | None = None
    title: str | None = None


class Session(msgspec.Struct, frozen=True, gc=False):
    session_id: str
    base_session_id: str
    parent_session_id: str | None
    kind: str
    name: str
    status: str
    """Of its latest run; see ``RunStatus``."""
    title: str | None
    message_count: int
    created_at: int
    active_at: int
    """When a run last started or ended."""
    tags: tuple[str, ...] = ()


class NewMessage(msgspec.Struct, frozen=True, gc=False):
    role: str
    """``system``, ``user``, ``assistant`` or ``tool``."""
    document: str
    """JSON text of the OpenAI-style message."""
    native: str | None = None
    """JSON text of the model library's own form, replayed only to the same provider."""
    provider: str | None = None
    """Which provider ``native`` belongs to."""
    run_id: str | None = None


class Message(msgspec.Struct, frozen=True, gc=False):
    session_id: str
    seq: int
    """1, 2, 3, ... within the session, without a gap; the order of the log."""
    role: str
    document: str
    native: str | None
    provider: str | None
    run_id: str | None
    created_at: int


@dataclass(frozen=True, slots=True)
class NewRun:
    run_id: str
    owner: str | None = None
    """Host, process and its start time, so that a crash can be told from work in progress."""


class Run(msgspec.Struct, frozen=True, gc=False):
    run_id: str
    session_id: str
    status: str
    started_at: int
    ended_at: int | None
    error: str | None
    result: str | None
    """JSON text of what the run returned, beyond its messages."""
    usage: str | None
    """JSON text: tokens and requests."""
    owner: str | None


@dataclass(frozen=True, slots=True)
class RunEnd:
    status: RunStatus
    error: str | None = None
    result: str | None = None
    usage: str | None = None


@dataclass(frozen=True, slots=True)
class SessionFilter:
    """Which sessions to list; every field that is set must fit."""

    agent: str | None = None
    workflow: str | None = None
    base_session_id: str | None = None
    parent_session_id: str | None = None
    status: str | None = None
    tag: str | None = None
    created_from: int | None = None
    """Inclusive."""
    created_until: int | None = None
    """Exclusive."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a page ended: the next one starts behind this session."""

    instant: int
    """``created_at`` or ``active_at``, by the order of the listing."""
    session_id: str


@dataclass(frozen=True, slots=True)
class Page:
    sessions: Sequence[Session]
    next: Cursor | None
    """None on the last page."""


@dataclass(frozen=True, slots=True)
class DeletedSessions:
    session_ids: tuple[str, ...]
    """Children included, by code point."""
    messages: int
