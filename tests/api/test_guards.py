"""Nobody gets in without the key, nothing too large or too odd is taken, and nothing leaks."""

from __future__ import annotations

import base64
import http.client
import json
import re
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.api.server import KEY, Client, Service, name_in_path

OPEN = {"/health", "/health/live", "/health/ready"}
LEVELS = 600


def operations(api: Client) -> Iterator[tuple[str, str]]:
    """Method and path of every route of our own document, with something in place of the parameters."""
    for path, methods in api.get("/openapi.json").done()["paths"].items():
        filled = re.sub(r"\{kind\}", "linear", path)
        yield from ((method.upper(), re.sub(r"\{[^}]+\}", "x", filled)) for method in methods)


def test_every_route_wants_the_key(files_api: Client) -> None:
    routes = [*operations(files_api), ("GET", "/openapi.json"), ("GET", "/api-docs"), ("GET", "/redoc"), ("GET", "/no/such/route")]
    assert len(routes) > 60
    for key in (None, "", "wrong", KEY[:-1], KEY + "x", KEY.upper()):
        stranger = Client(files_api.port, key)
        let_in = [route for route in routes if stranger(*route, {}).status != 401]
        assert {path for _, path in let_in} == OPEN, key
    assert Client(files_api.port, "wrong").get("/tools/").refused(401, "unauthorized")["detail"] == "Invalid or missing API Key"


def test_a_service_without_a_key_serves_health_alone_and_says_so_once(start_service: Callable[..., Service]) -> None:
    service = start_service("files", API_KEY="")
    stranger = Client(service.client.port, None)

    assert stranger.get("/health").done() == {"status": "ok"}
    assert stranger.get("/health/ready").done()["status"] == "ready"
    for key in (None, "", "anything"):
        assert "API_KEY" in Client(service.client.port, key).get("/config/components").refused(401, "no_api_key")["detail"]
    service.stop()
    assert service.log.count("API_KEY is not set") == 1


def test_the_pages_take_the_key_as_a_password_and_need_no_other_host(files_api: Client) -> None:
    stranger = Client(files_api.port, None)
    basic = {"Authorization": "Basic " + base64.b64encode(f"anyone:{KEY}".encode()).decode()}
    for path in ("/api-docs", "/redoc"):
        assert stranger.get(path).headers["www-authenticate"].startswith("Basic")
        page = stranger.get(path, headers=basic)
        assert page.status == 200
        for source in re.findall(r'(?:src|href|spec-url)="([^"]+)"', page.body.decode()):
            assert "//" not in source
            assert stranger.get(f"/{source}", headers=basic).status == 200
    wrong = {"Authorization": "Basic " + base64.b64encode(b"anyone:wrong").decode()}
    assert stranger.get("/api-docs", headers=wrong).status == 401
    assert stranger.get("/api-docs", headers={"Authorization": "Basic %%%"}).status == 401
    assert stranger.get("/config/components", headers=basic).status == 401, "a page of somebody else could send it along"


def test_a_body_over_the_limit_is_refused_before_it_is_read(files_api: Client) -> None:
    refused = files_api.post("/config/components/agents", headers={"Content-Length": str(17 * 1024 * 1024)}, raw=b"")
    refused.refused(413, "too_large")
    assert files_api.post("/execution/agents/x/run", headers={"Content-Length": str(66 * 1024 * 1024)}, raw=b"").status == 413
    assert Client(files_api.port, "wrong").post("/tools/register/x", headers={"Content-Length": "99999999"}, raw=b"").status == 401


