"""Runs in processes forked from one that has imported LiteLLM and made no router.

What changes leave in their process (class attributes, module-wide caches, dictionaries) is not there after a restart.
So that it shows, runs that change something are carried out in one process, and runs that only construct a router and
ask it in another, in which no change was ever made. Each serves many runs, since to fork costs more than a run: 15 ms
of CPU, and the pages that are then copied as many again, beside 7 ms of a run on 1.85.0 and 28 on 1.110.2.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
from typing import TYPE_CHECKING

from routeproof_litellm.asking import Offer
from routeproof_litellm.router import LiteLlm
from routeproof_litellm.wire import Change
from routeproof_litellm.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from routeproof_litellm.dialect import Dialect
    from routeproof_litellm.fields import Json
    from routeproof_litellm.wire import Run

RUNS_MAX = 256
"""How many runs a process begins before another takes its place."""


class Zygote:
    """LiteLLM as a router under test, whose fresh routers are in a process in which no change was made."""

    def __init__(self, dialect: Dialect) -> None:
        """Import LiteLLM, and find out in another process what its routers offer."""
        offer = tried_out(("litellm", "litellm.types.router"), lambda: LiteLlm(dialect).offer())
        self._router = LiteLlm(dialect, offer)
        self._workers: dict[bool, Worker] = {}

    def hello(self) -> Json:
        """Introduce the router."""
        return self._router.hello(fresh_process=True)

    def runs(self, runs: list[Run]) -> list[Json]:
        """Carry out the runs of one message, each on a fresh router."""
        changing = [any(isinstance(step, Change) for step in run.steps) for run in runs]
        replies: dict[int, Json] = {}
        for kind in sorted(set(changing)):
            places = [place for place, changes in enumerate(changing) if changes is kind]
            done = self._carry_out(kind, [runs[place] for place in places])
            replies.update(zip(places, done, strict=True))
        return [replies[place] for place in range(len(runs))]

    def close(self) -> None:
        """End all processes."""
        for worker in self._workers.values():
            worker.end()
        self._workers.clear()

    def _carry_out(self, kind: bool, runs: list[Run]) -> list[Json]:  # noqa: FBT001  it is a key
        worker = self._workers.pop(kind, None) or Worker(self._router.runs)
        try:
            replies: list[Json] = worker.ask(runs)
        except Exception:
            worker.end()
            raise
        worker.begun += len(runs)
        if worker.begun < RUNS_MAX:
            self._workers[kind] = worker
        else:
            worker.end()
        return replies


def tried_out(names: Iterable[str], find: Callable[[], Offer]) -> Offer:
    """Import these modules, and find out in another process what the release offers; make this one ready to fork."""
    for name in names:
        importlib.import_module(name)
    reserve()
    first = Worker(lambda _: _found_out(find))
    try:
        found = first.ask(None)
    finally:
        first.end()
    if isinstance(found, str):
        raise ImportError(found)  # noqa: TRY004  what was found is why it cannot be driven
    offer, modules = found
    import_late(modules)
    return Offer(*offer)


def import_late(modules: Iterable[str]) -> None:
    """Import what the first router was seen to import late, once and not again in each process."""
    for name in modules:
        # A module that was made at run time, or that minds who imports it, is left to the runs.
        with contextlib.suppress(Exception):
            importlib.import_module(name)


def _found_out(find: Callable[[], Offer]) -> tuple[Offer, list[str]] | str:
    """Return what the release offers, and all modules that are loaded by then; or why it cannot be driven."""
    try:
        return find(), sorted(sys.modules)
    except (ImportError, AttributeError) as error:
        return str(error)


def reserve() -> None:
    """Forbid native calls here, after which the routers of forked processes answer nothing."""
    try:
        guard = importlib.import_module("litellm.rust_bridge.fork_guard")
    except ImportError:
        return
    guard.reserve_process_for_forking("the process that the runs are forked from")
