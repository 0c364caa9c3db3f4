"""The contracts are shipped: others can import them, and nobody pays for what they do not ask for."""

from __future__ import annotations

import subprocess
import sys

import pytest

import aurite.testing


def test_importing_the_package_imports_neither_pytest_nor_hypothesis() -> None:
    script = "import sys, aurite.testing; print(sorted({'pytest', 'hypothesis'} & set(sys.modules)))"
    output = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert output == "[]\n"


@pytest.mark.parametrize("name", aurite.testing.__all__)
def test_everything_that_is_named_is_there(name: str) -> None:
    assert getattr(aurite.testing, name) is not None


def test_what_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="NoSuchContract"):
        aurite.testing.NoSuchContract  # noqa: B018  asking is the test


@pytest.mark.parametrize("contract", ["ComponentStoreContract", "SessionStoreContract"])
def test_a_contract_by_itself_is_collected_by_nobody(contract: str) -> None:
    assert not contract.startswith("Test")
    assert any(name.startswith("test_") for name in vars(getattr(aurite.testing, contract)))
