"""What operators see and rely on: probes, metrics, the log, several workers, several servers on one database, its absence."""

from __future__ import annotations

import http.client
import json
import re
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle
from typing import Any

import pytest

from tests.api import project
from tests.api.server import Client, Service, environment
from tests.clusters import Cluster, Server


def metric(text: str, name: str, **labels: str) -> float | None:
    """The value of a series, or None."""
    for line in text.splitlines():
        found = re.fullmatch(rf"{name}\{{(.*)\}} (\S+)", line)
        if found and all(f'{label}="{value}"' in found[1] for label, value in labels.items()):
            return float(found[2])
    return None


def test_metrics_count_requests_runs_tokens_and_rows(service: Service) -> None:
    api = service.client
    before = api.get("/metrics").body.decode()
    api.post("/execution/agents/Plain%20Agent/run", {"user_message": "Hello", "session_id": "counted"}).done()
    api.get("/config/components/agents/Nobody")
    scraped = api.get("/metrics")
    text = scraped.body.decode()

    def risen(name: str, **labels: str) -> float:
        return (metric(text, name, **labels) or 0) - (metric(before, name, **labels) or 0)

    assert scraped.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    route = "/config/components/{component_type}/{component_id}"
    assert risen("aurite_http_requests_total", route=route, status="404") == 1
    assert risen("aurite_http_request_seconds_count", route=route, method="GET") == 1
    assert risen("aurite_http_request_seconds_bucket", route=route, method="GET", le="+Inf") == 1
    assert risen("aurite_runs_total", kind="agent", outcome="completed") == 1
    assert risen("aurite_tokens_total", direction="input") > 0
    assert metric(text, "aurite_ready") == 1
    assert metric(text, "aurite_config_version_lag") == 0
    assert (metric(text, "aurite_resident_bytes") or 0) > 10_000_000
    in_database = "AURITE_ENABLE_DB" in service.variables
    assert (metric(text, "aurite_rows", table="components") is not None) == in_database
    assert (metric(text, "aurite_store_wait_seconds") is not None) == in_database
    on_server = "AURITE_DB_TYPE" in service.variables
    assert (metric(text, "aurite_pool_in_use") is not None) == on_server
    for line in text.splitlines():
        assert re.fullmatch(r"# (HELP|TYPE) aurite_\w+ .+|aurite_\w+\{.*\} [\d.e+-]+", line), line
    api.delete("/execution/history/counted")


def test_the_log_has_a_json_line_for_each_request_on_request(start_service: Callable[..., Service]) -> None:
    service = start_service("files", "--log-json")
    service.client.get("/config/components/agents/Plain%20Agent?secret=hidden").done()
    service.client.get("/config/components/agents/a%0Ab")
    service.stop()

    lines = [json.loads(line) for line in service.log.splitlines()]
    wanted = next(line for line in lines if line.get("path") == "/config/components/agents/Plain%20Agent")
    assert wanted["status"] == 200
    assert wanted["method"] == "GET"
    assert wanted["client"] == "127.0.0.1"
    assert wanted["ms"] > 0
    assert "hidden" not in service.log


def test_a_service_that_cannot_load_its_configuration_is_not_ready_until_it_can(start_service: Callable[..., Service]) -> None:
    service = start_service("sqlite")
    service.stop()
    database = service.folder / ".aurite_db" / "aurite.db"
    whole = database.read_bytes()
    database.write_bytes(b"this is no database at all, but a text of some length" * 100)
    service.start(ready=False)

    assert service.client.get("/health").status == 200
    assert service.client.get("/health/ready").status == 503
    answer = service.client.get("/config/components/agents")
    assert answer.status == 503
    assert answer.json()["code"] == "not_aurite_database"
    database.write_bytes(whole)
    service.wait_for("/health/ready", 200)
    assert len(service.client.get("/config/components/agents").done()) == 5
    service.stop()


def test_workers_share_the_port_and_stop_together(start_service: Callable[..., Service]) -> None:
    service = start_service("sqlite", "--workers", "2")
    deadline = time.monotonic() + 60
    processes: set[str] = set()
    while len(processes) < 2 and time.monotonic() < deadline:
        processes |= set(re.findall(r'process="(\d+)"', service.client.get("/metrics").body.decode()))
    assert len(processes) == 2
    service.client.post("/config/components/llms", {"name": "shared", "config": {"provider": "offline", "model": "m"}}).done()
    for _ in range(20):
        service.client.get("/config/components/llms/shared").done()
    service.terminate()
    service.ended(30)
    assert "Traceback" not in service.log


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_a_service_that_is_told_to_stop_ends_soon_and_quietly(start_service: Callable[..., Service], sent: int) -> None:
    service = start_service("files")
    assert service.process is not None
    service.process.send_signal(sent)
    assert service.ended(20) in (130, -signal.SIGTERM)
    assert "Traceback" not in service.log
    assert "Error" not in service.log


@pytest.fixture(scope="module")
def own_cluster() -> Iterator[Cluster]:
    """A PostgreSQL server that may be stopped."""
    cluster = Cluster().start()
    yield cluster
    cluster.remove()


