"""The contract of :class:`aurite.storage.ports.ComponentStore`, one sentence of it per test."""

# ruff: noqa: S101 -- these are tests, and asserting is what tests do

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from aurite.errors import (
    AuriteError,
    ComponentExistsError,
    ComponentNotFoundError,
    InvalidValueError,
    NotSupportedError,
    RevisionConflictError,
)
from aurite.model.jsontext import MAX_DOCUMENT_BYTES, MAX_LEVELS, JsonValue
from aurite.model.records import Author, Change, Component, Create, Delete, Put, Snapshot, Update, Written
from aurite.storage.ports import ComponentStore
from aurite.testing.samples import (
    AWKWARD_NAMES,
    AWKWARD_VALUES,
    REFUSED_NAMES,
    agent_document,
    llm_document,
    llm_key,
)

OpenView = Callable[[], ComponentStore]

AUTHOR = Author("python", "tester")


def create(name: str, **fields: JsonValue) -> Create:
    return Create("llm", name, llm_document(name, **fields))


def update(name: str, *, expected_revision: int | None = None, **fields: JsonValue) -> Update:
    return Update("llm", name, llm_document(name, **fields), expected_revision=expected_revision)


def put(name: str, **fields: JsonValue) -> Put:
    return Put("llm", name, llm_document(name, **fields))


def delete(name: str, *, expected_revision: int | None = None) -> Delete:
    return Delete("llm", name, expected_revision=expected_revision)


def write(store: ComponentStore, *changes: Change) -> Written:
    return store.write(changes, author=AUTHOR)


def component(store: ComponentStore, name: str) -> Component:
    return store.load().components[llm_key(name)]


def documents(snapshot: Snapshot) -> dict[tuple[str, str], str]:
    return {key: found.document for key, found in snapshot.components.items()}


# Changes that fail in a store that holds "a" and lacks "missing", with the error of each.
FAILING: dict[str, tuple[Change, type[AuriteError]]] = {
    "create of one that is there": (create("a", v="other"), ComponentExistsError),
    "update of one that is not": (update("missing"), ComponentNotFoundError),
    "delete of one that is not": (delete("missing"), ComponentNotFoundError),
    "update against a stale revision": (update("a", expected_revision=-7, v="other"), RevisionConflictError),
    "delete against a stale revision": (delete("a", expected_revision=-7), RevisionConflictError),
    "update of one that is gone": (update("missing", expected_revision=3), RevisionConflictError),
    "delete of one that is gone": (delete("missing", expected_revision=3), RevisionConflictError),
    "a name that is not allowed": (Create("llm", "a\n", llm_document("x")), InvalidValueError),
    "a document that is no JSON": (Create("llm", "x", '{"type": "llm", "name": "x"'), InvalidValueError),
}


