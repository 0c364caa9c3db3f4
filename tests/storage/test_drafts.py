"""Drafts: made beside their place, and cleared away where their maker was killed, whatever it had got to."""

from __future__ import annotations

from pathlib import Path

from aurite.storage.drafts import draft_folder


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_draft_is_gone_once_its_block_ends(tmp_path: Path) -> None:
    with draft_folder(tmp_path / "a.db") as folder:
        (folder / "a.db").write_bytes(b"half")
        assert folder.parent == tmp_path
    assert names_in(tmp_path) == set()


def test_what_killed_makers_left_is_cleared_away_empty_or_not(tmp_path: Path) -> None:
    (tmp_path / ".a.db-killed1.draft").mkdir()
    (tmp_path / ".a.db-killed2.draft").mkdir()
    (tmp_path / ".a.db-killed2.draft" / "a.db").write_bytes(b"half")
    (tmp_path / ".b.db-other.draft").mkdir()
    with draft_folder(tmp_path / "a.db") as folder:
        assert names_in(tmp_path) == {folder.name, ".b.db-other.draft"}


def test_a_draft_that_is_being_filled_is_left_alone(tmp_path: Path) -> None:
    with draft_folder(tmp_path / "a.db") as first, draft_folder(tmp_path / "a.db") as second:
        assert first != second
        assert first.is_dir()
