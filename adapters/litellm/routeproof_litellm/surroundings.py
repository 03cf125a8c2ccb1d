"""The place in which a schedule is carried out, as it sees it, whatever stands there for replicas and their store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

    from routeproof_litellm.rows import Rows
    from routeproof_litellm.store import Record
    from routeproof_litellm.wire import Row


class Driven(Protocol):
    """A replica, which begins with its first order."""

    def ask(self, order: Any, seconds: float) -> Any:
        """Do what is asked of the replica, within so many seconds."""

    def end(self) -> str:
        """End it at once; return how it ended."""


class Deployments(Protocol):
    """The table of deployments, as it is, whatever reads of a replica show."""

    def __enter__(self) -> Self:
        """Return the table."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Close it."""

    def rows(self) -> list[Record]:
        """Return the rows, in the order of their ids."""

    def row(self, number: str) -> Record | None:
        """Return the row of that id."""

    def put(self, record: Record) -> None:
        """Insert the row, or put it in the place of the row of that id."""

    def remove(self, number: str) -> None:
        """Remove the row of that id, which is there."""


class Surroundings(Protocol):
    """The place of one run."""

    rows: Rows

    def __enter__(self) -> Self:
        """Return the place."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """End everything."""

    def end(self) -> None:
        """End what there is for the run, and remove it."""

    def set_up(self, rows: list[Row], config: list[Row] | None) -> None:
        """Make the store with these rows, and the configuration file."""

    def configure(self, config: list[Row] | None) -> None:
        """Write the configuration file anew."""

    def store(self) -> Deployments:
        """Open the store."""

    def fork(self) -> Driven:
        """Make a replica."""
