"""What routers leave in the lists and tables that LiteLLM keeps for the whole process, and how it is put back."""

from __future__ import annotations

import importlib
import itertools

_CALLBACK_LISTS = (
    "callbacks",
    "success_callback",
    "failure_callback",
    "_async_success_callback",
    "_async_failure_callback",
    "input_callback",
    "service_callback",
)


class Leftovers:
    """Remembers a moment of the process, to which it is put back."""

    def __init__(self) -> None:
        """Remember this moment."""
        self._litellm = importlib.import_module("litellm")
        self._callbacks = {
            name: list(found)
            for name in _CALLBACK_LISTS
            if isinstance(found := getattr(self._litellm, name, None), list)
        }
        self._catalog = frozenset(self._litellm.model_cost)

    def put_back(self) -> None:
        """Take out what came since."""
        for name, before in self._callbacks.items():
            getattr(self._litellm, name)[:] = before
        # What was merged into a built-in price stays, and no lookup reads a price.
        cost = self._litellm.model_cost
        for name in list(itertools.islice(reversed(cost), len(cost) - len(self._catalog))):
            if name not in self._catalog:
                del cost[name]
