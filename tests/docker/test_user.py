"""Whoever owns the data folder, the command runs as the user of the image, can write there, and has nothing of root left."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from aurite.cli.service_user import SERVICE_USER
from tests.docker.container import IS_ROOT, Container

ROOT = Path(__file__).parents[2]
SOMEBODY = 4711
needs_root = pytest.mark.skipif(not IS_ROOT, reason="only root can become another user and give folders away")


def owners(folder: Path) -> dict[str, int]:
    return {path.name: path.lstat().st_uid for path in folder.iterdir()}


@needs_root
@pytest.mark.parametrize("owner", [0, SOMEBODY])
def test_the_database_can_be_written_whoever_owns_the_data_folder(container: Container, owner: int) -> None:
    os.chown(container.data, owner, owner)

    assert container.run("export").status == 0

    assert container.data.stat().st_uid == SERVICE_USER
    assert set(owners(container.data).values()) == {SERVICE_USER}
    assert container.database.stat().st_mode & 0o777 == 0o600


@needs_root
def test_a_data_folder_that_is_missing_is_made(container: Container) -> None:
    database = container.folder / "other" / "deep" / "aurite.db"
    assert container.with_variables(AURITE_DB_PATH=str(database)).run("touch", str(database)).status == 0
    assert database.stat().st_uid == database.parent.stat().st_uid == database.parents[1].stat().st_uid == SERVICE_USER


@needs_root
def test_a_folder_that_the_user_may_write_anyway_keeps_its_owner(container: Container) -> None:
    os.chown(container.data, SOMEBODY, SERVICE_USER)
    container.data.chmod(0o770)

    assert container.run("touch", str(container.database)).status == 0
    assert owners(container.data) == {"aurite.db": SERVICE_USER}
    assert container.data.stat().st_uid == SOMEBODY


@needs_root
def test_a_database_that_root_left_is_taken_along_and_nothing_else(container: Container) -> None:
    """As a container of 0.4 did, which ran as root."""
    names = ["aurite.db", "aurite.db.wlock", "backup.db"]
    for name in names:
        (container.data / name).touch(mode=0o600)
    (container.data / "aurite.db-link").symlink_to(container.app / ".aurite")

    assert container.run("true").status == 0

    assert owners(container.data) == {
        "aurite.db": SERVICE_USER,
        "aurite.db.wlock": SERVICE_USER,
        "backup.db": 0,
        "aurite.db-link": 0,
    }
    assert (container.app / ".aurite").stat().st_uid == 0


@needs_root
def test_root_is_not_led_to_another_folder_by_a_link(container: Container) -> None:
    secret = container.folder / "secret"
    secret.mkdir(mode=0o700)
    (container.data / "link").symlink_to(secret)

    ended = container.with_variables(AURITE_DB_PATH=str(container.data / "link" / "aurite.db")).run("export")

    assert ended.status == 1
    assert "data/link cannot be written" in ended.log
    assert secret.stat().st_uid == 0


@needs_root
def test_root_gives_away_nothing_behind_a_link(container: Container) -> None:
    """The service could have made it, to a folder that it may write and that holds files of others."""
    shared = container.folder / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    (shared / "aurite.db").touch(mode=0o600)
    (container.folder / "link").symlink_to(shared)

    container.with_variables(AURITE_DB_PATH=str(container.folder / "link" / "aurite.db")).run("true")

    assert owners(shared) == {"aurite.db": 0}


@needs_root
def test_a_folder_of_the_system_is_never_given_away(container: Container) -> None:
    before = Path("/usr").stat()
    ended = container.with_variables(AURITE_DB_PATH="/usr/aurite.db").run("export")
    assert ended.status == 1
    assert "/usr belongs to the system" in ended.log
    assert Path("/usr").stat().st_uid == before.st_uid


@needs_root
def test_nothing_of_root_is_left(container: Container) -> None:
    status = container.run("cat", "/proc/self/status").output
    facts = {name: rest.split() for name, _, rest in (line.partition(":") for line in status.splitlines())}
    assert facts["Uid"] == facts["Gid"] == [str(SERVICE_USER)] * 4
    assert facts["Groups"] == []
    assert int(facts["CapPrm"][0], 16) == int(facts["CapEff"][0], 16) == int(facts["CapAmb"][0], 16) == 0


@needs_root
def test_another_user_of_docker_run_writes_to_their_folder(container: Container) -> None:
    os.chown(container.data, SOMEBODY, SOMEBODY)
    assert container.as_user(SOMEBODY).run("touch", str(container.database)).status == 0
    assert owners(container.data)["aurite.db"] == SOMEBODY


@needs_root
@pytest.mark.parametrize("what", ["data", "data/aurite.db"])
def test_another_user_is_told_what_they_cannot_write(container: Container, what: str) -> None:
    sqlite3.connect(container.database).close()
    container.database.touch(mode=0o600)
    if what == "data/aurite.db":
        os.chown(container.data, SOMEBODY, SOMEBODY)

    ended = container.as_user(SOMEBODY).run("export")

    assert ended.status == 1
    assert ended.log.startswith(
        f"Error: {container.folder / what} cannot be written by the user {SOMEBODY}: permission denied. Mount"
    )
    assert len(ended.log.splitlines()) == 1


@needs_root
def test_four_capabilities_are_enough(container: Container) -> None:
    """As ``cap_drop: [ALL]`` with ``cap_add`` leaves them, and with ``no-new-privileges``."""
    os.chown(container.data, SOMEBODY, SOMEBODY)
    left = ("setpriv", "--no-new-privs", "--bounding-set=-all,+chown,+dac_override,+setuid,+setgid")
    assert replace(container, before=left).run("touch", str(container.database)).status == 0
    assert owners(container.data) == {"aurite.db": SERVICE_USER}


@needs_root
@pytest.mark.parametrize(
    ("left", "told"),
    [("-all,+chown,+dac_override", "CAP_SETUID and CAP_SETGID"), ("-chown", "cannot be written by the user 10001")],
)
def test_root_that_lacks_a_capability_says_so(container: Container, left: str, told: str) -> None:
    ended = replace(container, before=("setpriv", f"--bounding-set={left}")).run("true")
    assert ended.status in (1, 2)
    assert told in ended.log
    assert len(ended.log.splitlines()) == 1


@needs_root
def test_sessions_of_a_project_in_files_can_be_written(container: Container) -> None:
    assert container.with_variables(AURITE_ENABLE_DB="false").run("true").status == 0
    assert (container.app / ".aurite_cache").stat().st_uid == SERVICE_USER
    assert not container.database.exists()
    assert container.data.stat().st_uid == 0


@needs_root
def test_aurite_in_a_running_container_is_not_root(container: Container) -> None:
    """``docker exec`` comes as root, without the entry point."""
    wrapper = container.folder / "aurite"
    text = (ROOT / "docker" / "aurite").read_text(encoding="utf-8")
    assert "program=/opt/aurite/bin/aurite\n" in text
    wrapper.write_text(text.replace("/opt/aurite/bin/aurite", str(container.folder / "bin" / "aurite")), encoding="utf-8")
    os.chown(container.data, SERVICE_USER, SERVICE_USER)

    for who in (0, SERVICE_USER):
        ended = subprocess.run(
            ["sh", str(wrapper), "export"],
            cwd=container.app,
            env=container.environment(),
            user=who,
            extra_groups=[],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr
        assert set(owners(container.data).values()) == {SERVICE_USER}