class ComponentStoreContract:
    """Subclass it, say how a store is opened, and every sentence of the port is tested."""

    def open_store(self, folder: Path) -> ComponentStore:
        """A store that keeps everything below ``folder``; called twice with one folder, two views of one store."""
        raise NotImplementedError

    @pytest.fixture
    def open_view(self, tmp_path: Path) -> Iterator[OpenView]:
        with ExitStack() as opened:

            def open_one() -> ComponentStore:
                store = self.open_store(tmp_path)
                opened.callback(store.close)
                return store

            yield open_one

    @pytest.fixture
    def store(self, open_view: OpenView) -> ComponentStore:
        return open_view()

    @pytest.fixture
    def other(self, open_view: OpenView) -> ComponentStore:
        """A second view, as another process would have it."""
        return open_view()

    # What is there at first, and at the end.

    def test_a_new_store_is_empty_and_has_no_problems(self, store: ComponentStore) -> None:
        snapshot = store.load()
        assert (dict(snapshot.components), snapshot.problems, snapshot.shadowed) == ({}, (), ())
        assert snapshot.version == store.version()

    def test_the_location_says_where_the_store_is(self, store: ComponentStore, other: ComponentStore) -> None:
        assert store.location
        assert store.location == other.location

    def test_closing_twice_is_fine(self, store: ComponentStore) -> None:
        store.close()
        store.close()

    def test_what_was_written_is_there_when_the_store_is_opened_again(self, store: ComponentStore, open_view: OpenView) -> None:
        write(store, create("a"))
        store.close()
        assert documents(open_view().load()) == {llm_key("a"): llm_document("a")}

    # Create, update, put, delete.

    def test_a_created_component_comes_back_as_it_was_given(self, store: ComponentStore) -> None:
        before = time.time_ns() // 1000
        written = write(store, create("a", v=1))
        found = component(store, "a")
        assert (found.type, found.name, found.document) == ("llm", "a", llm_document("a", v=1))
        assert (written.created, written.updated, written.unchanged, written.deleted) == ((llm_key("a"),), (), (), ())
        for instant in (found.created_at, found.updated_at):  # a file system's clock is a little behind
            assert before - 1_000_000 <= instant <= time.time_ns() // 1000 + 1_000_000

    def test_an_update_replaces_and_does_not_merge(self, store: ComponentStore) -> None:
        write(store, create("a", old=1, both=1))
        written = write(store, update("a", both=2, new=3))
        assert component(store, "a").document == llm_document("a", both=2, new=3)
        assert written.updated == (llm_key("a"),)
        assert (written.created, written.unchanged, written.deleted) == ((), (), ())

    def test_an_update_gives_the_component_another_revision(self, store: ComponentStore) -> None:
        write(store, create("a", v=1))
        first = component(store, "a")
        write(store, update("a", v=2))
        second = component(store, "a")
        assert second.revision != first.revision
        assert second.updated_at >= first.updated_at
        assert first.created_at <= second.created_at <= second.updated_at  # files do not know when they were made

    def test_a_put_creates_what_is_not_there(self, store: ComponentStore) -> None:
        assert write(store, put("a")).created == (llm_key("a"),)
        assert component(store, "a").document == llm_document("a")

    def test_a_put_replaces_what_is_there(self, store: ComponentStore) -> None:
        write(store, create("a", v=1))
        assert write(store, put("a", v=2)).updated == (llm_key("a"),)
        assert component(store, "a").document == llm_document("a", v=2)

    def test_a_put_of_an_equal_document_leaves_component_and_counter_alone(self, store: ComponentStore) -> None:
        write(store, create("a", v=1))
        before = store.load()
        written = write(store, put("a", v=1))
        assert (written.unchanged, written.version) == ((llm_key("a"),), before.version)
        assert (written.created, written.updated, written.deleted) == ((), (), ())
        assert store.version() == before.version
        assert store.load() == before

    def test_a_put_notices_that_only_the_order_of_keys_changed(self, store: ComponentStore) -> None:
        write(store, create("a", x=1, y=2))
        assert write(store, put("a", y=2, x=1)).updated == (llm_key("a"),)
        assert component(store, "a").document == llm_document("a", y=2, x=1)

    def test_a_deleted_component_is_gone_and_its_name_is_free(self, store: ComponentStore) -> None:
        write(store, create("a", v=1), create("b"))
        assert write(store, delete("a")).deleted == (llm_key("a"),)
        assert documents(store.load()) == {llm_key("b"): llm_document("b")}
        write(store, create("a", v=2))
        assert component(store, "a").document == llm_document("a", v=2)

    # Expected revisions.

    def test_a_change_against_the_current_revision_is_carried_out(self, store: ComponentStore) -> None:
        write(store, create("a", v=1))
        write(store, update("a", v=2, expected_revision=component(store, "a").revision))
        write(store, delete("a", expected_revision=component(store, "a").revision))
        assert not store.load().components

    @pytest.mark.parametrize("change", [update, delete])
    def test_a_change_against_a_stale_revision_is_a_conflict_that_shows_the_current_value(
        self, store: ComponentStore, other: ComponentStore, change: Callable[..., Change]
    ) -> None:
        write(store, create("a", v=1))
        stale = component(store, "a").revision
        write(other, update("a", v=2))
        with pytest.raises(RevisionConflictError) as conflict:
            write(store, change("a", expected_revision=stale))
        assert conflict.value.current == llm_document("a", v=2)
        assert conflict.value.revision == component(store, "a").revision != stale
        assert component(store, "a").document == llm_document("a", v=2)

    @pytest.mark.parametrize("change", [update, delete])
    def test_a_change_against_the_revision_of_a_component_that_is_gone_is_a_conflict(
        self, store: ComponentStore, other: ComponentStore, change: Callable[..., Change]
    ) -> None:
        write(store, create("a"))
        revision = component(store, "a").revision
        write(other, delete("a"))
        with pytest.raises(RevisionConflictError) as conflict:
            write(store, change("a", expected_revision=revision))
        assert (conflict.value.current, conflict.value.revision) == (None, None)
        assert not store.load().components

    # Batches.

    def test_a_batch_carries_out_all_of_its_changes(self, store: ComponentStore) -> None:
        write(store, create("u", v=1), create("p", v=1), create("same"), create("d"))
        written = write(store, create("c"), update("u", v=2), put("p", v=2), put("same"), put("n"), delete("d"))
        assert set(written.created) == {llm_key("c"), llm_key("n")}
        assert set(written.updated) == {llm_key("u"), llm_key("p")}
        assert (written.unchanged, written.deleted) == ((llm_key("same"),), (llm_key("d"),))
        assert documents(store.load()) == {
            llm_key("c"): llm_document("c"),
            llm_key("n"): llm_document("n"),
            llm_key("p"): llm_document("p", v=2),
            llm_key("same"): llm_document("same"),
            llm_key("u"): llm_document("u", v=2),
        }

    @pytest.mark.parametrize("position", [0, 1, 3])
    @pytest.mark.parametrize("case", FAILING)
    def test_a_batch_with_one_change_that_fails_changes_nothing(
        self, store: ComponentStore, other: ComponentStore, case: str, position: int
    ) -> None:
        write(store, create("a", v=1), create("b", v=1), create("c", v=1))
        before = store.load()
        failing, error = FAILING[case]
        batch: list[Change] = [create("new"), update("b", v=2), delete("c")]
        batch.insert(position, failing)
        with pytest.raises(error):
            write(store, *batch)
        assert store.version() == before.version
        assert store.load() == before
        assert store.load_changes(before) == before
        assert documents(other.load()) == documents(before)

    def test_after_a_write_that_failed_the_next_one_works(self, store: ComponentStore) -> None:
        for failing, error in FAILING.values():
            write(store, put("a", v=1))
            with pytest.raises(error):
                write(store, failing)
        write(store, create("b"))
        assert set(store.load().components) == {llm_key("a"), llm_key("b")}

    @pytest.mark.parametrize(
        "twice",
        [
            (create("n"), create("n")),
            (create("n"), delete("n")),
            (put("a"), put("a")),
            (update("a"), update("a", v=2)),
            (delete("a"), create("a")),
            (delete("a"), delete("a")),
        ],
        ids=lambda pair: " then ".join(type(change).__name__.lower() for change in pair),
    )
    def test_a_key_may_appear_only_once_in_a_batch(self, store: ComponentStore, twice: Sequence[Change]) -> None:
        write(store, create("a", v=1))
        before = store.load()
        with pytest.raises(InvalidValueError, match="twice"):
            write(store, twice[0], create("between"), twice[1])
        assert store.load() == before

    def test_a_batch_of_nothing_changes_nothing(self, store: ComponentStore) -> None:
        write(store, create("a"))
        before = store.version()
        assert write(store) == Written(version=before)
        assert store.version() == before

    def test_a_component_that_a_batch_left_unchanged_keeps_its_revision(self, store: ComponentStore) -> None:
        write(store, create("same"), create("a", v=1))
        before = component(store, "same")
        write(store, put("same"), put("a", v=2))
        assert component(store, "same") == before

    def test_one_name_may_be_used_by_two_types(self, store: ComponentStore) -> None:
        write(store, create("x"), Create("agent", "x", agent_document("x")))
        write(store, Update("agent", "x", agent_document("x", v=2)))
        assert documents(store.load()) == {llm_key("x"): llm_document("x"), ("agent", "x"): agent_document("x", v=2)}
        write(store, Delete("agent", "x"))
        assert set(store.load().components) == {llm_key("x")}

    # The counter.

    def test_the_counter_rises_with_every_changing_write(self, store: ComponentStore) -> None:
        versions = [store.version()]
        for changes in ([create("a"), create("b")], [update("a", v=2)], [put("b", v=2)], [delete("a"), delete("b")], [create("a")]):
            written = write(store, *changes)
            assert written.version == store.version() == store.load().version
            versions.append(written.version)
        assert versions == sorted(set(versions))

    def test_reading_leaves_the_counter_alone(self, store: ComponentStore) -> None:
        write(store, create("a"))
        before = store.version()
        store.load_changes(store.load())
        assert store.version() == before

    # Snapshots.

    def test_a_snapshot_cannot_be_changed(self, store: ComponentStore) -> None:
        write(store, create("a"))
        components: Any = store.load().components
        with pytest.raises(TypeError):
            components[llm_key("b")] = components[llm_key("a")]
        with pytest.raises((TypeError, AttributeError)):
            components[llm_key("a")].document = "{}"

    def test_a_snapshot_stays_as_it_is_when_the_store_changes(self, store: ComponentStore) -> None:
        write(store, create("a", v=1), create("b"))
        before = store.load()
        copy = dict(before.components)
        write(store, update("a", v=2), delete("b"), create("c"))
        store.load_changes(before)
        assert dict(before.components) == copy

    def test_loading_the_changes_equals_loading_everything(self, store: ComponentStore, other: ComponentStore) -> None:
        snapshots = [store.load()]
        for writer, changes in (
            (store, [create("a", v=1), create("b"), create("c")]),
            (other, [update("a", v=2), create("short-lived")]),
            (other, [delete("b"), delete("short-lived")]),
            (store, [create("b", back=True), put("c")]),
        ):
            write(writer, *changes)
            now = store.load()
            for since in snapshots:
                assert store.load_changes(since) == now
            snapshots.append(now)

    def test_loading_the_changes_where_nothing_changed_gives_the_same_snapshot(self, store: ComponentStore) -> None:
        write(store, create("a"))
        before = store.load()
        assert store.load_changes(before) == before

    # Several views.

    def test_another_view_sees_a_change_at_once(self, store: ComponentStore, other: ComponentStore) -> None:
        for changes in ([create("a", v=1)], [update("a", v=2)], [put("b")], [delete("a")]):
            seen = other.load()
            write(store, *changes)
            assert other.version() > seen.version
            assert documents(other.load_changes(seen)) == documents(other.load()) == documents(store.load())

    def test_a_view_decides_by_what_the_store_holds_not_by_what_it_read_before(
        self, store: ComponentStore, other: ComponentStore
    ) -> None:
        write(store, create("a"))
        other.load()
        write(store, create("b", v=1), delete("a"))
        with pytest.raises(ComponentExistsError):
            write(other, create("b"))
        with pytest.raises(ComponentNotFoundError):
            write(other, update("a"))
        assert write(other, put("b", v=1)).unchanged == (llm_key("b"),)

    # History.

    def test_the_history_has_every_change_newest_first_or_the_store_says_that_it_keeps_none(
        self, store: ComponentStore, other: ComponentStore
    ) -> None:
        steps: list[tuple[ComponentStore, Change]] = [
            (store, create("a", v=1)),
            (other, update("a", v=2)),
            (store, delete("a")),
            (store, put("a", v=3)),
        ]
        versions = [write(view, change, put("bystander", v=number)).version for number, (view, change) in enumerate(steps)]
        write(store, put("a", v=3), put("bystander", v=9))
        try:
            history = other.history("llm", "a")
        except NotSupportedError:
            return
        assert [(each.revision, each.change, each.document) for each in history] == [
            (versions[3], "create", llm_document("a", v=3)),
            (versions[2], "delete", None),
            (versions[1], "update", llm_document("a", v=2)),
            (versions[0], "create", llm_document("a", v=1)),
        ]
        assert {(each.type, each.name, each.writer, each.author) for each in history} == {("llm", "a", AUTHOR.writer, AUTHOR.user)}
        assert [each.changed_at for each in history] == sorted((each.changed_at for each in history), reverse=True)
        assert store.history("agent", "a") == store.history("llm", "A") == []

    def test_a_write_that_failed_is_in_no_history(self, store: ComponentStore) -> None:
        write(store, create("a"))
        with pytest.raises(ComponentExistsError):
            write(store, create("b"), create("a"))
        try:
            assert (len(store.history("llm", "a")), store.history("llm", "b")) == (1, [])
        except NotSupportedError:
            assert set(store.load().components) == {llm_key("a")}

    # Documents.

    @pytest.mark.parametrize("case", AWKWARD_VALUES)
    def test_documents_come_back_byte_for_byte(self, store: ComponentStore, other: ComponentStore, case: str) -> None:
        document = llm_document("a", value=AWKWARD_VALUES[case], behind=1)
        write(store, Create("llm", "a", document))
        assert component(store, "a").document == document
        assert component(other, "a").document == document
        assert write(other, Put("llm", "a", document)).unchanged == (llm_key("a"),)

    def test_a_large_document_within_the_limit_is_kept(self, store: ComponentStore) -> None:
        document = llm_document("a", value="\u00e9" * (MAX_DOCUMENT_BYTES // 2 - 100))
        write(store, Create("llm", "a", document))
        assert component(store, "a").document == document

    @pytest.mark.parametrize(
        "document",
        [
            pytest.param("", id="empty"),
            pytest.param('{"type":"llm","name":"a","provider":"p","model":"m"', id="cut off"),
            pytest.param('{"type":"llm","name":"a","provider":"p","model":"m","x":NaN}', id="not a number"),
            pytest.param('{"type":"llm","name":"a","provider":"p","model":"m"} x', id="more behind it"),
            pytest.param('["llm"]', id="not an object"),
            pytest.param(
                '{"type":"llm","name":"a","provider":"p","model":"m","x":"' + "x" * MAX_DOCUMENT_BYTES + '"}', id="over 8 MiB"
            ),
            pytest.param(
                '{"type":"llm","name":"a","provider":"p","model":"m","x":' + "[" * MAX_LEVELS + "]" * MAX_LEVELS + "}",
                id="over 500 levels",
            ),
        ],
    )
    @pytest.mark.parametrize("change", [Create, Put, Update])
    def test_a_document_that_breaks_a_limit_is_refused(
        self, store: ComponentStore, change: type[Create] | type[Put] | type[Update], document: str
    ) -> None:
        if change is Update:
            write(store, create("a"))
        before = store.load()
        with pytest.raises(InvalidValueError):
            write(store, change("llm", "a", document))
        assert store.load() == before

    # Names.

    @pytest.mark.parametrize("name", AWKWARD_NAMES, ids=lambda name: ascii(name)[:20])
    def test_a_name_is_data(self, store: ComponentStore, name: str) -> None:
        write(store, create("bystander"), create(name, v=1))
        write(store, update(name, v=2))
        assert component(store, name).document == llm_document(name, v=2)
        write(store, delete(name))
        assert set(store.load().components) == {llm_key("bystander")}

    def test_names_that_look_alike_are_different_names_in_the_order_of_their_code_points(
        self, store: ComponentStore, other: ComponentStore
    ) -> None:
        write(store, *(create(name) for name in AWKWARD_NAMES))
        expected = [llm_key(name) for name in sorted(AWKWARD_NAMES)]
        snapshot = store.load()
        assert list(snapshot.components) == list(other.load().components) == expected
        for name in AWKWARD_NAMES:
            assert snapshot.components[llm_key(name)].document == llm_document(name)

    def test_deleting_a_name_that_looks_like_a_pattern_deletes_no_other(self, store: ComponentStore) -> None:
        write(store, *(create(name) for name in AWKWARD_NAMES))
        patterns = ["%", "_", "*", "[a-z]", ".", "..", "/", "a_b", "plain"]
        write(store, *(delete(name) for name in patterns))
        assert {name for _, name in store.load().components} == set(AWKWARD_NAMES) - set(patterns)

    @pytest.mark.parametrize("case", REFUSED_NAMES)
    @pytest.mark.parametrize("change", [Create, Put])
    def test_a_name_that_is_not_allowed_is_refused(
        self, store: ComponentStore, change: type[Create] | type[Put], case: str
    ) -> None:
        name = REFUSED_NAMES[case]
        before = store.load()
        with pytest.raises(InvalidValueError):
            write(store, change("llm", name, llm_document(name)))
        assert store.load() == before

    # Many at once.

    def test_creates_from_many_threads_lose_nothing(self, store: ComponentStore, other: ComponentStore) -> None:
        def work(number: int) -> None:
            for step in range(5):
                write((store, other)[number % 2], create(f"{number}-{step}"))

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(work, range(8)))
        assert len(store.load().components) == len(other.load().components) == 40

    def test_of_many_updates_against_one_revision_one_wins(self, store: ComponentStore, other: ComponentStore) -> None:
        write(store, create("a", v=0))
        revision = component(store, "a").revision

        def work(number: int) -> int | None:
            try:
                write((store, other)[number % 2], update("a", v=number, expected_revision=revision))
            except RevisionConflictError:
                return None
            return number

        with ThreadPoolExecutor(8) as pool:
            winners = [number for number in pool.map(work, range(1, 9)) if number is not None]
        assert len(winners) == 1
        assert component(store, "a").document == llm_document("a", v=winners[0])
