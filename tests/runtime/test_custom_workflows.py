"""Custom workflows: a class of the project runs agents and workflows as its steps, and is loaded from inside the project alone."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from aurite.app import Aurite
from aurite.errors import InvalidComponentError
from aurite.runtime.history import read_history
from tests.runtime.conftest import KEY, Project, until
from tests.runtime.provider import Answer, Provider
from tests.runtime.test_workflows import SAID, run, sessions

HEAD = """
from typing import Any, Optional
from aurite import AgentRunResult, AuriteEngine, BaseCustomWorkflow

class Mine(BaseCustomWorkflow):
    async def run(self, initial_input: Any, executor: "AuriteEngine", session_id: Optional[str] = None) -> Any:
"""


@pytest.fixture
def agents(project: Project) -> Project:
    for name in "AB":
        project.has("agent", name, llm_config_id="offline")
    return project


def has_class(project: Project, body: str, *, file: str = "custom_workflows/mine.py", after: str = "", **fields: Any) -> Path:
    """A custom workflow whose class runs these lines."""
    path = project.folder / file
    path.parent.mkdir(exist_ok=True)
    path.write_text(HEAD + "".join(f"        {line}\n" for line in body.strip().splitlines()) + after)
    project.has("custom_workflow", "W", **{"module_path": file, "class_name": "Mine", **fields})
    return path


TWO_STEPS = """
first = await executor.run_agent(agent_name="A", user_message=initial_input, session_id=session_id)
second = await executor.run_agent("B", first.message_content, session_id=session_id)
return {"final_output": second.primary_text, "first": first.text}
"""


def test_a_class_runs_agents_as_steps_of_its_workflow(agents: Project) -> None:
    has_class(agents, TWO_STEPS)
    result = run(agents, "W", "hi", session_id="x")
    assert result["status"] == "completed"
    assert result["final_output"] == {"final_output": SAID * 2 + "hi", "first": SAID + "hi"}
    assert [(step["step_name"], step["result"]["session_id"]) for step in result["step_results"]] == [
        ("A", "workflow-x-0"),
        ("B", "workflow-x-1"),
    ]
    assert sessions(agents) == {
        "workflow-x": ("workflow", "workflow-x", None, "completed"),
        "workflow-x-0": ("agent", "workflow-x", "workflow-x", "completed"),
        "workflow-x-1": ("agent", "workflow-x", "workflow-x", "completed"),
    }
    assert read_history(agents.aurite.sessions, agents.aurite.sessions.find("x"))["execution_result"] == result


@pytest.mark.parametrize("module_path", ["custom_workflows.mine", "custom_workflows/mine", "./custom_workflows/mine.py"])
def test_a_module_may_be_named_as_a_file_or_with_dots(agents: Project, module_path: str) -> None:
    has_class(agents, "return initial_input", module_path=module_path)
    assert run(agents, "W", {"any": ["json"]})["final_output"] == {"any": ["json"]}


def test_a_class_runs_workflows_and_other_classes_as_steps(agents: Project) -> None:
    agents.has("linear_workflow", "L", steps=["A"])
    agents.has("graph_workflow", "G", nodes=[{"node_id": "n", "name": "B", "type": "agent"}])
    (agents.folder / "other.py").write_text(HEAD + "        return initial_input['n'] + 1\n")
    agents.has("custom_workflow", "other", module_path="other.py", class_name="Mine")
    has_class(
        agents,
        """
linear = await executor.run_linear_workflow(workflow_name="L", initial_input="l", session_id=session_id)
graph = await executor.run_graph_workflow("G", "g")
other = await executor.run_custom_workflow("other", {"n": 41}, session_id="of-its-own")
return [linear, graph.final_output, other]
""",
    )
    result = run(agents, "W", "hi", session_id="x")
    assert result["final_output"] == [SAID + "l", SAID + "g", 42]
    assert [step["step_type"] for step in result["step_results"]] == ["linear_workflow", "graph_workflow", "custom_workflow"]
    assert sessions(agents)["workflow-of-its-own"] == ("workflow", "workflow-x", "workflow-x", "completed")
    assert sessions(agents)["workflow-x-1-0"] == ("agent", "workflow-x", "workflow-x-1", "completed")


def test_steps_may_run_side_by_side_and_be_streamed(agents: Project) -> None:
    has_class(
        agents,
        """
