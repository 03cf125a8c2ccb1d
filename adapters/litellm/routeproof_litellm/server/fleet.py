"""Complete servers of LiteLLM as a fleet under test: web servers over PostgreSQL, asked by chats.

Every replica is a process forked from one in which the proxy has been imported and nothing has run. Each run has fresh
replicas and a fresh database, since no server can be brought back to what it was before its first row.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from routeproof_litellm.abandoned import remove_abandoned
from routeproof_litellm.checks import check
from routeproof_litellm.fleet_wire import REPLICAS_MAX
from routeproof_litellm.log import Log
from routeproof_litellm.proxy import MODULES, SALT
from routeproof_litellm.schedule import Schedule
from routeproof_litellm.server.machine import Machine, import_all
from routeproof_litellm.server.site import Site
from routeproof_litellm.zygote import reserve

if TYPE_CHECKING:
    from routeproof_litellm.dialect import Dialect
    from routeproof_litellm.fields import Json
    from routeproof_litellm.fleet_wire import FleetRun

WORDS = (
    "upsert",
    "add",
    "delete",
    "patterns",
    "teams",
    "ids",
    "claims",
    "holds",
    "sizes",
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
"""What servers are asked for. Not for weights, which leave unseen what is picked once in a thousand times; nor for the
list of models, which a server makes of keys and teams as well as of what its router would answer."""


class Servers:
    """Fleets of servers of one release, a fresh one for each run."""

    def __init__(self, dialect: Dialect) -> None:
        """Import the proxy, and start what the servers share."""
        remove_abandoned()
        os.environ["LITELLM_SALT_KEY"] = SALT
        self._dialect = dialect
        # No bundle has been tried by way of the database.
        dialect.bundles.clear()
        Log()
        import_all(MODULES)
        reserve()
        self._machine = Machine(dialect)
        self._site: Site | None = None

    def hello(self) -> Json:
        """Introduce the servers."""
        hello = self._dialect.hello((), frozenset(), fresh_process=True)
        hello["router"] = "litellm-fleet"
        hello["capabilities"] = [*WORDS, *(["blocked"] if self._machine.rows.can_block else [])]
        hello["dialect"].update(registry="model_list", replicas=REPLICAS_MAX)
        return hello

    def runs(self, runs: list[FleetRun]) -> list[Json]:
        """Carry out the runs of one message."""
        return [self.run(run) for run in runs]

    def run(self, run: FleetRun) -> Json:
        """Carry out one run on fresh servers."""
        check(run, self._dialect, notified=False)
        with Site(self._machine) as self._site:
            return Schedule(run, self._site).carry_out()

    def close(self) -> None:
        """End the run under way, if there is one, and what the servers share."""
        if self._site is not None:
            self._site.end()
        self._machine.end()
