"""``aurite list``, ``show`` and ``validate``: what there is, what is wrong with it, and nothing that steers the terminal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from aurite.model.kinds import KINDS
from tests.cli.program import Program

TRICKY = "[red]A[/red] \u202egent 'x\" 名"


def add(program: Program, file: str, components: object) -> Path:
    """A file of components in a project."""
    path = program.folder / "config" / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(components), encoding="utf-8")
    return path


def agent(name: str, **fields: Any) -> dict[str, Any]:
    return {"type": "agent", "name": name, "llm_config_id": "offline", **fields}


def test_every_type_can_be_listed_by_its_plural_and_its_singular(project: Program) -> None:
    for kind in KINDS.values():
        assert project("list", kind.plural).done().output == project("list", kind.type).done().output


def test_a_piped_listing_is_a_line_for_each_component_and_nothing_else(project: Program) -> None:
    ended = project("list", "agents").done()

    assert [line.split("  ")[0] for line in ended.lines] == ["Packing Agent", "Weather Agent"]
    assert ended.errors == ""
    assert "\x1b" not in ended.output


def test_bare_list_is_list_all_and_the_index_is_json(project: Program) -> None:
    everything = project("list").done()

    assert everything.output == project("list", "all").done().output
    listed = project("list", "index").done().json()
    assert listed == project("list", "--json").done().json()
    assert len(listed["components"]) == len(everything.lines)
    assert set(listed["components"][0]) >= {"type", "name", "description", "revision", "source_file", "project_name"}


def test_workflows_are_all_three_types_of_them(project: Program) -> None:
    add(project, "graph.json", {"type": "graph_workflow", "name": "G", "nodes": []})
    add(project, "custom.json", {"type": "custom_workflow", "name": "C", "module_path": "c.py", "class_name": "C"})

    listed = project("list", "workflows", "--json").done().json()

    assert {entry["name"] for entry in listed["components"]} == {"G", "C", "Weather And Packing"}


def test_both_stores_list_the_same(database: Program) -> None:
    of_files = database.with_variables(AURITE_ENABLE_DB="false")("list", "--json").done().json()
    of_database = database("list", "--json").done().json()

    fields = ("type", "name", "description", "project_name")
    assert [[entry[field] for field in fields] for entry in of_files["components"]] == [
        [entry[field] for field in fields] for entry in of_database["components"]
    ]
    assert of_database["store"].endswith("aurite.db")


def test_problems_are_told_below_every_listing_and_hide_no_other_component(project: Program) -> None:
    broken = add(project, "broken.json", {})
    broken.write_text('[\n  {"type": "agent",\n   "name": }\n]')

    for arguments in (("list",), ("list", "llms"), ("list", "agents"), ("show", "llm"), ("list", "--json")):
        ended = project(*arguments).done()
        assert f"{broken.name}:3: " in ended.errors
        assert "1 problem" in ended.errors
        assert ended.output
    assert project("list", "--json").json()["problems"][0]["where"].endswith("broken.json:3")


def test_an_empty_database_is_never_shown_bare(project: Program) -> None:
    program = project.with_variables(AURITE_ENABLE_DB="true")

    ended = program("list", "agents").done()

    assert ended.output == ""
    assert "No agents in SQLite database" in ended.errors
    assert "aurite.db" in ended.errors
    assert "2 components that fit" in ended.errors
    assert "aurite export" in ended.errors


def test_an_empty_database_needs_no_project_around_it(aurite: Program) -> None:
    program = aurite.with_variables(AURITE_ENABLE_DB="true")
    for arguments in (["list"], ["list", "agents"], ["show", "agent"]):
        ended = program(*arguments).done()
        assert "in SQLite database" in ended.errors
        assert "Error" not in ended.errors


def test_a_type_without_components_is_not_shown_bare_either(project: Program) -> None:
    assert "No evaluations in files of" in project("show", "evaluation").done().errors
    assert "No evaluations in files of" in project("show", "--type", "evaluations").done().errors


def test_an_empty_project_says_which_files_were_read(aurite: Program) -> None:
    (aurite.folder / ".aurite").write_text('[aurite]\ntype = "project"\ninclude_configs = ["config"]\n')

    ended = aurite("list").done()

    assert (ended.output, ended.status) == ("", 0)
    assert "No components in files of" in ended.errors


def test_shadowed_components_are_shown_when_asked_for(project: Program) -> None:
    add(project, "zz_second.json", [agent("Weather Agent", description="second")])

    assert "second" not in project("list", "agents").done().output
    shadowed = project("list", "--shadowed", "--json").done().json()["components"]
    assert [(entry["name"], entry["description"]) for entry in shadowed] == [("Weather Agent", "second")]


def test_names_are_never_markup_and_never_steer_the_terminal(project: Program) -> None:
    add(project, "tricky.json", [agent(TRICKY, description="\x1b]0;owned\x07\x1b[31mred\nsecond line\x9b1m")])

    piped = project("list", "agents").done().output
    with project.terminal("list", "agents", columns=200) as person:
        status, shown = person.ends()

    assert status == 0
    for text in (piped, shown):
        assert "[red]A[/red] \\u202egent 'x\" 名" in text
        assert "\\x1b]0;owned\\x07" in text
        assert "\\x9b1m" in text
        assert "\x1b]0;" not in text
        assert "\u202e" not in text
        assert "\x9b" not in text
    assert project("list", "agents", "--json").done().json()["components"][0]["name"] != ""
    assert TRICKY in [entry["name"] for entry in project("list", "--json").done().json()["components"]]


def test_a_terminal_gets_a_heading_and_colours_and_no_color_takes_the_colours_away(project: Program) -> None:
    with project.terminal("list", "agents") as person:
        _, coloured = person.ends()
    with project.with_variables(NO_COLOR="1").terminal("list", "agents") as person:
        _, plain = person.ends()

    assert "Description" in coloured
    assert "\x1b[36m" in coloured
    assert "Description" in plain
    assert "\x1b[36m" not in plain


def test_a_component_is_shown_by_its_name_and_a_type_shows_all_of_it(project: Program) -> None:
    shown = project("show", "Weather Agent").done().output

    assert "agent  Weather Agent" in shown
    assert "llm_config_id: offline" in shown
    assert project("show", "agents", "--short").done().lines == [
        "agent Packing Agent: Says what to pack for the weather it is told of.",
        "agent Weather Agent: Looks up the weather of a city with a tool.",
    ]
    assert {entry["type"] for entry in project("show", "llms", "--json").done().json()["components"]} == {"llm"}


def test_the_full_document_comes_out_exactly(project: Program) -> None:
    document = (
        '{"type":"llm","name":"Exact","provider":"offline","model":"m","z":1,"a":123456789012345678901234567890,'
        '"f":1e-7,"minus":-0.0,"long":"\\u0000\\u001b\u00e9\\ud83d\\ude00","lone":"\\ud800","empty":{},"list":[]}'
    )
    (project.folder / "config" / "exact.json").write_text(document, encoding="utf-8")

    shown = project("show", "Exact", "--full").done()

    value = json.loads(document)
    assert shown.json() == value
    assert list(shown.json()) == list(value)
    assert "123456789012345678901234567890" in shown.output
    assert "-0.0" in shown.output
    again = project("apply", "-f", "-", "--dry-run", "--json", stdin=shown.output).done().json()
    assert again["unchanged"] == [{"type": "llm", "name": "Exact"}]


def test_an_output_that_is_no_utf8_gets_escapes_that_json_readers_understand(project: Program) -> None:
    add(project, "names.json", [agent("名 \U0001f600")])
    latin = project.with_variables(PYTHONIOENCODING="latin-1")

    assert latin("show", "名 \U0001f600", "--json").done().json()["components"][0]["name"] == "名 \U0001f600"
    assert "\\u540d" in latin("list", "agents").done().output


def test_a_name_that_several_types_share_asks_for_the_type(project: Program) -> None:
    add(project, "twin.json", [{"type": "llm", "name": "Weather Agent", "provider": "offline", "model": "m"}])

    project("show", "Weather Agent").refused("agent", "llm", "--type")
    assert "llm  Weather Agent" in project("show", "Weather Agent", "--type", "llm").done().output


def test_an_unknown_name_is_a_failure_that_names_close_ones(project: Program) -> None:
    project("show", "weather agnt").refused("'weather agnt'", "Did you mean 'Weather Agent'")
    project("show", "qqq").refused("aurite list")
    project("show", "--type", "llm", "ofline").refused("'offline'")


def test_a_key_in_a_component_is_hidden_from_the_readable_view(project: Program) -> None:
    add(project, "key.json", [{"type": "llm", "name": "Keyed", "provider": "x", "model": "m", "api_key": "sk-123456"}])

    assert "sk-123456" not in project("show", "Keyed").done().output
    assert "api_key" in project("validate", "llm", "Keyed").done().output
    assert "sk-123456" not in project("validate").output


def test_validate_tells_every_error_with_file_and_line_and_fails(project: Program) -> None:
    project("validate").done()
    (project.folder / "config" / "bad.yaml").write_text(
        "- type: agent\n  name: A\n  max_iterations: nought\n- type: nonsense\n  name: B\n"
    )
    add(project, "lost.json", [agent("Lost", mcp_servers=["gone"], colour="red")])

    ended = project("validate")

    assert ended.status == 1
    assert any("bad.yaml:" in line and "max_iterations" in line and line.startswith("error: ") for line in ended.lines)
    assert any("bad.yaml:4" in line and "nonsense" in line for line in ended.lines)
    assert any("'Lost'" in line and "'gone'" in line for line in ended.lines)
    assert any(line.startswith("warning: ") and "colour" in line for line in ended.lines)
    project("validate", "agent", "Weather Agent").done()
    project("validate", "agent", "Nobody").refused("'Nobody'")
    assert project("validate", "--json").status == 1


@pytest.mark.parametrize("kind", KINDS)
def test_the_schema_of_every_type_is_a_json_schema_that_fits_its_examples(project: Program, kind: str) -> None:
    import jsonschema

    schema = project("schema", kind).done().json()
    jsonschema.Draft202012Validator.check_schema(schema)
    for entry in project("show", "--type", kind, "--json").done().json()["components"]:
        jsonschema.validate(entry["config"], schema)
    assert not jsonschema.Draft202012Validator(schema).is_valid({"type": kind})


def test_the_schema_command_alone_names_the_types(aurite: Program) -> None:
    assert aurite("schema").done().lines == list(KINDS)
    aurite("schema", "agnt").refused("agnt", "agent")


def test_the_settings_are_shown_with_their_sources_and_without_secrets(project: Program) -> None:
    (project.folder / ".env").write_text("AURITE_DB_PASSWORD=hunter2\nPORT=9000\nthis is no line\n")

    shown = project("config", "show").done()
    document = project("config", "show", "--json").done()

    assert "hunter2" not in shown.output + shown.errors + document.output
    entries = {entry["name"]: entry for entry in document.json()["settings"]}
    assert entries["PORT"]["value"] == "9000"
    assert entries["PORT"]["source"].endswith(".env:2")
    assert ":3" in document.json()["warnings"][0]
    assert "Warning: " in shown.errors