import asyncio
await asyncio.gather(executor.run_agent("A", "1"), executor.run_agent("B", "2"))
text = ""
async for event in executor.stream_agent("A", "3", session_id=session_id):
    if event["type"] == "llm_response":
        text += event["data"]["content"]
return text
""",
    )
    result = run(agents, "W", "hi", session_id="x")
    assert result["final_output"] == SAID + "3"
    assert [step["result"]["status"] for step in result["step_results"]] == ["success"] * 3
    assert len(agents.roles("workflow-x-2")) == 2


def test_an_agent_may_be_given_another_system_prompt(agents: Project, provider: Provider) -> None:
    agents.has("agent", "A", llm_config_id="http", system_prompt="Be brief.")
    has_class(agents, 'return (await executor.run_agent("A", "hi", system_prompt="Be long.")).text')
    provider.says("ok")
    run(agents, "W", "hi")
    assert provider.requests[0].body["messages"][0]["content"] == "Be long."


def test_a_text_that_is_json_is_read_for_a_class_that_does_not_want_text(agents: Project) -> None:
    wants = "\n    def get_input_type(self):\n        return dict\n"
    has_class(agents, 'return initial_input["city"]', after=wants)
    assert run(agents, "W", '{"city": "Oslo"}')["final_output"] == "Oslo"
    has_class(agents, "return initial_input")
    assert run(agents, "W", '{"city": "Oslo"}')["final_output"] == '{"city": "Oslo"}'


def test_a_changed_file_is_loaded_anew_and_an_equal_one_once(agents: Project) -> None:
    path = has_class(agents, "return 1")

    async def twice(aurite: Aurite) -> tuple[Any, Any]:
        first = (await aurite.run_custom_workflow("W", "hi")).final_output
        path.write_text(path.read_text().replace("return 1", "return 1 + 1"))
        return first, (await aurite.run_custom_workflow("W", "hi")).final_output

    assert agents.alone(twice) == (1, 2)


def test_what_a_class_returns_must_be_json(agents: Project) -> None:
    has_class(agents, "return {'when': object()}")
    result = run(agents, "W", "hi")
    assert result["status"] == "failed"
    assert "custom workflow 'W' returned something that is not JSON" in result["error"]
    assert "when" in result["error"]


def test_dataclasses_and_models_are_returned_as_their_fields(agents: Project) -> None:
    has_class(
        agents,
        """
from dataclasses import dataclass
from pydantic import BaseModel
@dataclass
class Point:
    x: int
class Box(BaseModel):
    y: int
return {"point": Point(1), "box": Box(y=2), "pair": (3, 4)}
""",
    )
    assert run(agents, "W", "hi")["final_output"] == {"point": {"x": 1}, "box": {"y": 2}, "pair": [3, 4]}


# Failures.


def test_a_class_that_raises_fails_its_workflow_with_file_and_line_and_without_keys(agents: Project, provider: Provider) -> None:
    path = has_class(agents, f'await executor.run_agent("A", "hi")\nraise ValueError("odd key {KEY}")')
    result = run(agents, "W", "hi", session_id="x")
    assert result["status"] == "failed"
    assert f"custom workflow 'W' failed: ValueError: odd key *** ({path}, line 8)" in result["error"]
    assert result["step_results"][0]["result"]["status"] == "success"
    assert sessions(agents)["workflow-x"][3] == "failed"
    assert KEY not in str(agents.aurite.sessions.runs("workflow-x"))


def test_a_failing_step_can_be_caught_by_the_class_and_else_ends_it(agents: Project, provider: Provider) -> None:
    agents.has("agent", "broken", llm_config_id="http")
    provider.says(Answer(status=400, error="too odd"), Answer(status=400, error="too odd"))
    has_class(
        agents,
        """
