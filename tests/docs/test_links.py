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


def test_every_page_of_the_docs_can_be_reached_from_the_index() -> None:
    found: set[Path] = set()
    to_see = [ROOT / "docs" / "index.md"]
    while to_see:
        page = to_see.pop()
        if page not in found:
            found.add(page)
            to_see += [file for file, _ in links(page) if file.suffix == ".md"]
    assert set((ROOT / "docs").rglob("*.md")) - found == set()
