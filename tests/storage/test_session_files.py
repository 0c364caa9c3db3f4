"""Session files: their names, what a crash may leave in them, what they cost, and what people may find there."""

from __future__ import annotations

import json
import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aurite.errors import InvalidValueError, StorageError, StoreReadOnlyError, StoreUnavailableError
from aurite.model.names import check_name
from aurite.model.records import NewMessage, NewRun, NewSession, RunEnd, Session, SessionFilter
from aurite.storage.session_files.folder import SessionFolder, file_name
from aurite.storage.session_files.store import FileSessionStore


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "project" / ".aurite_cache"


@pytest.fixture
def store(folder: Path) -> FileSessionStore:
    """A store with a clock that counts: 1, 2, 3, ..."""
    ticks = count(1)
    return FileSessionStore(folder, clock=lambda: next(ticks))


def message(content: Any) -> NewMessage:
    return NewMessage("user", json.dumps({"role": "user", "content": content}))


def start(store: FileSessionStore, session_id: str = "agent-x", name: str = "weather") -> Session:
    return store.start_run(NewSession(session_id, "agent", name), NewRun("r1"))


def ids(store: FileSessionStore) -> list[str]:
    return [session.session_id for session in store.iterate(SessionFilter())]


def seen(store: FileSessionStore, session_id: str = "agent-x") -> list[Any]:
    return [
        store.get(session_id),
        store.messages(session_id),
        store.last_messages(session_id, 2),
        store.runs(session_id),
        store.list(SessionFilter(), limit=9),
    ]


# The folder and its files.


def test_reading_makes_no_folder_and_writing_makes_a_private_one(store: FileSessionStore, folder: Path) -> None:
    assert ids(store) == []
    assert store.problems() == ()
    assert not folder.exists()
    start(store)
    store.tag("agent-x", add=["t"])
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "agent-x.jsonl").stat().st_mode) == 0o600
    store.start_run(NewSession("agent-y", "agent", "weather"), NewRun("r1"))
    store.start_run(NewSession("agent-z", "agent", "weather"), NewRun("r1"))
    store.delete(["agent-x", "agent-y"])
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


TITLES = st.none() | st.text(st.characters(exclude_characters="\0"))  # PostgreSQL keeps no NUL, so no store does
NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=255)


@given(NAMES, NAMES)
def test_different_ids_have_different_files_where_case_is_ignored_too(one: str, other: str) -> None:
    names = {file_name(each) for each in (one, one.swapcase(), other, f"{one}x")}
    wanted = {one, one.swapcase(), other, f"{one}x"}
    assert len({name.casefold() for name in names}) == len(wanted)
    assert all(name.isascii() and len(name) <= 255 and "/" not in name and not name.startswith(".") for name in names)


@pytest.mark.parametrize(
    "session_id",
    ["../../etc/passwd", ".", "..", ".hidden", "a/b", "CON", "é", "e\u0301", "\U0001f600" * 255, "a" * 255, "%41", "~"],
)
def test_an_id_is_never_a_path(store: FileSessionStore, folder: Path, session_id: str) -> None:
    start(store, session_id)
    assert store.append(session_id, [message("hello")]) == 1
    assert ids(store) == [session_id]
    (path,) = folder.iterdir()
    assert path.name == file_name(session_id)
    assert [entry.name for entry in folder.parent.iterdir()] == [".aurite_cache"]
    assert store.delete([session_id]).messages == 1
    assert ids(store) == []


def test_ids_that_differ_in_case_are_two_sessions(store: FileSessionStore) -> None:
    start(store, "agent-x", "lower")
    start(store, "agent-X", "upper")
    store.append("agent-X", [message("upper")])
    assert [(session.name, session.message_count) for session in store.iterate(SessionFilter())] == [("upper", 1), ("lower", 0)]


def test_each_line_of_a_file_is_json_with_the_message_in_it(store: FileSessionStore, folder: Path) -> None:
    store.start_run(NewSession("agent-x", "agent", "weather"), NewRun("r1"), [message("hello")])
    lines = [json.loads(line) for line in (folder / "agent-x.jsonl").read_text().splitlines()]
    assert [next(iter(line)) for line in lines] == ["session", "run", "message", "state"]
    assert json.loads(lines[2]["message"]["document"])["content"] == "hello"