from aurite import AuriteError
try:
    await executor.run_agent("broken", "hi")
except AuriteError:
    return "caught"
""",
    )
    result = run(agents, "W", "hi", session_id="x")
    assert (result["status"], result["final_output"]) == ("completed", "caught")
    assert result["step_results"][0]["result"]["status"] == "error"
    has_class(agents, 'await executor.run_agent("broken", "hi")')
    result = run(agents, "W", "hi")
    assert result["status"] == "failed"
    assert "too odd" in result["error"]


def test_an_agent_that_is_not_there_fails_the_workflow(agents: Project) -> None:
    has_class(agents, 'await executor.run_agent("nobody", "hi")')
    result = run(agents, "W", "hi")
    assert result["status"] == "failed"
    assert "nobody" in result["error"]


def test_a_class_that_calls_itself_for_ever_is_stopped(agents: Project) -> None:
    has_class(agents, 'return await executor.run_custom_workflow("W", initial_input)', include_history=False)
    result = run(agents, "W", "hi")
    assert result["status"] == "failed"
    assert "more than 30 workflows deep" in result["error"]


def test_steps_that_nobody_waits_for_are_cancelled_when_the_workflow_returns(agents: Project, provider: Provider) -> None:
    agents.has("agent", "slow", llm_config_id="http")
    provider.says(Answer("late", seconds=30))
    has_class(
        agents,
        """
import asyncio
task = asyncio.create_task(executor.run_agent("slow", "hi"))
while not session_started(task):
    await asyncio.sleep(0.01)
