"""Ways to see all candidates of a lookup: a router returns one deployment, and a trial is about all it picks from.

There are three, each exact where it works. Each is tried out on a real router before it is used, since a release may
move or drop the internals that it relies on.
"""

from __future__ import annotations

import importlib
import itertools
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    from routeproof_litellm.fields import Json

Pick: TypeAlias = Callable[[str | None], Awaitable[Any]]
"""Makes the lookup once, under the named strategy or the router's own."""


class Way(Protocol):
    """One way to see the candidates. It changes LiteLLM for the time of a lookup alone, and puts everything back."""

    def paths(self, offered: tuple[str, ...]) -> tuple[str, ...]:
        """Return those of the release's code paths whose candidates this shows."""

    async def candidates(self, pick: Pick, healthy: Callable[[], Awaitable[Any]]) -> list[Json]:
        """Return the deployments that the lookup picks from; what the lookup raises is raised."""


class Watched:
    """Notes the deployments that are given to the weighted pick, with which both paths end: up to 1.109, in Python."""

    def __init__(self) -> None:
        """Find the module that calls the pick."""
        self._home: Any = sys.modules.get("litellm.router_python_core") or importlib.import_module("litellm.router")
        self._pick: Any = self._home.simple_shuffle
        self._given: list[Json] | None = None

    def paths(self, offered: tuple[str, ...]) -> tuple[str, ...]:
        """Return all of them, since each ends in that pick."""
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
    """Picks each candidate in turn, under a strategy that stays in Python even where the router is native: 1.110.

    The router is asked to pick by the strategy `least-busy`, whose two methods are replaced by ones that count the
    candidates and return the n-th. What the router then returns is reported, with its target filled in.
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
        """Return all of them, since each leaves the strategy to Python."""
        return offered

    async def candidates(self, pick: Pick, healthy: Callable[[], Awaitable[Any]]) -> list[Json]:
        """Pick as the router would, and then each candidate in turn."""
        del healthy
        # The router picks by its own strategy first, since that may be refused where the forced picks are not.
        own = await pick(None)
        found: list[Json] = []
        with _replaced(self._handler, **self._methods):
            for self._turn in itertools.count():
                self._count = None
                found.append(await pick("least-busy"))
                # The strategy is not called where there is a single candidate: then nothing was counted.
                if self._count is None or len(found) >= self._count:
                    break
        # The router's own answer is one of its candidates, even if the forced picks do not show it.
        return found if identity(own) in map(identity, found) else [*found, own]

    def _nth(self, deployments: Any) -> Any:
        self._count = len(deployments)
        return deployments[min(self._turn, self._count - 1)]


class Listed:
    """Asks the router itself for the deployments that the async path would pick from.

    The last resort: it does not show the candidates of the sync path, nor those of routers within the router.
    """

    def paths(self, offered: tuple[str, ...]) -> tuple[str, ...]:
        """Return the async path alone: only it filters as that list does."""
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
