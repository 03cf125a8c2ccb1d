"""Complete servers of LiteLLM as a fleet under test: web servers over PostgreSQL, asked by chats.

Every replica is a process forked from one in which the proxy has been imported and nothing has run. Each run has fresh
replicas and a fresh database, since no server can be brought back to what it was before its first row.
"""

from __future__ import annotations

import gc
import os
from typing import TYPE_CHECKING

from routeproof_litellm.abandoned import remove_abandoned
from routeproof_litellm.checks import check
from routeproof_litellm.fleet_wire import REPLICAS_MAX, Ask, Begin, Config, Patch, Put, Request, Start, WriteOp
from routeproof_litellm.log import Log
from routeproof_litellm.proxy import MODULES, SALT
from routeproof_litellm.replica import Go
from routeproof_litellm.schedule import STEP_SECONDS_MAX, Schedule
from routeproof_litellm.server.machine import Machine, import_all
from routeproof_litellm.server.site import Site
from routeproof_litellm.store import Reading
from routeproof_litellm.wire import Add, Query, Row
from routeproof_litellm.zygote import import_late, reserve

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

    PACKAGES = "litellm[proxy]=={} prisma==0.15.0"
    """What it needs."""

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
        self._warm_up()
        # What the imports left is never freed, and to walk it in each replica would copy its pages.
        gc.collect()
        gc.freeze()

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
        with Site(self._machine, teams_of(run)) as self._site:
            return Schedule(run, self._site).carry_out()

    def _warm_up(self) -> None:
        """Import here what a first replica is seen to import late: else the first chat of each takes seconds."""
        with Site(self._machine) as site:
            site.set_up([_PROBE], None)
            replica = site.fork()
            replica.ask(Go("warm", Start(0), None, Reading()), STEP_SECONDS_MAX)
            replica.ask([Query(_PROBE.model_name, None), "holds"], STEP_SECONDS_MAX)
            import_late(replica.loaded())

    def close(self) -> None:
        """End the run under way, if there is one, and what the servers share."""
        if self._site is not None:
            self._site.end()
        self._machine.end()


def teams_of(run: FleetRun) -> set[str]:
    """Return every team that the run names: the endpoints refuse to change the row of one that is not there."""
    rows = [*run.rows, *(run.config or [])]
    teams = {question.team for question in run.asked if isinstance(question, Query)}
    for step in run.steps:
        act = step.act if isinstance(step, Begin) else step
        if isinstance(act, WriteOp) and isinstance(act.write, Put | Add):
            rows.append(act.write.row)
        elif isinstance(act, WriteOp) and isinstance(act.write, Patch):
            teams.add(act.write.fields.get("team"))
        elif isinstance(act, Config):
            rows.extend(act.rows or [])
        elif isinstance(act, Request):
            teams.add(act.query.team)
        elif isinstance(act, Ask) and isinstance(act.question, Query):
            teams.add(act.question.team)
    return {team for team in (*teams, *(row.team for row in rows)) if team is not None}


_PROBE = Row("probe", "probe", "openai/probe", "probe")
