"""What starting costs, and what a run may not do behind the user's back."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("pydantic_ai", "mcp", "openai", "fastmcp", "pydantic", "jsonschema")


def imported_by(code: str, *, path: str | None = None) -> set[str]:
    program = f"import sys\n{code}\nprint(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize("module", ["aurite.runtime.runner", "aurite.runtime.plan", "aurite.runtime.mcp", "aurite.model.messages"])
def test_the_way_to_a_run_is_light_until_it_begins(module: str) -> None:
    assert not imported_by(f"import {module}") & set(HEAVY)


def test_a_run_does_without_fastmcp_and_an_offline_one_without_openai() -> None:
    loaded = imported_by("import aurite.runtime.conversation, aurite.runtime.offline")
    assert "pydantic_ai" in loaded
    assert not loaded & {"fastmcp", "openai", "logfire"}


def test_the_librarys_banner_is_off() -> None:
    code = "import aurite.runtime.conversation, pydantic_ai; assert pydantic_ai.BANNER_ENABLED is False"
    subprocess.run([sys.executable, "-c", code], check=True)
