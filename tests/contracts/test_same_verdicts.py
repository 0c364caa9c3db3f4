"""Files and databases say the same to the same requests: the same result, the same refusal, the same order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from aurite.errors import AuriteError
from aurite.model.jsontext import check
from aurite.model.records import (
    Author,
    Change,
    Create,
    Cursor,
    Delete,
    NewMessage,
    NewRun,
    NewSession,
    Put,
    RunEnd,
    SessionFilter,
    Update,
)
from aurite.storage.ports import ComponentStore, SessionStore
from aurite.testing import component_names, json_values, llm_document
from aurite.testing.samples import REFUSED_NAMES
from tests.contracts.stores import COMPONENT_STORES, SESSION_STORES

AUTHOR = Author("python")


def verdict(action: Callable[[], Any]) -> Any:
    """What a request comes to: its result, or the class of the refusal."""
    try:
        return action()
    except AuriteError as error:
        return type(error)


# Components.

few_names = st.sampled_from(["a", "A", "b/c", "..", "\u00e9", "e\u0301", "\U0001f600", "\uffff", "%"])
names = st.one_of(few_names, few_names, few_names, component_names(), st.sampled_from(sorted(REFUSED_NAMES.values())))
stale = st.sampled_from([None, None, -1])


@st.composite
def changes(draw: st.DrawFn) -> Change:
    name = draw(names)
    document = llm_document(name, v=draw(st.integers(0, 2)))
    options: list[Change] = [
        Create("llm", name, document),
        Put("llm", name, document),
        Update("llm", name, document, expected_revision=draw(stale)),
        Delete("llm", name, expected_revision=draw(stale)),
    ]
    return draw(st.sampled_from(options))


def written(store: ComponentStore, batch: Sequence[Change]) -> Any:
    """What a write did, and whether it moved the counter."""
    before = store.version()

    def write() -> Any:
        done = store.write(batch, author=AUTHOR)
        return [set(keys) for keys in (done.created, done.updated, done.unchanged, done.deleted)], done.version > before

    return verdict(write), store.version() > before


@settings(max_examples=40, deadline=None)
@given(batches=st.lists(st.lists(changes(), max_size=4), min_size=1, max_size=8))
def test_component_stores_say_the_same(batches: list[list[Change]]) -> None:
    with ExitStack() as opened:
        stores = []
        for open_store in COMPONENT_STORES.values():
            store = open_store(Path(opened.enter_context(TemporaryDirectory())))
            opened.callback(store.close)
            stores.append(store)
        for batch in batches:
            first, *others = [written(store, batch) for store in stores]
            assert all(other == first for other in others)
        first, *others = [[(key, found.document) for key, found in store.load().components.items()] for store in stores]
        assert first == sorted(first)
        assert all(other == first for other in others)


# Sessions. The clock is the test's, so that whole records can be compared, and two sessions may have one instant.

ids = st.sampled_from(["agent-x", "workflow-x", "x", "agent-y", "\uffff", "\U0001f600", "../z", "%"])
instants = st.none() | st.integers(995, 1020)
filters = st.builds(
    SessionFilter,
    agent=st.sampled_from([None, None, "a", "b"]),
    workflow=st.sampled_from([None, None, None, "a"]),
    base_session_id=st.sampled_from([None, None, "x", "base"]),
    parent_session_id=st.sampled_from([None, None, "workflow-x"]),
    status=st.sampled_from([None, None, "running", "failed"]),
    tag=st.sampled_from([None, None, "t", "%"]),
    created_from=instants,
    created_until=instants,
)

Request = Callable[[SessionStore], Any]


@st.composite
def writes(draw: st.DrawFn, number: int) -> Request:
    session_id = draw(ids)
    kind, name = draw(st.sampled_from(["agent", "workflow"])), draw(st.sampled_from(["a", "b"]))
    base, parent = draw(st.sampled_from([None, "x", "base"])), draw(st.sampled_from([None, "workflow-x"]))
    messages = [NewMessage("user", check(value)) for value in draw(st.lists(json_values(max_leaves=3), max_size=2))]
    run_id = draw(st.integers(0, number).map("run-{}".format))
    status = draw(st.sampled_from(["completed", "failed", "interrupted"]))
    tags = draw(st.lists(st.sampled_from(["t", "%", "T", ""]), max_size=2))
    dry_run = draw(st.booleans())
    start = NewSession(session_id, kind, name, base_session_id=base, parent_session_id=parent)  # type: ignore[arg-type]  # drawn
    requests: list[Request] = [
        lambda store: store.start_run(start, NewRun(f"run-{number}"), messages),
        lambda store: store.append(session_id, messages),
        lambda store: store.end_run(session_id, run_id, RunEnd(status)),  # type: ignore[arg-type]  # drawn
        lambda store: store.tag(session_id, add=tags[:1], remove=tags[1:]),
        lambda store: store.set_title(session_id, name),
        lambda store: store.delete([session_id], dry_run=dry_run),
    ]
    return draw(st.sampled_from([requests[0], requests[0], requests[0], *requests]))


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[int, Request]]:
    """Requests, each with the microseconds that pass before it."""
    return [(draw(st.integers(0, 2)), draw(writes(number))) for number in range(draw(st.integers(1, 14)))]


def pages(store: SessionStore, wanted: SessionFilter, order: Any) -> list[Any]:
    found: list[Any] = []
    after: Cursor | None = None
    while True:
        page = store.list(wanted, limit=2, after=after, order=order)
        found.append(list(page.sessions))
        after = page.next
        if after is None:
            return found


def everything(store: SessionStore, wanted: SessionFilter, reference: str) -> list[Any]:
    return [
        pages(store, wanted, "created"),
        pages(store, wanted, "active"),
        store.count(wanted),
        list(store.iterate(SessionFilter())),
        [(store.runs(each.session_id), store.messages(each.session_id)) for each in store.iterate(SessionFilter())],
        verdict(lambda: store.find(reference)),
    ]


@settings(max_examples=60, deadline=None)
@given(history=histories(), wanted=filters, reference=st.sampled_from(["x", "y", "base", "agent-x", "nothing", "z"]))
def test_session_stores_say_the_same(history: list[tuple[int, Request]], wanted: SessionFilter, reference: str) -> None:
    now = 1000

    def clock() -> int:
        return now

    with ExitStack() as opened:
        stores = []
        for open_store in SESSION_STORES.values():
            store = open_store(Path(opened.enter_context(TemporaryDirectory())), clock)
            opened.callback(store.close)
            stores.append(store)
        for pause, request in history:
            now += pause
            first, *others = [verdict(partial(request, store)) for store in stores]
            assert all(other == first for other in others)
        first, *others = [everything(store, wanted, reference) for store in stores]
        assert all(other == first for other in others)
