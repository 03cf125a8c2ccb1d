"""Complete servers of LiteLLM as a fleet under test: web servers over PostgreSQL, asked by chats.

Every replica is a process forked from one in which the proxy has been imported and nothing has run. Each run has fresh
replicas and a fresh database, since no server can be brought back to what it was before its first row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from routeproof_litellm.fleet_wire import REPLICAS_MAX, Ask, Begin, Config, Patch, Put, Request, Start, WriteOp
from routeproof_litellm.fleets import WORDS, Fleets, freeze
from routeproof_litellm.proxy import MODULES
from routeproof_litellm.replica import Go
from routeproof_litellm.schedule import STEP_SECONDS_MAX
from routeproof_litellm.server.machine import Machine, import_all
from routeproof_litellm.server.site import Site
from routeproof_litellm.store import Reading
from routeproof_litellm.wire import Add, Query, Row
from routeproof_litellm.zygote import import_late, reserve

if TYPE_CHECKING:
    from routeproof_litellm.dialect import Dialect
    from routeproof_litellm.fields import Json
    from routeproof_litellm.fleet_wire import FleetRun

ROUTER_WORDS = (
    "upsert",
    "add",
    "delete",
    "patterns",
    "teams",
    "ids",
    "claims",
    "holds",
    "sizes",
)
"""The capabilities of the routers. They lack weights, which leave unseen what is picked once in a thousand times, and
the list of models, which a server makes of keys and teams as well as of what its router would answer."""


class Servers(Fleets):
    """Fleets of complete servers over PostgreSQL."""

    PACKAGES = "litellm[proxy]=={} prisma==0.15.0"
    """The packages that they need, by the version of the release."""

    def __init__(self, dialect: Dialect) -> None:
        """Import the proxy, and start what the servers share."""
        super().__init__(dialect)
        import_all(MODULES)
        reserve()
        self._machine = Machine(dialect)
        self._warm_up()
        freeze()

    def hello(self) -> Json:
        """Introduce the servers."""
        hello = self._dialect.hello((), frozenset(), fresh_process=True)
        hello["router"] = "litellm-fleet"
        hello["capabilities"] = [*ROUTER_WORDS, *WORDS, *(["blocked"] if self._machine.rows.can_block else [])]
        hello["dialect"].update(registry="model_list", replicas=REPLICAS_MAX)
        return hello

    def close(self) -> None:
        """End the run under way, if there is one, and what the servers share."""
        super().close()
        self._machine.end()

    def _notified(self) -> bool:
        return False

    def _place(self, run: FleetRun) -> Site:
        return Site(self._machine, teams_of(run))

    def _warm_up(self) -> None:
        """Import here what a first replica is seen to import late: else the first chat of each takes seconds."""
        with Site(self._machine) as site:
            site.set_up([_PROBE], None)
            replica = site.fork()
            replica.ask(Go("warm", Start(0), None, Reading()), STEP_SECONDS_MAX)
            replica.ask([Query(_PROBE.model_name, None), "holds"], STEP_SECONDS_MAX)
            import_late(replica.loaded())


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
