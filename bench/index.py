"""Loading the index of components, and reading one of them."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.synchronize import Event
from pathlib import Path

from aurite.config.manager import ConfigManager
from aurite.storage.components import SqlComponentStore
from aurite.storage.sessions import SqlSessionStore
from aurite.storage.sqlite.database import SqliteDatabase
from bench import bare, material
from bench.measuring import Measured, at_most, by_turns, seconds_at_most
from bench.scale import Scale


def load(scale: Scale, folder: Path) -> Iterator[Measured]:
    """A whole index: rows and decoded documents beside a snapshot of records."""
    for count in scale.indexes:
        path = folder / f"load-{count}.db"
        material.store_of_components(path, count)
        connection = bare.connect(path)
        store = SqlComponentStore(SqliteDatabase(path))
        floor, ours = by_turns(lambda c=connection: bare.load(c), store.load, rounds=scale.loads)  # type: ignore[misc]
        yield Measured(f"load an index of {count:,}", floor, ours, "seconds", at_most(1.3))
        store.close()
        connection.close()


def get_config(scale: Scale, folder: Path) -> Iterator[Measured]:
    """One component, asked whether it is current: the counter and one decoded document beside ``get_config``."""
    path = folder / "get-config.db"
    material.store_of_components(path, scale.indexes[0])
    connection = bare.connect(path)
    config = ConfigManager(SqlComponentStore(SqliteDatabase(path)), author=material.AUTHOR)
    wanted = material.name(scale.indexes[0] // 2)
    document = config.require_component("agent", wanted).document

    def floor() -> object:
        connection.execute("SELECT config_version FROM store_meta").fetchall()
        return bare.decode(document)

    def ours() -> object:
        return config.get_config("agent", wanted)

    bare_idle, idle = by_turns(floor, ours, rounds=scale.reads)
    yield Measured("get_config", bare_idle, idle, "seconds", seconds_at_most(15e-6))
    with _a_writer(path):
        bare_busy, busy = by_turns(floor, ours, rounds=scale.reads)
    yield Measured("get_config beside a writer", bare_busy, busy, "seconds", seconds_at_most(30e-6))


@contextmanager
def _a_writer(path: Path) -> Iterator[None]:
    spawn = multiprocessing.get_context("spawn")
    started, ended = spawn.Event(), spawn.Event()
    writer = spawn.Process(target=_append_until, args=(path, started, ended))
    writer.start()
    started.wait()
    try:
        yield
    finally:
        ended.set()
        writer.join()


def _append_until(path: Path, started: Event, ended: Event) -> None:
    store = SqlSessionStore(SqliteDatabase(path))
    material.start(store, "beside")
    started.set()
    while not ended.is_set():
        store.append("beside", [material.message()])
    store.close()