return "done"
""",
        after="\ndef session_started(task):\n    import pathlib\n    return pathlib.Path('"
        + str(agents.folder / "go")
        + "').exists()\n",
    )

    async def inside(aurite: Aurite) -> dict[str, Any]:
        task = asyncio.ensure_future(aurite.run_custom_workflow("W", "hi", session_id="x"))
        await until(lambda: provider.requests)
        (agents.folder / "go").touch()
        return (await task).to_dict()

    result = agents.alone(inside)
    assert (result["status"], result["final_output"]) == ("completed", "done")
    assert sessions(agents)["workflow-x-0"][3] == "cancelled"


def test_a_cancelled_class_is_kept_as_cancelled(agents: Project, provider: Provider) -> None:
    agents.has("agent", "slow", llm_config_id="http")
    provider.says(Answer("late", seconds=30))
    has_class(agents, 'await executor.run_agent("slow", "hi")')

    async def inside(aurite: Aurite) -> None:
        task = asyncio.ensure_future(aurite.run_custom_workflow("W", "hi", session_id="x"))
        await until(lambda: provider.requests)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    agents.alone(inside)
    assert {value[3] for value in sessions(agents).values()} == {"cancelled"}


# Loading.


@pytest.mark.parametrize(
    ("module_path", "reason"),
    [
        ("../outside.py", "lies outside of its project"),
        ("{outside}", "lies outside of its project"),
        ("linked.py", "lies outside of its project"),
        ("linked_folder/outside.py", "lies outside of its project"),
        ("nowhere.py", "no such file"),
        ("os", "no such file"),
        ("..outside", "no such file"),
    ],
)
def test_a_module_outside_of_the_project_is_never_run(
    agents: Project, tmp_path_factory: pytest.TempPathFactory, module_path: str, reason: str
) -> None:
    outside = tmp_path_factory.mktemp("elsewhere") / "outside.py"
    for path in (outside, agents.folder.parent / "outside.py"):
        path.write_text(f"open({str(agents.folder / 'was_run')!r}, 'w').close()\n" + HEAD + "        return 1\n")
    (agents.folder / "linked.py").symlink_to(outside)
    (agents.folder / "linked_folder").symlink_to(outside.parent)
    agents.has("custom_workflow", "W", module_path=module_path.format(outside=outside), class_name="Mine")
    with pytest.raises(InvalidComponentError, match=reason):
        run(agents, "W", "hi", session_id="x")
    (agents.folder.parent / "outside.py").unlink()
    assert not (agents.folder / "was_run").exists()
    assert sessions(agents) == {}


def test_a_component_that_claims_to_come_from_a_folder_that_is_no_project_is_refused(
    agents: Project, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "mine.py").write_text(f"open({str(agents.folder / 'was_run')!r}, 'w').close()\n")
    component = {"type": "custom_workflow", "name": "W", "module_path": "mine.py", "class_name": "Mine"}
    origin = json.dumps({"context_path": str(elsewhere)})
    agents.aurite.config.create_component("custom_workflow", component, provenance=origin)
    with pytest.raises(InvalidComponentError, match="which is no project"):
        run(agents, "W", "hi")
    assert not (agents.folder / "was_run").exists()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("def (", "SyntaxError"),
        ("import not_there_at_all", "ModuleNotFoundError: No module named 'not_there_at_all'"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("Other = 1", "names the class 'Mine'"),
        ("Mine = 1", "not derived from BaseCustomWorkflow"),
        ("class Mine:\n    pass", "not derived from BaseCustomWorkflow"),
    ],
)
def test_a_module_that_cannot_be_used_says_why(agents: Project, text: str, reason: str) -> None:
    path = has_class(agents, "return 1")
    path.write_text(text)
    with pytest.raises(InvalidComponentError, match=reason) as refused:
        run(agents, "W", "hi", session_id="x")
    assert str(path) in refused.value.message
    assert sessions(agents) == {}


def test_a_class_without_a_run_method_fails_its_workflow(agents: Project) -> None:
    path = has_class(agents, "return 1")
    path.write_text("from aurite import BaseCustomWorkflow\nclass Mine(BaseCustomWorkflow):\n    pass\n")
    result = run(agents, "W", "hi")
    assert result["status"] == "failed"
    assert "abstract" in result["error"]


def test_files_of_the_project_can_be_imported_and_hide_no_library(agents: Project) -> None:
    (agents.folder / "my_words.py").write_text("GREETING = 'good morning'\n")
    (agents.folder / "json.py").write_text("raise RuntimeError('the wrong one')\n")
    has_class(agents, "import json\nimport my_words\nreturn json.loads('1'), my_words.GREETING")
    try:
        assert run(agents, "W", "hi")["final_output"] == [1, "good morning"]
    finally:
        sys.modules.pop("my_words", None)
        sys.path.remove(str(agents.folder))


def test_in_file_mode_a_module_starts_at_the_project_that_owns_the_component(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AURITE_ENABLE_DB", raising=False)
    (tmp_path / ".aurite").write_text('[aurite]\ntype = "workspace"\nprojects = ["one", "two"]\n')
    for name in ("one", "two"):
        folder = tmp_path / name
        (folder / "config").mkdir(parents=True)
        (folder / ".aurite").write_text('[aurite]\ntype = "project"\ninclude_configs = ["config"]\n')
        (folder / "mine.py").write_text(HEAD + f"        return {name!r}\n")
        component = f'[{{"type": "custom_workflow", "name": "{name}", "module_path": "mine.py", "class_name": "Mine"}}]'
        (folder / "config" / "all.json").write_text(component)

    async def inside() -> list[Any]:
        async with Aurite(tmp_path / "one", home=tmp_path) as aurite:
            return [(await aurite.run_custom_workflow(name, "hi")).final_output for name in ("one", "two")]

    assert asyncio.run(inside()) == ["one", "two"]
