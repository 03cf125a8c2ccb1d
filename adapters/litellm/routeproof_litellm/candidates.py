"""How the candidates of a lookup are seen: a router returns one deployment, and a trial is about all it picks from.

Three ways, each exact where it works. Which of them works is found out on a real router, since a release may move or
drop what a way relies on.
"""

from __future__ import annotations

import importlib
import itertools
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    from routeproof_litellm.wire import Json

Pick: TypeAlias = Callable[[str | None], Awaitable[Any]]
"""Makes the lookup once, under the named strategy or the router's own."""


class Way(Protocol):
    """One way to see the candidates. What it changes in LiteLLM it changes for the time of a lookup alone."""

    def paths(self, offered: tuple[str, ...]) -> tuple[str, ...]:
        """Return those of the release's code paths whose candidates this shows."""

    async def candidates(self, pick: Pick, healthy: Callable[[], Awaitable[Any]]) -> list[Json]:
        """Return the deployments that the lookup picks from; what the lookup raises is raised."""


class Watched:
    """Looks over the shoulder of the weighted pick, the last thing that both paths do in Python: up to 1.109."""

    def __init__(self) -> None:
        """Find the module that calls the pick."""
        self._home: Any = sys.modules.get("litellm.router_python_core") or importlib.import_module("litellm.router")
        self._pick: Any = self._home.simple_shuffle
        self._given: list[Json] | None = None

    def paths(self, offered: tuple[str, ...]) -> tuple[str, ...]:
        """All of them end in that pick."""
        return offered

    async def candidates(self, pick: Pick, healthy: Callable[[], Awaitable[Any]]) -> list[Json]:
        """Pick once, and take what the pick was given."""
        del healthy
        self._given = None
        with _replaced(self._home, simple_shuffle=self._shuffle):
            picked = await pick(None)
        # A deployment asked for by its id is returned without a pick.
        return [picked] if self._given is None else list(self._given)

    def _shuffle(self, *args: Any, healthy_deployments: Any, **kwargs: Any) -> Any:
        self._given = healthy_deployments
        return self._pick(*args, healthy_deployments=healthy_deployments, **kwargs)


class Forced:
    """Picks each candidate in turn, under a strategy that is left to Python even where the router is native: 1.110.

    The router is asked for the strategy `least-busy`, whose two methods are replaced by ones that count the candidates
    and return the n-th. What is reported is what the router then returns, with its target filled in.
    """

    def __init__(self) -> None:
        """Find the class of the strategy, and see that it has both methods."""
        self._handler: Any = importlib.import_module("litellm.router_strategy.least_busy").LeastBusyLoggingHandler
        way = self

        def nth(_: Any, *args: Any, healthy_deployments: Any, **kwargs: Any) -> Any:
            del args, kwargs
            return way._nth(healthy_deployments)

        async def async_nth(_: Any, *args: Any, healthy_deployments: Any, **kwargs: Any) -> Any:
            del args, kwargs
            return way._nth(healthy_deployments)

        self._methods = {"get_available_deployments": nth, "async_get_available_deployments": async_nth}
        for name in self._methods:
            getattr(self._handler, name)
        self._turn = 0
        self._count: int | None = None

    def paths(self, offered: tuple[str, ...]) -> tuple[str, ...]:
        """All of them hand the strategy to Python."""
        return offered

    async def candidates(self, pick: Pick, healthy: Callable[[], Awaitable[Any]]) -> list[Json]:
        """Pick as the router would, and then each candidate in turn."""
        del healthy
        # Under its own strategy first: that pick may be refused where the forced ones are not.
        own = await pick(None)
        found: list[Json] = []
        with _replaced(self._handler, **self._methods):
            for self._turn in itertools.count():
                self._count = None
                found.append(await pick("least-busy"))
                # The strategy is not asked about a single candidate.
                if self._count is None or len(found) >= self._count:
                    break
        # What the router did answer is among its candidates, whatever the forced picks show.
        return found if identity(own) in map(identity, found) else [*found, own]

    def _nth(self, deployments: Any) -> Any:
        self._count = len(deployments)
        return deployments[min(self._turn, self._count - 1)]


class Listed:
    """Asks the router itself for the deployments that the async path would pick from.

    The last resort: it says nothing of the other path, and leaves out the routers within the router.
    """

    def paths(self, offered: tuple[str, ...]) -> tuple[str, ...]:
        """Only the async one filters as that list does."""
        return tuple(path for path in offered if path == "async")

    async def candidates(self, pick: Pick, healthy: Callable[[], Awaitable[Any]]) -> list[Json]:
        """Pick once, since a pick may be refused where the list is not, and take the list."""
        await pick(None)
        found = await healthy()
        # A deployment asked for by its id stands alone.
        return [found] if isinstance(found, dict) else list(found)


WAYS: tuple[Callable[[], Way], ...] = (Watched, Forced, Listed)
"""Every way, in the order in which they are tried."""


def identity(deployment: Json) -> tuple[str, str, str]:
    """Return a deployment's id, target and tag."""
    params = deployment["litellm_params"]
    return str(deployment["model_info"]["id"]), str(params["model"]), str(params.get("api_key", ""))


@contextmanager
def _replaced(owner: Any, **members: Any) -> Iterator[None]:
    former = {name: getattr(owner, name) for name in members}
    for name, member in members.items():
        setattr(owner, name, member)
    try:
        yield
    finally:
        for name, member in former.items():
            setattr(owner, name, member)
