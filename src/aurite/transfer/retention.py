"""Retention: sessions that nobody has used for long, or that are too many, deleted in batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from aurite.errors import SessionNotFoundError
from aurite.model.records import Cursor, DeletedSessions, Session, SessionFilter
from aurite.storage.ports import SessionStore

_PAGE = 500
_REMEMBERED = 10_000

Progress = Callable[[int, int], None]
"""Called after each batch with the sessions and messages deleted so far."""


@dataclass(frozen=True, slots=True)
class Retention:
    """Which sessions may go: those that fit the filter and every limit that is set.

    A session counts once, together with all that hangs below it, as the steps hang below their workflow: they go and stay together.
    """

    idle_since: int | None = None
    """Those where neither the session nor one below it was active at this instant or later; microseconds since 1970 UTC."""
    keep: int | None = None
    """Those beyond this many of the most recently active ones that fit the filter."""
    filter: SessionFilter = field(default_factory=SessionFilter)
    include_running: bool = False
    """Also those where a run of the session, or of one below it, has not ended; else they stay, whatever their age."""


@dataclass(frozen=True, slots=True)
class Pruned:
    """What a pruning deleted, or would delete."""

    sessions: int
    """Those below others included."""
    messages: int
    batches: int
    running: int
    """Sessions that stay only because a run of theirs has not ended."""


def prune(
    store: SessionStore, rule: Retention, *, batch: int = 100, dry_run: bool = False, progress: Progress = lambda *_: None
) -> Pruned:
    """Delete the sessions that a rule lets go, a batch at a time, so that others can write in between.

    Each batch is all or nothing. What somebody else uses or deletes meanwhile is left as it is.

    Args:
        batch: how many sessions go together, those below them not counted.

    Raises:
        StorageError: the store failed; the batches before are gone, the one under way is not.
    """
    sessions = messages = batches = running = 0
    for chosen in _batches(_superfluous(store, rule), batch):
        deleted, left = _delete(store, chosen, rule, dry_run=dry_run)
        running += left
        if deleted.session_ids:
            sessions, messages, batches = sessions + len(deleted.session_ids), messages + deleted.messages, batches + 1
            progress(sessions, messages)
    return Pruned(sessions, messages, batches, running)


def _superfluous(store: SessionStore, rule: Retention) -> Iterator[Session]:
    """Sessions that hang below no other and seem to be ones that may go, the most recently active first."""

    @lru_cache(maxsize=_REMEMBERED)
    def is_there(session_id: str) -> bool:
        return store.get(session_id) is not None

    # The more recent ones are read only where those that stay must be counted.
    after = Cursor(rule.idle_since - 1, "") if rule.idle_since is not None and not rule.keep else None
    kept = 0
    for session in _by_activity(store, rule.filter, after):
        above = _above(session)
        if any(is_there(reference) for reference in above):
            continue
        if above and store.get(session.session_id) is None:
            continue  # it went along with the one above it, since this page was read
        if rule.keep is not None and kept < rule.keep:
            kept += 1
        elif rule.idle_since is None or session.active_at < rule.idle_since:
            yield session


def _by_activity(store: SessionStore, filter: SessionFilter, after: Cursor | None) -> Iterator[Session]:
    while True:
        page = store.list(filter, limit=_PAGE, after=after, order="active")
        yield from page.sessions
        if page.next is None:
            return
        after = page.next


def _batches(sessions: Iterator[Session], size: int) -> Iterator[list[Session]]:
    batch: list[Session] = []
    for session in sessions:
        batch.append(session)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def _delete(store: SessionStore, chosen: Sequence[Session], rule: Retention, *, dry_run: bool) -> tuple[DeletedSessions, int]:
    """What went of the chosen sessions after a second look, and how many stay because of a run that has not ended."""
    while True:
        # A listing may come from a replica that is behind; this look does not.
        now = [store.get(session.session_id) for session in chosen]
        unused = [new.session_id for new, old in zip(now, chosen, strict=True) if new and new.active_at == old.active_at]
        try:
            families = _families(store, unused)
            if rule.idle_since is not None:
                since = rule.idle_since
                families = {root: family for root, family in families.items() if all(one.active_at < since for one in family)}
            running = set() if rule.include_running else {root for root, family in families.items() if _is_running(store, family)}
            ids = [root for root in families if root not in running]
            deleted = store.delete(ids, dry_run=dry_run) if ids else DeletedSessions((), 0)
        except SessionNotFoundError:
            continue  # deleted by somebody else since the look; the next one leaves it out
        return deleted, len(running)


def _families(store: SessionStore, roots: Sequence[str]) -> dict[str, list[Session]]:
    """Each session with all that hangs below it.

    Raises:
        SessionNotFoundError: one is gone.
    """
    if not roots:
        return {}
    ids = store.delete(roots, dry_run=True).session_ids
    members = {session_id: session for session_id in ids if (session := store.get(session_id)) is not None}
    families: dict[str, list[Session]] = {root: [] for root in roots}
    for session in members.values():
        families[_root_of(session, members, families)].append(session)
    return families


def _root_of(session: Session, members: Mapping[str, Session], roots: Mapping[str, object]) -> str:
    seen: set[str] = set()
    while session.session_id not in roots:
        seen.add(session.session_id)
        above = [members[reference] for reference in _above(session) if reference in members and reference not in seen]
        if not above:
            raise SessionNotFoundError(f"the session above {session.session_id!r} is gone")
        session = above[0]
    return session.session_id


def _above(session: Session) -> tuple[str, ...]:
    references = (session.parent_session_id, session.base_session_id)
    return tuple(reference for reference in references if reference is not None and reference != session.session_id)


def _is_running(store: SessionStore, family: Sequence[Session]) -> bool:
    return any(
        session.status == "running" or any(run.status == "running" for run in store.runs(session.session_id)) for session in family
    )
