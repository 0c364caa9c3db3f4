"""Every link in the documentation leads somewhere, and every page can be found from the index."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, named, pages, prose, read

_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def links(page: Path) -> Iterator[tuple[Path, str]]:
    """File and anchor of each link inside the repository."""
    for target in _LINK.findall(prose(read(page))):
        if not re.match(r"[a-z]+:", target):
            file, _, anchor = target.partition("#")
            yield ((page.parent / file).resolve() if file else page), anchor


def anchors(page: Path) -> set[str]:
    """What its headings are called in links."""
    headings = re.findall(r"^#+ (.+)$", read(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", pages(), ids=named)
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    for file, anchor in links(page):
        assert file.exists(), f"{file} is not there"
        assert file.is_relative_to(ROOT)
        assert not anchor or anchor in anchors(file), f"{file} has no heading {anchor}"


def test_the_index_leads_to_every_page_of_its_rooms() -> None:
    """The pages of component types alone are one step further away."""
    linked = {file for file, _ in links(ROOT / "docs" / "index.md")}
    assert set((ROOT / "docs").glob("*/*.md")) - linked == set()


def test_the_page_about_component_types_leads_to_every_type() -> None:
    linked = {file for file, _ in links(ROOT / "docs" / "reference" / "components.md")}
    assert set((ROOT / "docs").glob("*/*/*.md")) - linked == set()


def test_no_page_lies_deeper_than_the_index_leads() -> None:
    assert not set((ROOT / "docs").glob("*/*/*/**/*.md"))
