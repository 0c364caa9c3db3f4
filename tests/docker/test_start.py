"""What the entry point does before the service: wait, upgrade, export; and what it does not do before other commands."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.clusters import Cluster, free_port
from tests.docker.container import Container, Ended

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tests" / "data"
STOPPED = {0, -signal.SIGTERM, -signal.SIGINT, 130, 143}
"""How a service ends that was told to."""
BROKEN = '[{"type": "llm", "name": "broken", "provider": 7}]'


def llms(container: Container) -> list[str]:
    ended = container.with_variables(AURITE_AUTO_EXPORT="false").run("list", "llms", "--json")
    assert ended.status == 0, ended.log
    return [component["name"] for component in json.loads(ended.output)["components"]]


def refused(ended: Ended, *words: str, status: int = 1) -> None:
    assert ended.status == status, ended.log
    (told,) = [line for line in ended.log.splitlines() if line.startswith("Error: ")]
    for word in words:
        assert word in told
    assert "Traceback" not in ended.log


def health(container: Container) -> subprocess.CompletedProcess[str]:
    """The health check of the image."""
    program = [str(container.folder / "bin" / "python"), str(ROOT / "docker" / "healthcheck.py")]
    environment = container.environment()
    return subprocess.run(program, cwd=container.app, env=environment, capture_output=True, text=True, timeout=30, check=False)


# The service.


def test_the_service_exports_and_serves_and_ends_when_it_is_told_to(container: Container) -> None:
    service = container.start().serves()

    assert "1 new" in service.log
    assert service.get("/config/components/llm", X_API_Key="k")[0] == 200
    assert service.get("/config/components/llm")[0] == 401
    assert health(container).returncode == 0
    assert service.stop().status in STOPPED
    assert health(container).returncode == 1
    assert llms(container) == ["offline"]


def test_no_service_starts_where_a_component_file_is_broken(container: Container) -> None:
    assert container.run("export").status == 0
    (container.app / "config" / "broken.json").write_text(BROKEN, encoding="utf-8")

    ended = container.run("aurite", "api")

    refused(ended, "nothing was exported", "broken.json", "AURITE_AUTO_EXPORT=false")
    assert "serving" not in ended.log
    assert llms(container) == ["offline"]


def test_the_service_starts_with_what_the_database_holds_where_no_export_is_wanted(container: Container) -> None:
    (container.app / "config" / "broken.json").write_text(BROKEN, encoding="utf-8")
    service = container.with_variables(AURITE_AUTO_EXPORT="false").start("serve").serves()
    assert "xport" not in service.log
    assert service.stop(signal.SIGINT).status in STOPPED
    assert llms(container) == []


def test_the_service_starts_without_a_project(empty_folder: Container) -> None:
    service = empty_folder.start("aurite", "api").serves()
    assert f"Nothing to export: there is no project in {empty_folder.app}." in service.log
    assert service.stop().status in STOPPED


def test_the_service_in_file_mode_touches_no_database(container: Container) -> None:
    service = container.with_variables(AURITE_ENABLE_DB="false").start().serves()
    assert "xport" not in service.log
    assert service.stop().status in STOPPED
    assert not container.database.exists()


def test_an_older_schema_is_upgraded(container: Container) -> None:
    shutil.copyfile(DATA / "schema-1" / "database.sqlite", container.database)
    service = container.start().serves()
    assert service.stop().status in STOPPED
    assert "of the schema: 0002_" in service.log


def test_a_database_of_0_4_is_left_as_it_is_until_it_is_asked_for(container: Container) -> None:
    shutil.copyfile(DATA / "aurite-0.4" / "database.sqlite", container.database)
    before = container.database.read_bytes()

    refused(container.run(), "written by Aurite 0.4", "aurite db upgrade")
    assert container.database.read_bytes() == before

    assert container.run("db", "upgrade").status == 0
    assert len(llms(container)) > 1


# PostgreSQL.


@pytest.fixture(scope="module")
def server() -> Iterator[Cluster]:
    """A server that lets nobody in without a password; it was stopped."""
    cluster = Cluster(hba=["local all all trust", "host all all 127.0.0.1/32 scram-sha-256"]).start()
    with cluster.connect() as connection:
        connection.execute("CREATE USER postgres_user PASSWORD 'right-one'")
        connection.execute("CREATE DATABASE aurite_storage OWNER postgres_user")
    cluster.stop()
    yield cluster
    cluster.remove()


@pytest.fixture
def on_server(container: Container, server: Cluster) -> Container:
    return container.with_variables(
        AURITE_DB_TYPE="postgresql",
        AURITE_DB_HOST="127.0.0.1",
        AURITE_DB_PORT=str(server.port),
        AURITE_DB_USER="postgres_user",
        AURITE_DB_PASSWORD="right-one",
        AURITE_DB_NAME="aurite_storage",
    )


def test_a_server_that_comes_up_late_is_waited_for_and_a_wrong_password_is_not(on_server: Container, server: Cluster) -> None:
    service = on_server.start().says(f"Waiting for aurite_storage on 127.0.0.1:{server.port}, at most 60 s.")

    server.start()

    service.serves()
    assert "It takes connections after" in service.log
    assert "1 new" in service.log
    page = (ROOT / "docs" / "how-to" / "operate.md").read_text(encoding="utf-8")
    assert set(re.findall(r"\baurite_[a-z_]+[a-z](?=`)", page)) <= set(
        re.findall(r"\w+", service.get("/metrics", X_API_Key="k")[1])
    )

    server.stop()

    unhealthy = health(on_server)
    assert unhealthy.returncode == 1
    assert "not_ready" in unhealthy.stderr
    server.start()
    service.serves()
    assert service.stop().status in STOPPED
    assert "right-one" not in service.log

    ended = on_server.with_variables(AURITE_DB_PASSWORD="wrong-one").run()

    refused(ended, "authentication failed", "AURITE_DB_PASSWORD")
    assert "Waiting" not in ended.log
    assert "wrong-one" not in ended.log


@pytest.fixture
def nowhere(container: Container) -> Container:
    """A container whose server never comes."""
    return container.with_variables(
        AURITE_DB_TYPE="postgresql",
        AURITE_DB_HOST="127.0.0.1",
        AURITE_DB_PORT=str(free_port()),
        AURITE_DB_USER="postgres_user",
        AURITE_DB_PASSWORD="right-one",
    )


@pytest.mark.parametrize("seconds", ["0", "1.5"])
def test_a_server_that_never_comes_up_is_given_up(nowhere: Container, seconds: str) -> None:
    started = time.monotonic()
    ended = nowhere.with_variables(AURITE_WAIT_FOR_DB=seconds).run()
    assert time.monotonic() - started > float(seconds)
    refused(
        ended, f"connection refused by 127.0.0.1:{nowhere.variables['AURITE_DB_PORT']}, tried for {seconds} s", "AURITE_WAIT_FOR_DB"
    )


def test_a_container_that_waits_can_be_stopped(nowhere: Container) -> None:
    waiting = nowhere.start().says("Waiting")
    assert waiting.stop(within=5).status == 143


# Other commands.


@pytest.mark.parametrize("command", [("list", "llms"), ("aurite", "list", "llms")])
def test_a_command_of_aurite_runs_without_an_export(container: Container, command: tuple[str, ...]) -> None:
    ended = container.run(*command)
    assert ended.status == 0
    assert "offline" not in ended.output


def test_an_option_goes_to_aurite(container: Container) -> None:
    assert container.run("--version").output.startswith("aurite ")


def test_another_program_takes_the_place_of_the_service(container: Container) -> None:
    ended = container.run("sh", "-c", 'echo "$@"; pwd; exit 42', "-", "--help", "-x", "a  b")
    assert ended.status == 42
    assert ended.output == f"--help -x a  b\n{container.app}\n"
    assert not container.database.exists()


def test_another_program_waits_for_no_server(nowhere: Container) -> None:
    assert nowhere.run("true", within=15).status == 0


def test_a_signal_reaches_the_command_itself(container: Container) -> None:
    running = container.start("sh", "-c", 'trap "echo heard; exit 5" TERM; echo ready >&2; while :; do sleep 0.05; done').says(
        "ready"
    )
    ended = running.stop()
    assert (ended.status, ended.output) == (5, "heard\n")


def test_a_command_whose_reader_goes_away_ends_as_everywhere(container: Container) -> None:
    ended = container.run("bash", "-c", "yes | head -n 1; exit ${PIPESTATUS[0]}", within=15)
    assert ended.status == 128 + signal.SIGPIPE


def test_a_program_that_is_not_there_is_told(container: Container) -> None:
    refused(container.run("no-such-program"), "no-such-program cannot be started", status=2)


def test_a_setting_that_cannot_be_used_is_told_before_anything_happens(container: Container) -> None:
    refused(container.with_variables(AURITE_WAIT_FOR_DB="soon").run(), "AURITE_WAIT_FOR_DB (environment) is 'soon'")
    assert not list(container.data.iterdir())


def may_begin_a_tree_of_processes() -> bool:
    return subprocess.run(["unshare", "--pid", "--fork", "true"], check=False, capture_output=True).returncode == 0


@pytest.mark.skipif(not may_begin_a_tree_of_processes(), reason="this user or machine may not make a PID namespace")
@pytest.mark.parametrize("service", [True, False])
def test_process_1_can_be_stopped(nowhere: Container, container: Container, *, service: bool) -> None:
    """The kernel gives process 1 no signal that it does not ask for: the entry point while it waits, and the service later on."""
    started = replace(
        container if service else nowhere, before=("unshare", "--pid", "--fork", "--mount-proc", "--kill-child")
    ).start()
    if service:
        started.serves()
    else:
        started.says("Waiting")
    children = Path(f"/proc/{started.process.pid}/task/{started.process.pid}/children").read_text(encoding="utf-8").split()

    os.kill(int(children[0]), signal.SIGTERM)

    assert started.ends(within=10).status in ({0} if service else {143})