# Values.

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters()), inner, max_size=4),
    max_leaves=12,
)
TEXTS = st.builds(
    lambda value, indent, blank: blank + json.dumps(value, indent=indent) + blank,
    JSON,
    st.sampled_from([None, 1, "\t"]),
    st.sampled_from(["", " ", "\r\n", "\n\n\t"]),
)
MESSAGES = st.builds(NewMessage, st.sampled_from(["user", "tool"]), TEXTS, st.none() | TEXTS, st.none() | NAMES, st.none() | NAMES)


@settings(max_examples=60, deadline=None)
@given(NAMES, NAMES, TITLES, st.lists(st.lists(MESSAGES, max_size=3), max_size=4))
def test_every_value_comes_back_as_it_went_in(
    session_id: str, name: str, title: str | None, writes: list[list[NewMessage]]
) -> None:
    with tempfile.TemporaryDirectory() as place:
        store = FileSessionStore(Path(place))
        store.start_run(NewSession(session_id, "workflow", name, title=title), NewRun("r1"))
        for write in writes:
            store.append(session_id, write)
        wanted = [each for write in writes for each in write]
        found = FileSessionStore(Path(place)).messages(session_id)
        assert [(f.role, f.document, f.native, f.provider, f.run_id) for f in found] == [
            (w.role, w.document, w.native, w.provider, w.run_id) for w in wanted
        ]
        session = store.get(session_id)
        assert session is not None
        assert (session.name, session.title, session.message_count) == (name, title, len(wanted))
        assert store.last_messages(session_id, 2) == found[-2:]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 3000), min_size=1, max_size=60), st.data())