@pytest.fixture
def pair(own_cluster: Cluster, tmp_path: Any) -> Iterator[tuple[Service, Service]]:
    """Two servers on one database."""
    target = own_cluster.target(own_cluster.create_database())
    services: list[Service] = []
    for name in ("one", "two"):
        top = tmp_path / name
        (top / "home").mkdir(parents=True)
        (top / "work").mkdir()
        folder = project.make(top / "work")
        chosen = project.mode_variables("postgresql", target)
        given = environment(top / "home", **chosen, AURITE_DB_CONNECT_TIMEOUT="3", AURITE_DB_POOL_TIMEOUT="5")
        if name == "one":
            project.export(folder, given)
        services.append(Service(folder, given).start())
    yield services[0], services[1]
    for service in services:
        service.stop()


def test_a_component_changed_through_one_server_is_served_by_the_other(pair: tuple[Service, Service]) -> None:
    one, two = (service.client for service in pair)
    one.post("/config/components/llms", {"name": "seen", "config": {"provider": "offline", "model": "m0"}}).done()
    for number, (writer, reader) in zip(range(1, 9), cycle(((one, two), (two, one))), strict=False):
        writer.put("/config/components/llms/seen", {"config": {"provider": "offline", "model": f"m{number}"}}).done()
        deadline = time.monotonic() + 2
        while reader.get("/config/components/llms/seen").json().get("model") != f"m{number}":
            assert time.monotonic() < deadline, "not seen within two seconds"
            time.sleep(0.01)
    etag = one.get("/config/components/llms/seen").headers["etag"]
    assert two.delete("/config/components/llms/seen", headers={"If-Match": etag}).status == 200


def test_a_session_continued_through_alternating_servers_is_whole(pair: tuple[Service, Service]) -> None:
    clients = cycle(service.client for service in pair)
    for number in range(6):
        said = {"user_message": f"message {number}", "session_id": "shared"}
        result = next(clients).post("/execution/agents/Plain%20Agent/run", said).done()
        asked = [message["content"] for message in result["conversation_history"] if message["role"] == "user"]
        assert asked == [f"message {earlier}" for earlier in range(number + 1)]
    for service in pair:
        kept = service.client.get("/execution/history/agent-shared").done()["execution_result"]["conversation_history"]
        assert [message["role"] for message in kept] == ["system", *["user", "assistant"] * 6]


def test_requests_that_would_wait_too_long_for_the_database_are_sent_away(
    start_service: Callable[..., Service], postgres_server: Server
) -> None:
    service = start_service("postgresql", AURITE_DB_POOL_SIZE="3", AURITE_DB_POOL_TIMEOUT="1")
    api = service.client
    with postgres_server.connect(service.variables["AURITE_DB_NAME"]) as foreign, ThreadPoolExecutor(12) as pool:
        with foreign.transaction():
            foreign.execute("LOCK TABLE sessions IN ACCESS EXCLUSIVE MODE")
            listings = [pool.submit(api.get, "/execution/history") for _ in range(12)]
            deadline = time.monotonic() + 20
            while sum(listing.done() for listing in listings) < 9:
                assert time.monotonic() < deadline
                time.sleep(0.02)
            assert api.get("/health").status == 200
            assert metric(api.get("/metrics").body.decode(), "aurite_pool_in_use") != 0
        answers = [listing.result(20) for listing in listings]

    refused = [answer for answer in answers if answer.status != 200]
    assert len(refused) == 9
    for answer in refused:
        answer.refused(503, "store_busy")
        assert answer.headers["retry-after"]
    api.get("/execution/history").done()
    service.stop()


def test_a_database_that_goes_and_comes_back_costs_503s_and_nothing_else(
    pair: tuple[Service, Service], own_cluster: Cluster
) -> None:
    service = pair[0]
    api = service.client
    stored: list[str] = []
    statuses: set[int] = set()
    going_on = True

    def keep_running(worker: int) -> None:
        number = 0
        while going_on:
            number += 1
            session = f"load-{worker}-{number}"
            answer = api.post("/execution/agents/Plain%20Agent/run", {"user_message": "x", "session_id": session})
            statuses.add(answer.status)
            if answer.status == 200:
                stored.append(f"agent-{session}")
            else:
                assert answer.headers["retry-after"]

    with ThreadPoolExecutor(3) as pool:
        running = [pool.submit(keep_running, worker) for worker in range(3)]
        while not stored:
            time.sleep(0.05)
        own_cluster.stop()
        service.wait_for("/health/ready", 503, 20)
        api.get("/execution/history").refused(503, "store_unavailable")
        assert api.get("/health").status == 200
        assert api.get("/config/components/agents/Plain%20Agent").status in (200, 503)
        before = len(stored)
        own_cluster.start()
        service.wait_for("/health/ready", 200, 20)
        deadline = time.monotonic() + 20
        while len(stored) < before + 3:
            assert time.monotonic() < deadline, statuses
            time.sleep(0.05)
        going_on = False
        for each in running:
            each.result(30)

    assert statuses == {200, 503}
    for session in stored:
        messages = api.get(f"/execution/history/{session}").done()["execution_result"]["conversation_history"]
        assert [message["role"] for message in messages] == ["system", "user", "assistant"]
    assert service.process is not None
    assert service.process.poll() is None


def test_an_answer_is_not_held_back_by_the_network(files_api: Client) -> None:
    """Nagle's delay and delayed acknowledgements together cost 40 ms for each answer on a connection that stays open."""
    connection = http.client.HTTPConnection("127.0.0.1", files_api.port, timeout=60)
    took = []
    for _ in range(30):
        began = time.perf_counter()
        files_api.send(connection, "GET", "/health")
        connection.getresponse().read()
        took.append(time.perf_counter() - began)
    connection.close()
    assert sorted(took)[3] < 0.03
