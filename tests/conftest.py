"""What all tests share: each runs as a user with an empty home and none of this machine's settings."""

from __future__ import annotations

import os
from collections.abc import Mapping
from types import MappingProxyType

import pytest

MACHINE: Mapping[str, str] = MappingProxyType(dict(os.environ))
"""The environment that the tests were started in."""

_OURS = ("API_KEY", "PORT", "ENV", "LOG_LEVEL", "NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES")


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    for name in MACHINE:
        ours = name in _OURS or name.endswith("_API_KEY") or name.startswith("AURITE_")
        if ours and not name.startswith("AURITE_TEST_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path_factory.mktemp("home")))


@pytest.fixture
def machine_environment() -> Mapping[str, str]:
    """The environment as it was before: for tests that install packages with this machine's pip settings."""
    return MACHINE
