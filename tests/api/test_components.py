"""Components over HTTP: exact, never overwritten unseen, with their whole past."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.api.server import Answer, Client, name_in_path

NAMES = ("a/b", "..", "ünï", "100%", "a b+c", "?x=1#y", "it's <b>", "emoji 😀", "%2F", "x" * 255)


def llm(**fields: Any) -> dict[str, Any]:
    return {"provider": "offline", "model": "offline", **fields}


def create(api: Client, name: str, **fields: Any) -> Answer:
    answer = api.post("/config/components/llms", {"name": name, "config": llm(**fields)})
    answer.done()
    return answer


@pytest.mark.parametrize("name", NAMES)
def test_a_component_of_any_name_is_created_read_changed_and_deleted(api: Client, name: str) -> None:
    path = f"/config/components/llm/{name_in_path(name)}"
    created = create(api, name)
    assert created.json()["message"] == f"Component '{name}' created successfully."
    assert api.get(path).done() == {"type": "llm", "name": name, **llm()}
    api.put(path, {"config": llm(temperature=1)}).done()
    assert api.get(path).done()["temperature"] == 1
    assert name in [component["name"] for component in api.get("/config/components/llms").done()]
    api.delete(path).done()
    api.get(path).refused(404, "component_not_found")


def test_a_document_comes_back_as_it_went_in(sqlite_api: Client) -> None:
    raw = (
        b'{"name":"exact","config":{"type":"llm","name":"exact","provider":"offline","model":"m","z":1,"a":2,"big":'
        + b"9" * 60
        + rb',"float":1e-07,"minus":-0.0,"empty":"","null":null,"nul":"a\u0000b","half":"\ud800","clef":"\ud834\udd1e",'
        + rb'"crlf":"a\r\nb","nested":[[],{},[{"k":[1.10,true]}]]}}'
    )
    sqlite_api.post("/config/components/llms", raw=raw).done()
    shown = sqlite_api.get("/config/components/llms/exact").body
    sqlite_api.delete("/config/components/llms/exact").done()

    sent = json.loads(raw)["config"]
    assert json.loads(shown) == sent
    assert list(json.loads(shown)) == list(sent)
    assert b"9" * 60 in shown
    assert b'"minus":-0.0' in shown
    assert rb'"half":"\ud800"' in shown


def test_a_change_with_an_old_etag_is_refused_and_shows_the_current_value(api: Client) -> None:
    create(api, "tagged")
    path = "/config/components/llms/tagged"
    first = api.get(path).headers["etag"]
    changed = api.put(path, {"config": llm(model="second")}, headers={"If-Match": first})
    changed.done()
    assert changed.headers["etag"] == api.get(path).headers["etag"] != first

    for refused in (
        api.put(path, {"config": llm(model="third")}, headers={"If-Match": first}),
        api.delete(path, headers={"If-Match": first}),
        api.put(path, {"config": llm(model="third")}, headers={"If-Match": "nonsense"}),
    ):
        body = refused.refused(412, "revision_conflict")
        assert body["current"]["model"] == "second"
        assert refused.headers["etag"] == changed.headers["etag"]
    assert api.get(path).done()["model"] == "second"

    api.put(path, {"config": llm(model="any")}, headers={"If-Match": "*"}).done()
    api.put(path, {"config": llm(model="any")}).done()
    api.delete(path, headers={"If-Match": f'"1", {api.get(path).headers["etag"]}'}).done()
    api.put(path, {"config": llm()}, headers={"If-Match": "*"}).refused(404, "component_not_found")


def test_of_many_that_change_one_value_at_once_each_sees_what_it_changes(api: Client) -> None:
    create(api, "counter", count=0)
    path = "/config/components/llms/counter"

    def count_up(_: int) -> None:
        while True:
            seen = api.get(path)
            document = {**seen.done(), "count": seen.json()["count"] + 1}
            answer = api.put(path, {"config": document}, headers={"If-Match": seen.headers["etag"]})
            if answer.status == 200:
                return
            answer.refused(412, "revision_conflict")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(count_up, range(12)))
    assert api.get(path).done()["count"] == 12
    api.delete(path).done()


def test_the_past_of_a_component_is_shown_and_brought_back(sqlite_api: Client) -> None:
    create(sqlite_api, "past", model="one")
    path = "/config/components/llms/past"
    sqlite_api.put(path, {"config": llm(model="two")}).done()
    revisions = sqlite_api.get(f"{path}/history").done()["revisions"]

    assert [(revision["change"], revision["document"]["model"], revision["writer"]) for revision in revisions] == [
        ("update", "two", "api"),
        ("create", "one", "api"),
    ]
    etag = sqlite_api.get(path).headers["etag"]
    oldest = {"revision": revisions[-1]["revision"]}
    sqlite_api.post(f"{path}/rollback", oldest, headers={"If-Match": '"1"'}).refused(412, "revision_conflict")
    assert sqlite_api.post(f"{path}/rollback", oldest, headers={"If-Match": etag}).done()["model"] == "one"
    sqlite_api.post(f"{path}/rollback", {"revision": 0}).refused(404, "component_not_found")
    assert len(sqlite_api.get(f"{path}/history").done()["revisions"]) == 3
    sqlite_api.delete(path).done()
    assert sqlite_api.get(f"{path}/history").done()["revisions"][0]["document"] is None
    sqlite_api.get("/config/components/llms/never/history").refused(404, "component_not_found")


def test_files_have_no_past_and_say_so(files_api: Client) -> None:
    files_api.get("/config/components/llms/offline/history").refused(409, "not_supported")
    files_api.post("/config/components/llms/offline/rollback", {"revision": 1}).refused(409, "not_supported")


def test_a_new_component_goes_where_its_config_says(files_api: Client, services: Any) -> None:
    folder: Path = services("files").folder
    placed = [
        ({"file_path": "config/llms/mine.json"}, folder / "config" / "llms" / "mine.json"),
        ({"file_path": "yours.yaml"}, folder / "config" / "yours.yaml"),
        ({"project": "other"}, folder.parent / "other" / "config" / "llms" / "llms.json"),
        ({"project": "other", "file_path": "config/theirs.json"}, folder.parent / "other" / "config" / "theirs.json"),
        ({}, folder / "config" / "llms" / "llms.json"),
    ]
    for number, (where, file) in enumerate(placed):
        create(files_api, f"placed {number}", **where)
        assert f"placed {number}" in file.read_text(encoding="utf-8")
        assert files_api.get(f"/config/components/llms/placed%20{number}").done().keys() == {"type", "name", "provider", "model"}
        files_api.delete(f"/config/components/llms/placed%20{number}").done()
    nowhere: tuple[dict[str, Any], ...] = (
        {"project": "nowhere"},
        {"file_path": "../x.json"},
        {"file_path": 7},
        {"workspace": True},
    )
    for fields in nowhere:
        answer = files_api.post("/config/components/llms", {"name": "lost", "config": llm(**fields)})
        answer.refused(422, "invalid_value")


def test_a_component_that_is_not_valid_is_refused_field_by_field(api: Client) -> None:
    answer = api.post("/config/components/agents", {"name": "bad", "config": {"temperature": "hot", "max_tokens": 0}})
    faults = answer.refused(422, "invalid_component")["detail"]
    assert {tuple(fault["loc"]) for fault in faults} == {("body", "config", "temperature"), ("body", "config", "max_tokens")}
    api.post("/config/components/agents", {"name": "one", "config": {"name": "two"}}).refused(422, "invalid_component")


def test_a_change_of_the_files_by_hand_is_served_at_once(files_api: Client, services: Any) -> None:
    file = services("files").folder / "config" / "by_hand.json"
    file.write_text('[{"type": "llm", "name": "by hand", "provider": "offline", "model": "offline"}]', encoding="utf-8")
    assert files_api.get("/config/components/llms/by%20hand").done()["model"] == "offline"
    file.write_text("[", encoding="utf-8")
    files_api.get("/config/components/llms/by%20hand").refused(404, "component_not_found")
    assert files_api.get("/config/components/llms/offline").status == 200
    assert "by_hand.json" in json.dumps(files_api.post("/config/validate").done())
    assert files_api.get("/system/health").done()["status"] == "degraded"
    file.unlink()
    assert files_api.get("/system/health").done()["status"] == "healthy"


def test_a_project_made_over_http_holds_components_at_once(files_api: Client) -> None:
    files_api.post("/config/projects", {"name": "fresh", "description": "New"}).done()
    create(files_api, "in fresh", project="fresh")
    assert files_api.get("/config/files/fresh").done() == ["config/llms/llms.json"]
    shown = files_api.get("/config/projects/fresh").done()
    assert (shown["description"], shown["is_active"], shown["include_configs"]) == ("New", False, ["config"])

    files_api.put("/config/projects/fresh", {"new_name": "renamed", "include_configs": ["config", "more"]}).done()
    assert "renamed" in files_api.get("/config/workspaces/active").done()["projects"]
    files_api.get("/config/components/llms/in%20fresh").done()
    files_api.delete("/config/projects/renamed").done()
    files_api.get("/config/components/llms/in%20fresh").refused(404, "component_not_found")
