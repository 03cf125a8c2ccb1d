"""LiteLLM replicas over one store as a fleet under test.

Each run has a store and a configuration file in a directory of its own, and a process for each replica, forked from
one in which the proxy has been imported and nothing has run. The steps are carried out as the fleet driver of the
`protocol` crate does: a step runs one replica until nothing moves there, and the others stand still.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from routeproof_litellm.asking import Asker
from routeproof_litellm.fleet_wire import REPLICAS_MAX
from routeproof_litellm.fleets import WORDS, Fleets, freeze
from routeproof_litellm.leftovers import Leftovers
from routeproof_litellm.news import are_offered
from routeproof_litellm.pages import in_huge_pages
from routeproof_litellm.proxy import MODULES
from routeproof_litellm.rows import Rows
from routeproof_litellm.site import Site
from routeproof_litellm.wire import Row
from routeproof_litellm.zygote import tried_out

if TYPE_CHECKING:
    from routeproof_litellm.asking import Offer
    from routeproof_litellm.dialect import Dialect
    from routeproof_litellm.fields import Json
    from routeproof_litellm.fleet_wire import FleetRun


class Fleet(Fleets):
    """Fleets of replicas over a stand-in store."""

    PACKAGES = "litellm[proxy]=={}"
    """The packages that it needs, by the version of the release."""

    def __init__(self, dialect: Dialect) -> None:
        """Import the proxy, and find out in another process what its routers offer."""
        super().__init__(dialect)
        for name in MODULES:
            importlib.import_module(name)
        self._rows = Rows()
        self._offer = tried_out(MODULES, self._found_out)
        self._asker = Asker(self._offer)
        self._warm_up()
        freeze()
        in_huge_pages()

    def hello(self) -> Json:
        """Introduce the fleet."""
        hello = self._dialect.hello(self._asker.paths(), self._asker.surface.lacks(), fresh_process=True)
        lacking = {"replace"} if self._rows.can_block else {"replace", "blocked"}
        hello["router"] = "litellm-fleet"
        hello["capabilities"] = [*(word for word in hello["capabilities"] if word not in lacking), *WORDS]
        if are_offered():
            hello["capabilities"].append("notify")
        hello["dialect"].update(registry="model_list", replicas=REPLICAS_MAX)
        return hello

    def _notified(self) -> bool:
        return are_offered()

    def _place(self, run: FleetRun) -> Site:  # noqa: ARG002  every run has the same place
        return Site(self._dialect, self._rows, self._offer)

    def _found_out(self) -> Offer:
        """Run a replica in this process, and see what its router offers."""
        with Site(self._dialect, self._rows, None) as site:
            site.set_up(_PROBE, None)
            return site.replica().find_out(_PROBE)

    def _warm_up(self) -> None:
        """Run a replica in this process once, so that no other has to do for itself what is done once a process."""
        leftovers = Leftovers()
        with Site(self._dialect, self._rows, self._offer) as site:
            site.set_up(_PROBE, None)
            replica = site.replica()
            replica.warm_up(_PROBE)
            replica.leave()
        leftovers.put_back()


# A way that does not work shows at most the two rows of two picks, and of two rows it may by chance show all.
_PROBE = [Row(f"probe-{number}", "probe", "openai/probe", f"probe-{number}") for number in range(3)]