def test_a_body_without_a_length_is_refused_where_it_becomes_too_large(files_api: Client) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", files_api.port, timeout=60)
    connection.putrequest("POST", "/config/components/agents")
    for name, value in {"X-API-Key": KEY, "Content-Type": "application/json", "Transfer-Encoding": "chunked"}.items():
        connection.putheader(name, value)
    connection.endheaders()
    piece = b"100000\r\n" + b" " * 0x100000 + b"\r\n"
    try:
        for _ in range(18):
            connection.send(piece)
    except OSError:  # refused already, and hung up
        pass
    assert connection.getresponse().status == 413
    connection.close()


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"{", "not JSON"),
        (b'{"name": "x", "config": {"max_tokens": NaN}}', "not JSON"),
        (b'{"name": "x", "config": {"temperature": 1e999}}', "out of range"),
        (b'{"name": "x", "config": {"deep": ' + b"[" * LEVELS + b"]" * LEVELS + b"}}", "nested deeper"),
        (b'{"name": "x", "config": {"deep": ' + b"[" * 100_000, "nested deeper"),
        (b"\xff\xfe", "UTF-8"),
        (b"[]", "dict"),
        (b"", "required"),
    ],
)
def test_a_body_that_is_no_json_within_the_limits_is_refused_with_its_fault(files_api: Client, raw: bytes, says: str) -> None:
    body = files_api.post("/config/components/agents", raw=raw).refused(422, "invalid_request")
    assert says.lower() in json.dumps(body["detail"]).lower()


def test_names_and_ids_over_the_limit_are_refused(files_api: Client) -> None:
    long = "x" * 256
    files_api.get(f"/config/components/agents/{long}").refused(422, "invalid_request")
    files_api.get(f"/execution/history/{long}").refused(422, "invalid_request")
    files_api.post("/execution/agents/Plain%20Agent/run", {"user_message": "x", "session_id": long}).refused(422, "invalid_request")
    files_api.post("/config/components/agents", {"name": long, "config": {}}).refused(422, "invalid_request")
    files_api.get("/x" * 5000).refused(400, "bad_path")


@pytest.mark.parametrize("path", ["/config/components/agents/%00", "/config/components/agents/%1f", "/config/components/%ff/x"])
def test_paths_that_no_name_can_have_are_refused(files_api: Client, path: str) -> None:
    files_api.get(path).refused(400, "bad_path")


ESCAPES = (
    "../../../../etc/passwd.json",
    "config/../../other/config/secret.json",
    "config/../.env.json",
    "../other/config/secret.json",
    ".aurite",
    "config/.hidden.json",
    "config/link.json",
    "config/linked/secret.json",
    "tools.py",
    "/etc/passwd",
    "config//all.json",
    "config/all.json/x.json",
    "config/all\\..\\x.json",
    "/",
)


def test_no_path_of_a_file_leads_out_of_the_folders_of_components(services: Callable[[str], Service]) -> None:
    service = services("files")
    outside = service.folder.parent / "other" / "config" / "secret.json"
    outside.write_text('[{"type": "llm", "name": "secret"}]', encoding="utf-8")
    before = outside.read_text(encoding="utf-8")
    (service.folder / "config" / "link.json").symlink_to(outside)
    (service.folder / "config" / "linked").symlink_to(outside.parent)
    listed = service.client.get("/config/files/demo").done()

    for path in ESCAPES:
        for spelt in {path, name_in_path(path), path.replace("..", "%2e%2e"), name_in_path(name_in_path(path))}:
            for answer in (
                service.client.get(f"/config/files/demo/{spelt}"),
                service.client.put(f"/config/files/demo/{spelt}", {"content": "[]"}),
                service.client.delete(f"/config/files/demo/{spelt}"),
            ):
                assert 400 <= answer.status < 500, (spelt, answer)
                assert b"secret" not in answer.body.replace(b"secret.json", b"")
        created = service.client.post("/config/files", {"source_name": "demo", "relative_path": path, "content": "[]"})
        assert 400 <= created.status < 500, (path, created)
    for name in ("..", ".", "%2e%2e", "nobody", "..%2fother"):
        assert 400 <= service.client.get(f"/config/files/{name}/config/all.json").status < 500

    (service.folder / "config" / "link.json").unlink()
    (service.folder / "config" / "linked").unlink()
    assert outside.read_text(encoding="utf-8") == before
    assert listed
    outside.unlink()


