"""A file is there whole or not at all, and takes the place of another only where it may."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest

from aurite.errors import StoreFullError, StoreUnavailableError
from aurite.storage.whole_file import whole_file


def test_what_was_written_is_there_at_the_end_and_not_before(tmp_path: Path) -> None:
    place = tmp_path / "new" / "folder" / "file"

    with whole_file(place, overwrite=False) as file:
        file.write("one\r\nzwölf\n")
        assert not place.exists()

    assert place.read_bytes() == "one\r\nzwölf\n".encode()
    assert place.stat().st_mode & 0o777 == 0o600
    assert list(place.parent.iterdir()) == [place]


def test_a_writer_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    place = tmp_path / "file"
    place.write_text("before")

    def fail() -> None:
        with whole_file(place, overwrite=True) as file:
            file.write("half")
            raise ValueError("stopped")

    with pytest.raises(ValueError, match="stopped"):
        fail()

    assert place.read_text() == "before"
    assert list(tmp_path.iterdir()) == [place]


def test_a_file_that_another_program_made_meanwhile_stays(tmp_path: Path) -> None:
    place = tmp_path / "file"

    def be_late() -> None:
        with whole_file(place, overwrite=False):
            place.write_text("theirs")

    with pytest.raises(StoreUnavailableError, match="meanwhile"):
        be_late()

    assert place.read_text() == "theirs"


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("before")
    link.symlink_to(target)

    with whole_file(link, overwrite=True) as file:
        file.write("after")

    assert link.is_symlink()
    assert target.read_text() == "after"


def test_a_disk_that_is_full_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(StoreFullError, match="no space left"), whole_file(tmp_path / "file", overwrite=False) as file:
            file.write("x" * 100_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    assert list(tmp_path.iterdir()) == []
