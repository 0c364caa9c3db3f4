"""What tests of Aurite and of its backends are made from; shipped, so that a backend elsewhere can be held to the same contracts.

A store is tested by a subclass with one method::

    class TestMyStore(ComponentStoreContract):
        def open_store(self, folder: Path) -> ComponentStore:
            return MyStore(folder)

The contracts need pytest, the strategies hypothesis. Neither is installed with Aurite, and each is imported when it is asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aurite.testing.components import ComponentStoreContract
    from aurite.testing.samples import llm_document
    from aurite.testing.sessions import SessionStoreContract
    from aurite.testing.values import component_names, json_values

__all__ = ["ComponentStoreContract", "SessionStoreContract", "component_names", "json_values", "llm_document"]

_HOMES = {
    "ComponentStoreContract": "aurite.testing.components",
    "SessionStoreContract": "aurite.testing.sessions",
    "component_names": "aurite.testing.values",
    "json_values": "aurite.testing.values",
    "llm_document": "aurite.testing.samples",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name.endswith("Contract"):
        import pytest

        pytest.register_assert_rewrite(home)  # a failed contract shows the values, not a bare AssertionError
    return getattr(import_module(home), name)
