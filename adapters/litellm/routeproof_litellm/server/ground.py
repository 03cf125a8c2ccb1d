"""The ground of the replicas of one run, as one of them sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

    from routeproof_litellm.bodies import Bodies
    from routeproof_litellm.server.upstream import Upstream
    from routeproof_litellm.store import Reading
    from routeproof_litellm.wire import Row

Result = TypeVar("Result")


class Ground(Protocol):
    """The loop of the adapter, the upstream, and the table of deployments."""

    bodies: Bodies
    upstream: Upstream

    def is_busy(self) -> bool:
        """Return true within `run`, where a signal may have come in."""

    def run(self, work: Coroutine[Any, Any, Result], seconds: float) -> Result:
        """Run the loop of the adapter until the work is done, within so many seconds."""

    def stored(self, number: str) -> Row | None:
        """Return the row of that id that is stored."""

    def seen(self, reading: Reading, ids: Sequence[str]) -> list[str]:
        """Return the rows that a read shows of those that it found, in the order in which it shows them."""
