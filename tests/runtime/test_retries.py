"""A request that failed for the moment is repeated, not too often and not for too long, and never where it would not help."""

from __future__ import annotations

import asyncio
import time
from itertools import pairwise

import pytest

from aurite.app import Aurite
from aurite.errors import InvalidComponentError, ModelError
from tests.runtime.conftest import Project, until
from tests.runtime.provider import Answer, Provider

BUSY = Answer(status=429, error="slow down", headers={"Retry-After": "0"})


@pytest.fixture
def patient(project: Project, provider: Provider) -> Project:
    """An agent whose llm may be asked again as often as is usual."""
    project.has("llm", "http", provider="openai", model="gpt-test", api_base=provider.base, api_key_env_var="TEST_KEY")
    project.has("agent", "A", llm_config_id="http")
    return project


def waits(provider: Provider) -> list[float]:
    return [second.at - first.at for first, second in pairwise(provider.requests)]


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    "bad", [BUSY, Answer(status=500, error="oh"), Answer(status=503), Answer(status=529), Answer(hangs_up=True)]
)
def test_what_may_go_away_is_asked_again(patient: Project, provider: Provider, bad: Answer, *, streamed: bool) -> None:
    provider.says(bad, "Here I am.")
    (patient.stream if streamed else patient.run)("A", "hi", session_id="x")
    assert len(provider.requests) == 2
    assert provider.requests[0].body == provider.requests[1].body
    assert patient.roles("agent-x") == ["user", "assistant"]
    assert patient.run_status("agent-x") == ["completed"]


@pytest.mark.parametrize("status", [400, 401, 404, 422])
def test_what_would_not_go_away_is_asked_once(patient: Project, provider: Provider, status: int) -> None:
    provider.says(Answer(status=status, error="no"), "never")
    with pytest.raises(ModelError):
        patient.run("A", "hi")
    assert len(provider.requests) == 1


def test_an_empty_purse_is_not_filled_by_asking_again(patient: Project, provider: Provider) -> None:
    provider.says(Answer(status=429, error="You exceeded your current quota", code="insufficient_quota"), "never")
    with pytest.raises(ModelError, match="quota"):
        patient.run("A", "hi")
    assert len(provider.requests) == 1


def test_it_is_asked_again_three_times_and_the_last_error_is_told_and_kept(patient: Project, provider: Provider) -> None:
    provider.says(*[BUSY] * 3, Answer(status=429, error="the last word", headers={"Retry-After": "0"}), "never")
    with pytest.raises(ModelError, match="HTTP 429: the last word"):
        patient.run("A", "hi", session_id="x")
    assert len(provider.requests) == 4
    (run,) = patient.aurite.sessions.runs("agent-x")
    assert run.status == "failed"
    assert "the last word" in (run.error or "")
    assert patient.roles("agent-x") == ["user"]


@pytest.mark.parametrize(("field", "retries"), [("max_retries", 1), ("num_retries", 1), ("max_retries", 0)])
def test_the_llm_says_how_often(patient: Project, provider: Provider, field: str, retries: int) -> None:
    patient.has("llm", "http", provider="ollama", model="m", api_base=provider.base, **{field: retries})
    provider.says(*[BUSY] * 9)
    with pytest.raises(ModelError):
        patient.run("A", "hi")
    assert len(provider.requests) == retries + 1
    assert not {"max_retries", "num_retries"} & provider.requests[0].body.keys()


@pytest.mark.parametrize("written", [-1, "many", True, 1.5])
def test_a_number_of_retries_that_is_none_is_refused(patient: Project, provider: Provider, written: object) -> None:
    patient.has("llm", "http", provider="ollama", model="m", api_base=provider.base, max_retries=written)
    with pytest.raises(InvalidComponentError, match="max_retries"):
        patient.run("A", "hi")


def test_the_waits_grow(patient: Project, provider: Provider) -> None:
    provider.says(Answer(status=500), Answer(status=500), "ok")
    patient.run("A", "hi")
    first, second = waits(provider)
    assert first >= 0.5
    assert second >= 1


def test_it_waits_as_long_as_the_provider_asks(patient: Project, provider: Provider) -> None:
    provider.says(Answer(status=503, headers={"Retry-After": "2"}), "ok")
    patient.run("A", "hi")
    assert waits(provider)[0] >= 2


def test_a_provider_that_asks_for_an_hour_is_not_waited_for(patient: Project, provider: Provider) -> None:
    provider.says(Answer(status=429, error="come back later", headers={"Retry-After": "3600"}))
    started = time.monotonic()
    with pytest.raises(ModelError, match="come back later"):
        patient.run("A", "hi")
    assert time.monotonic() - started < 30
    assert len(provider.requests) == 1


def test_a_timeout_is_not_asked_again(patient: Project, provider: Provider) -> None:
    patient.has("llm", "http", provider="ollama", model="m", api_base=provider.base, timeout=0.2)
    provider.says(Answer("late", seconds=30))
    with pytest.raises(ModelError, match="did not answer in time"):
        patient.run("A", "hi")
    assert len(provider.requests) == 1


def test_a_text_that_has_begun_is_not_asked_for_again(patient: Project, provider: Provider) -> None:
    provider.says(Answer("one two three", stops_after=2, breaks_off=True), "never")
    with pytest.raises(ModelError):
        patient.stream("A", "count")
    assert len(provider.requests) == 1


def test_a_run_can_be_cancelled_while_it_waits(patient: Project, provider: Provider) -> None:
    provider.says(Answer(status=503, headers={"Retry-After": "60"}))

    async def cancel(aurite: Aurite) -> None:
        task = asyncio.ensure_future(aurite.run_agent("A", "hi", session_id="x"))
        await until(lambda: provider.requests)
        await asyncio.sleep(0.3)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    patient.alone(cancel)
    assert patient.run_status("agent-x") == ["cancelled"]


def test_runs_of_one_runner_share_a_connection(patient: Project, provider: Provider) -> None:
    patient.has("agent", "B", llm_config_id="http", system_prompt="Another one.")
    provider.says(*["ok"] * 6)

    async def one_after_the_other(aurite: Aurite) -> None:
        for _ in range(3):
            await aurite.run_agent("A", "hi")
            await aurite.run_agent("B", "hi")

    patient.alone(one_after_the_other)
    assert len(provider.connections) == 1


def test_a_changed_key_is_used_by_the_next_run(patient: Project, provider: Provider) -> None:
    provider.says("ok", "ok")

    async def change_in_between(aurite: Aurite) -> None:
        await aurite.run_agent("A", "hi")
        patient.has("llm", "http", provider="openai", model="gpt-test", api_base=provider.base, api_key="sk-another-one-9")
        await aurite.run_agent("A", "hi")

    patient.alone(change_in_between)
    assert provider.requests[1].headers["authorization"] == "Bearer sk-another-one-9"
