"""Fleets of one release as routers under test: what they have in common, whatever their replicas are."""

from __future__ import annotations

import gc
import os
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from routeproof_litellm.abandoned import remove_abandoned
from routeproof_litellm.checks import check
from routeproof_litellm.log import Log
from routeproof_litellm.proxy import SALT
from routeproof_litellm.schedule import Schedule

if TYPE_CHECKING:
    from routeproof_litellm.dialect import Dialect
    from routeproof_litellm.fields import Json
    from routeproof_litellm.fleet_wire import FleetRun
    from routeproof_litellm.surroundings import Surroundings


WORDS = (
    "fleet",
    "admin",
    "patch",
    "hold",
    "request",
    "store_fails",
    "store_shows",
    "store_order",
    "config",
    "crash",
)
"""The capabilities of a fleet, beside those of its routers."""


class Fleets(ABC):
    """Fleets of one release, a fresh one for each run, whose replicas are forked from this process."""

    def __init__(self, dialect: Dialect) -> None:
        """Make this process one that replicas can be forked from, but for what is to be imported."""
        remove_abandoned()
        os.environ["LITELLM_SALT_KEY"] = SALT
        self._dialect = dialect
        # No bundle has been tried by way of the database.
        dialect.bundles.clear()
        self._site: Surroundings | None = None
        Log()

    def runs(self, runs: list[FleetRun]) -> list[Json]:
        """Carry out the runs of one message."""
        return [self.run(run) for run in runs]

    def run(self, run: FleetRun) -> Json:
        """Carry out one run on a fresh fleet."""
        check(run, self._dialect, notified=self._notified())
        with self._place(run) as self._site:
            return Schedule(run, self._site).carry_out()

    def close(self) -> None:
        """End the run under way, if there is one."""
        if self._site is not None:
            self._site.end()

    @abstractmethod
    def _notified(self) -> bool:
        """Return true if replicas hear of rows that were written."""

    @abstractmethod
    def _place(self, run: FleetRun) -> Surroundings:
        """Return the place of a run."""


def freeze() -> None:
    """Keep what the imports left, which is never freed: to walk it in each replica would copy its pages."""
    gc.collect()
    gc.freeze()
