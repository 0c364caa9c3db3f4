"""Every example in the documentation does what the page says, run from top to bottom as a reader would."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import pytest

from tests.clusters import Cluster, programs
from tests.docs.pages import ROOT, blocks, named, pages, read
from tests.docs.shell import fits, run_blocks

TEAM, REPLICA = "docs/how-to/postgresql-for-a-team.md", "docs/how-to/read-replica.md"
MOVING = [f"docs/how-to/{name}.md" for name in ("move-to-production", "production-copy-in-sqlite", "switch-databases")]
WITH_SERVER = {TEAM, REPLICA, *MOVING}
"""Pages whose commands need a PostgreSQL server, with an administrator who is reached by ``sudo -u postgres``."""

FROM_0_4 = "docs/how-to/from-aurite-0.4.md"
OLD_DATABASE = ROOT / "tests" / "data" / "aurite-0.4" / "database.sqlite"
AN_OLD_PROJECT = f"""
mkdir -p my-project/.aurite_db my-project/config
cp {shlex.quote(str(OLD_DATABASE))} my-project/.aurite_db/aurite.db
printf '[aurite]\\ntype = "project"\\ninclude_configs = ["config"]\\n' > my-project/.aurite
export AURITE_ENABLE_DB=true
"""
"""What the reader of that page has."""

RUN = [page for page in pages() if any("run" in block.words for block in blocks(read(page)))]
ALONE = [page for page in RUN if named(page) not in WITH_SERVER | {FROM_0_4}]

SUDO = 'sudo() { shift 2; "$@"; }'
"""``sudo -u postgres`` in front of a program, where the variables of psql say the same."""


@pytest.mark.slow
@pytest.mark.parametrize("page", ALONE, ids=named)
def test_a_page_does_what_it_says(page: Path, tmp_path: Path) -> None:
    follow(read(page), tmp_path)


@pytest.mark.slow
def test_the_page_about_databases_of_0_4_does_what_it_says(tmp_path: Path) -> None:
    follow(read(ROOT / FROM_0_4), tmp_path, preamble=AN_OLD_PROJECT)


@pytest.mark.slow
@pytest.mark.parametrize("name", [TEAM, *MOVING])
def test_a_page_about_postgresql_does_what_it_says(name: str, guarded_server: Cluster, tmp_path: Path) -> None:
    follow(read(ROOT / name), tmp_path, variables=reaching(guarded_server), preamble=SUDO)


@pytest.mark.slow
def test_the_page_about_replicas_does_what_it_says(guarded_server: Cluster, tmp_path: Path) -> None:
    with guarded_server.connect() as connection:
        connection.execute("CREATE USER postgres_user WITH PASSWORD 'postgres_password'")
        connection.execute("CREATE DATABASE aurite_storage OWNER postgres_user")
    replica = Cluster(copy_of=guarded_server, settings={"port": str(guarded_server.port), "listen_addresses": "''"}).start()
    try:
        follow(
            read(ROOT / REPLICA), tmp_path, variables={**reaching(guarded_server), "AURITE_DB_REPLICA_HOST": str(replica.folder)}
        )
    finally:
        replica.remove()


def reaching(server: Cluster) -> dict[str, str]:
    """What makes the pages' ``localhost:5432`` and ``psql`` mean a server of the tests: the environment wins over ``.env``."""
    return {
        "PATH": str(programs()),
        "PGHOST": str(server.folder),
        "PGPORT": str(server.port),
        "PGUSER": "postgres",
        "AURITE_DB_HOST": "127.0.0.1",
        "AURITE_DB_PORT": str(server.port),
    }


def follow(text: str, folder: Path, *, variables: Mapping[str, str] | None = None, preamble: str = "") -> None:
    """Run the blocks of a page, and hold what they print to what the page shows."""
    found = list(blocks(text))
    ran = {one.block: one for one in run_blocks([b for b in found if "run" in b.words], folder, variables or {}, preamble=preamble)}
    for one in ran.values():
        wanted = "fails" if "fails" in one.block.words else "passes"
        assert one.ended == wanted, f"line {one.block.line}: {one.ended or 'was not run to its end'}:\n{one.output}"
    for block, shown in pairwise(found):
        if "output" in shown.words:
            assert fits(shown.text, ran[block].output), f"line {shown.line} shows something else than:\n{ran[block].output}"