def test_projects_are_made_inside_the_workspace_alone(files_api: Client) -> None:
    for name in ("../up", "a/b", ".hidden", "", "-x", "x" * 256, "demo\n"):
        answer = files_api.post("/config/projects", {"name": name})
        assert answer.status in (409, 422), (name, answer)


def test_other_web_pages_are_let_in_only_where_a_setting_names_them(
    files_api: Client, start_service: Callable[..., Service]
) -> None:
    asked = {"Origin": "https://app.example", "Access-Control-Request-Method": "GET"}
    assert "access-control-allow-origin" not in files_api.get("/health", headers=asked).headers
    assert files_api("OPTIONS", "/config/components", headers=asked).status == 405

    service = start_service("files", AURITE_CORS_ORIGINS="https://app.example, https://other.example")
    stranger = Client(service.client.port, None)
    preflight = stranger("OPTIONS", "/config/components", headers=asked)
    assert preflight.headers["access-control-allow-origin"] == "https://app.example"
    refused = stranger("OPTIONS", "/config/components", headers={**asked, "Origin": "https://evil.example"})
    assert "access-control-allow-origin" not in refused.headers
    service.stop()


def test_secrets_are_in_no_answer_and_in_no_log(start_service: Callable[..., Service]) -> None:
    secrets = {
        "OPENAI_API_KEY": "sk-very-secret-0123456789",
        "AURITE_DB_PASSWORD": "pass-word-9876",
        "SOME_TOKEN": "tok-secret-5555",
    }
    service = start_service("sqlite", "--log-json", LOG_LEVEL="DEBUG", **secrets)
    told: list[bytes] = []
    for method, path in operations(service.client):
        body: dict[str, Any] = {"name": "x", "config": {}, "user_message": "x", "initial_input": "x", "args": {}, "variables": {}}
        told.append(service.client(method, path, body if method in ("POST", "PUT") else None).body)
    told.append(service.client.get("/system/environment").body)
    for key in ("wrong-key-of-somebody", KEY):
        Client(service.client.port, key).get(f"/config/components?api_key={KEY}")
    service.stop()

    lines = [json.loads(line) for line in service.log.splitlines()]
    assert any(line.get("path") == "/config/components" and line["status"] == 401 for line in lines)
    everything = b"\n".join(told).decode() + service.log
    for secret in (*secrets.values(), KEY, "wrong-key-of-somebody"):
        assert secret not in everything
        assert secret[:10] not in everything


def test_only_plain_variables_can_be_set(files_api: Client) -> None:
    wanted = {"A_PLACE": "here", "MY_TOKEN": "x", "API_KEY": "taken", "PORT": "1", "no name": "x", "NUL": "\0"}
    answer = files_api.put("/system/environment", {"variables": wanted}).done()

    assert answer["updated"] == ["A_PLACE"]
    assert answer["status"] == "partial"
    assert len(answer["errors"]) == 5
    shown = {entry["name"]: entry for entry in files_api.get("/system/environment").done()}
    assert shown["A_PLACE"]["value"] == "here"
    assert shown["API_KEY"] == {"name": "API_KEY", "value": "********", "is_sensitive": True}
    files_api.get("/config/components").done()


def test_a_slash_too_many_does_no_harm(files_api: Client) -> None:
    assert files_api.get("/config/components/").done() == files_api.get("/config/components").done()
    assert files_api.get("/execution/history/").status == files_api.get("/tools").status == files_api.get("/tools/").status == 200


def test_broken_requests_do_not_trouble_the_service(files_api: Client) -> None:
    for garbage in (
        b"\x00\x01\x02\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        b"POST " + b"a" * 70_000,
    ):
        with socket.create_connection(("127.0.0.1", files_api.port), timeout=10) as connection:
            connection.sendall(garbage)
            connection.shutdown(socket.SHUT_WR)
            connection.recv(1000)
    assert files_api.get("/health").status == 200