def test_any_part_of_a_long_session_is_the_same_part_of_the_whole(sizes: list[int], data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as place:
        store = FileSessionStore(Path(place))
        start(store)
        for size in sizes:
            store.append("agent-x", [message("x" * size * 10), message("y")])
        whole = store.messages("agent-x")
        assert len(whole) == 2 * len(sizes)
        after = data.draw(st.integers(0, len(whole) + 1))
        limit = data.draw(st.integers(0, 9))
        assert store.messages("agent-x", after=after) == whole[after:]
        assert store.messages("agent-x", after=after, limit=limit) == whole[after : after + limit]
        assert store.last_messages("agent-x", limit) == whole[max(0, len(whole) - limit) :]


def test_instants_are_what_the_clock_says_and_one_write_has_one(store: FileSessionStore) -> None:
    session = store.start_run(NewSession("agent-x", "agent", "weather"), NewRun("r1"), [message("a"), message("b")])
    assert (session.created_at, session.active_at) == (1, 1)
    store.append("agent-x", [message("c"), message("d")])
    store.end_run("agent-x", "r1", RunEnd("completed"))
    assert [found.created_at for found in store.messages("agent-x")] == [1, 1, 2, 2]
    (run,) = store.runs("agent-x")
    assert (run.started_at, run.ended_at) == (1, 3)
    session = store.find("x")
    assert (session.created_at, session.active_at) == (1, 3)


def test_sessions_of_one_instant_are_ordered_by_id_and_paged_by_it(folder: Path) -> None:
    store = FileSessionStore(folder, clock=lambda: 7)
    for session_id in ("b", "B", "é", "a", "\U0001f600", "\ufffd"):
        start(store, session_id)
    wanted = ["B", "a", "b", "é", "\ufffd", "\U0001f600"]
    assert ids(store) == wanted
    found: list[str] = []
    page = store.list(SessionFilter(), limit=1)
    while page.next:
        found += [session.session_id for session in page.sessions]
        page = store.list(SessionFilter(), limit=1, after=page.next)
    assert found + [session.session_id for session in page.sessions] == wanted


@pytest.mark.parametrize("field", ["result", "usage"])
def test_a_run_result_that_is_no_json_is_refused(store: FileSessionStore, field: str) -> None:
    start(store)
    with pytest.raises(InvalidValueError):
        store.end_run("agent-x", "r1", RunEnd("completed", **{field: "{"}))
    assert [run.status for run in store.runs("agent-x")] == ["running"]


# Crashes.

WRITES: dict[str, Callable[[FileSessionStore], object]] = {
    "append": lambda store: store.append("agent-x", [message("two"), message("three\n" * 3000)]),
    "start": lambda store: store.start_run(NewSession("agent-x", "agent", "weather"), NewRun("r2"), [message("two")]),
    "end": lambda store: store.end_run("agent-x", "r1", RunEnd("failed", error="e")),
    "tag": lambda store: store.tag("agent-x", add=["t"]),
    "title": lambda store: store.set_title("agent-x", "T"),
}


@pytest.mark.parametrize("write", WRITES)
def test_a_write_that_was_cut_off_anywhere_has_not_happened_and_the_next_one_succeeds(
    store: FileSessionStore, folder: Path, write: str
) -> None:
    path = folder / "agent-x.jsonl"
    store.start_run(NewSession("agent-x", "agent", "weather"), NewRun("r1"), [message("one")])
    before, seen_before = path.read_bytes(), seen(store)
    WRITES[write](store)
    whole = path.read_bytes()
    assert whole.startswith(before)
    assert seen(store) != seen_before
    cuts = range(len(before), len(whole))
    for cut in [*cuts[:200], *cuts[200:-200:997], *cuts[-200:]]:
        path.write_bytes(whole[:cut])
        assert seen(store) == seen_before, cut
    for cut in cuts[:: max(1, len(cuts) // 20)]:
        path.write_bytes(whole[:cut])
        assert store.append("agent-x", [message("next")]) == 2
        assert path.read_bytes().startswith(before + b'{"message":{"seq":2,')
        assert path.read_bytes()[len(before) :].count(b"\n") == 2
        assert path.read_bytes().endswith(b"}\n")


def test_a_first_write_that_was_cut_off_anywhere_made_no_session(store: FileSessionStore, folder: Path) -> None:
    path = folder / "agent-x.jsonl"
    start(store)
    whole = path.read_bytes()
    for cut in range(len(whole)):
        path.write_bytes(whole[:cut])
        assert (store.get("agent-x"), store.messages("agent-x"), store.runs("agent-x"), ids(store)) == (None, [], [], [])
    assert store.problems() == ()
    made = start(store, name="another")
    assert store.get("agent-x") == made
    assert path.read_bytes().count(b"\n") == 3


@pytest.mark.parametrize("lost", [slice(4096, 8192), slice(-40, -20)], ids=["a block of a message", "a part of the last line"])
def test_a_write_of_which_a_power_loss_left_a_part_empty_has_not_happened(
    store: FileSessionStore, folder: Path, lost: slice
) -> None:
    path = folder / "agent-x.jsonl"
    store.start_run(NewSession("agent-x", "agent", "weather"), NewRun("r1"), [message("one")])
    before, seen_before = path.read_bytes(), seen(store)
    store.append("agent-x", [message("x" * 9000), message("three")])
    whole = bytearray(path.read_bytes())
    whole[lost] = bytes(len(whole[lost]))
    path.write_bytes(whole)
    assert seen(store) == seen_before
    assert store.append("agent-x", [message("next")]) == 2
    assert path.read_bytes().startswith(before + b'{"message":{"seq":2,')


def test_a_deletion_that_cannot_be_carried_out_leaves_all(
    store: FileSessionStore, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for session_id in ("agent-a", "agent-b"):
        start(store, session_id)

    def fail(folder: SessionFolder, name: str, data: bytes) -> None:
        raise OSError(30, "Read-only file system")

    with monkeypatch.context() as patch:
        patch.setattr(SessionFolder, "replace", fail)
        with pytest.raises(StoreReadOnlyError):
            store.delete(["agent-a", "agent-b"])
    assert ids(store) == ["agent-b", "agent-a"]


# Costs.


@contextmanager
def counted_reads(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """The sizes of all that is read from session files within the block."""
    sizes: list[int] = []
    read = os.pread

    def counting(descriptor: int, size: int, offset: int) -> bytes:
        data = read(descriptor, size, offset)
        sizes.append(len(data))
        return data

    with monkeypatch.context() as patch:
        patch.setattr(os, "pread", counting)
        yield sizes


@pytest.mark.parametrize(
    "work",
    [
        lambda store: store.append("agent-x", [message("next")]),
        lambda store: store.last_messages("agent-x", 3),
        lambda store: store.get("agent-x"),
        lambda store: store.tag("agent-x", add=["t"]),
        lambda store: store.messages("agent-x", limit=3),
    ],
    ids=["append", "last messages", "get", "tag", "first messages"],
)
def test_the_cost_does_not_depend_on_the_length_of_the_session(
    store: FileSessionStore, folder: Path, monkeypatch: pytest.MonkeyPatch, work: Callable[[FileSessionStore], object]
) -> None:
    start(store)
    costs: list[int] = []
    grown: list[int] = []
    for length in (50, 2000):
        store.append("agent-x", [message(number) for number in range(length)])
        store.append("agent-x", [message("last")])
        size = (folder / "agent-x.jsonl").stat().st_size
        with counted_reads(monkeypatch) as sizes:
            work(store)
        costs.append(sum(sizes))
        grown.append((folder / "agent-x.jsonl").stat().st_size - size)
    assert costs[1] <= 120_000
    assert max(grown) < 1000


def test_a_page_deep_in_a_session_costs_what_is_in_it(store: FileSessionStore, monkeypatch: pytest.MonkeyPatch) -> None:
    start(store)
    for _ in range(300):
        store.append("agent-x", [message("x" * 10_000)])
    with counted_reads(monkeypatch) as sizes:
        assert [found.seq for found in store.messages("agent-x", after=150, limit=2)] == [151, 152]
    assert sum(sizes) < 1_000_000


def test_listing_again_reads_only_what_changed(store: FileSessionStore, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(50):
        start(store, f"agent-{number}")
    with counted_reads(monkeypatch) as first:
        assert len(ids(store)) == 50
    store.append("agent-7", [message("new")])
    with counted_reads(monkeypatch) as again:
        assert store.find("7").message_count == 1
        assert len(ids(store)) == 50
    assert len(again) * 10 < len(first)


# What people may find there.


def test_a_message_that_somebody_edited_is_read_as_it_stands(store: FileSessionStore, folder: Path) -> None:
    start(store)
    for content in ("one", "two", "three"):
        store.append("agent-x", [message(content)])
    path = folder / "agent-x.jsonl"
    path.write_text(path.read_text().replace("two", "a much longer text than before"))
    assert store.append("agent-x", [message("four")]) == 4
    found = [json.loads(each.document)["content"] for each in store.messages("agent-x")]
    assert found == ["one", "a much longer text than before", "three", "four"]


def test_a_damaged_line_is_named_and_hides_no_other_session(store: FileSessionStore, folder: Path) -> None:
    start(store)
    store.append("agent-x", [message("one")])
    start(store, "agent-y")
    path = folder / "agent-x.jsonl"
    path.write_text(path.read_text().replace('"seq":1', '"seq":'))
    with pytest.raises(StorageError) as damaged:
        store.messages("agent-x")
    assert f"{path}:4: " in str(damaged.value)
    assert ids(store) == ["agent-y", "agent-x"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ('{"state":{"lines":0,"active_at":1}}\n', ":1: is not the start of a session"),
        ('{"session":{"session_id":"agent-x"}}\n{"state":{"lines":1,"active_at":1}}\n', ":1: 'session' lacks a field"),
        ('{"session":{}}\n{"state":{"lines":1,"active_at":\'now\'}}\n', ":2: is not JSON"),
        (
            '{"session":{"version":9,"session_id":"agent-x","kind":"agent","name":"n","base_session_id":"b","created_at":1}}\n'
            '{"state":{"lines":1,"active_at":1}}\n',
            "has format 9",
        ),
        (
            '{"session":{"session_id":"agent-z","kind":"agent","name":"n","base_session_id":"b","created_at":1}}\n'
            '{"state":{"lines":1,"active_at":1}}\n',
            "holds session 'agent-z'",
        ),
    ],
)
def test_a_file_that_is_no_session_is_a_problem_and_hides_no_other(
    store: FileSessionStore, folder: Path, content: str, reason: str
) -> None:
    start(store, "agent-y")
    path = folder / "agent-x.jsonl"
    path.write_text(content)
    assert ids(store) == ["agent-y"]
    (problem,) = store.problems()
    assert str(path) in str(problem)
    assert reason in str(problem)
    assert path.read_text() == content


def test_a_folder_that_cannot_be_read_is_an_error_and_never_an_empty_list(tmp_path: Path) -> None:
    place = tmp_path / "file"
    place.write_text("no folder")
    store = FileSessionStore(place)
    for work in (store.problems, lambda: store.get("agent-x"), lambda: store.count(SessionFilter())):
        with pytest.raises(StoreUnavailableError) as refused:
            work()
        assert str(place) in str(refused.value)
    with pytest.raises(StorageError):
        start(store)
    assert place.read_text() == "no folder"


def test_names_that_no_session_can_have_are_just_not_there(store: FileSessionStore) -> None:
    start(store)
    for session_id in ("a\0b", "\ud800", "", "z" * 5000, "agent-x/", "a/../agent-x"):
        assert store.get(session_id) is None
        assert store.messages(session_id) == []
    with pytest.raises(InvalidValueError):
        check_name("a\0b", "session id")
