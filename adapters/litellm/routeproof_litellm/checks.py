"""The check of a run against what a fleet of one release lacks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from routeproof_litellm.fields import WireError
from routeproof_litellm.fleet_wire import Begin, Config, Deliver, Notified, Patch, Put, WriteOp
from routeproof_litellm.wire import Add

if TYPE_CHECKING:
    from routeproof_litellm.dialect import Dialect
    from routeproof_litellm.fleet_wire import FleetRun


def check(run: FleetRun, dialect: Dialect, *, notified: bool) -> None:
    """Refuse a run with a bundle that the release does not have, or with notifications where there are none."""
    for row in (*run.rows, *(run.config or [])):
        dialect.check_extra(row.extra)
    for step in run.steps:
        act = step.act if isinstance(step, Begin) else step
        if isinstance(act, Deliver | Notified) and not notified:
            raise WireError("unsupported", "this fleet has no notifications of rows; leave the step out")
        if isinstance(act, Config):
            for row in act.rows or []:
                dialect.check_extra(row.extra)
        elif isinstance(act, WriteOp):
            write = act.write
            if isinstance(write, Put | Add):
                dialect.check_extra(write.row.extra)
            elif isinstance(write, Patch):
                dialect.check_extra(write.fields.get("extra"))
