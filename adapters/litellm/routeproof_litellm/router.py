"""The real `litellm.Router`, one fresh instance a run, driven through its public operations.

What is said here of a change is what the router itself said; `asking` has what is said of lookups. What LiteLLM keeps
for the whole process is put back after each run, so that no run sees another.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import sys
import warnings
from time import perf_counter_ns
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar

from routeproof_litellm.asking import TEXT_CHARACTERS_MAX, Asker, found_out, said
from routeproof_litellm.fields import Json, WireError
from routeproof_litellm.leftovers import Leftovers
from routeproof_litellm.log import Log
from routeproof_litellm.surface import Surface
from routeproof_litellm.wire import Add, Change, Delete, Row, Run, Upsert, Wait

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from routeproof_litellm.asking import Offer
    from routeproof_litellm.dialect import Dialect
    from routeproof_litellm.wire import Step

Result = TypeVar("Result")


class _PassThroughEndpoints:
    """Stands in for the proxy's registry of credentials, the one thing outside itself that a router writes to.

    No lookup reads it, and the real one lives in a module that needs the whole proxy and 13 seconds to import.
    """

    def set_pass_through_credentials(self, **_: object) -> None:
        """Take the credentials of a provider."""

    def add_vertex_credentials(self, **_: object) -> None:
        """Take the credentials of a Vertex AI project."""


class LiteLlm:
    """LiteLLM in this process, as a router under test."""

    def __init__(self, dialect: Dialect, offer: Offer | None = None) -> None:
        """Import LiteLLM, quietly, and remember what a run may not leave behind.

        With an `offer`, found out elsewhere, no router is made yet.
        """
        self._dialect = dialect
        self._options = {"ignore_invalid_deployments": True} if dialect.ignore_invalid else {}
        warnings.simplefilter("ignore")
        self._litellm = _module("litellm")
        self._types = _module("litellm.types.router")
        self._litellm.telemetry = False
        proxy: Any = ModuleType("litellm.proxy.pass_through_endpoints.llm_passthrough_endpoints")
        proxy.passthrough_endpoint_router = _PassThroughEndpoints()
        sys.modules[proxy.__name__] = proxy
        # Made at the first run: processes that are forked from this one must not share it.
        self._loop: asyncio.AbstractEventLoop | None = None
        self._router: Any = None
        self._leftovers = Leftovers()
        self._log = Log()
        self._asker = Asker(self._until_done(self._probe()) if offer is None else offer)
        self._surface = self._asker.surface
        # What the imports left is never freed, and to walk it at each collection would cost more than a run.
        gc.collect()
        gc.freeze()

    def hello(self, *, fresh_process: bool = False) -> Json:
        """Introduce the router, which may have a process for each message."""
        return self._dialect.hello(self._asker.paths(), self._surface.lacks(), fresh_process=fresh_process)

    def runs(self, runs: list[Run]) -> list[Json]:
        """Carry out the runs of one message."""
        return [self.run(run) for run in runs]

    def run(self, run: Run) -> Json:
        """Carry out one run on a fresh router."""
        self._dialect.check(run)
        self._check(run)
        self._asker.ns = 0
        reply = self._until_done(self._run(run))
        return {**reply, "router_ns": self._asker.ns}

    def close(self) -> None:
        """End; there is nothing to end but the process."""

    def offer(self) -> Offer:
        """Return what was found out on a router of this release."""
        return self._asker.offer

    def _until_done(self, work: Coroutine[Any, Any, Result]) -> Result:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
        try:
            return self._loop.run_until_complete(work)
        finally:
            self._put_back(self._loop)

    def _check(self, run: Run) -> None:
        """Refuse a run that has a change which this release has no method for."""
        lacks = self._surface.lacks()
        for step in run.steps:
            word = type(step).__name__.lower()
            if word in lacks:
                raise WireError("unsupported", f"litellm {self._dialect.release} has no method for `{word}`")

    async def _probe(self) -> Offer:
        """See what a router of this release offers, on three rows of one name."""
        # A way that does not work shows at most the two rows of two picks, and of two rows it may by chance show all.
        rows = [Row(f"probe-{number}", "probe", "openai/probe", f"probe-{number}") for number in range(3)]
        router = self._litellm.Router(model_list=self._model_list(rows), **self._options)
        try:
            return await found_out(router, rows)
        finally:
            Surface.of(router).retire(router)

    # In the proxy the router has a running loop, and some of its parts ask for one when they are made.
    async def _run(self, run: Run) -> Json:
        setup = self._construct(run.rows)
        steps: list[Json] = []
        rounds: list[list[Json]] = []
        due = iter([*run.rounds, None])
        moment = next(due)
        for done, step in enumerate([*run.steps, None]):
            if moment is not None and done == moment.after:
                rounds.append(
                    [{"shown": [await self._asker.ask(self._router, question) for question in run.questions(moment)]}]
                )
                moment = next(due)
            if step is not None:
                steps.append(await self._step(step))
        return {"setup": setup, "steps": steps, "rounds": rounds}

    def _construct(self, rows: list[Row]) -> Json:
        router = self._litellm.Router
        model_list = self._model_list(rows)
        began = perf_counter_ns()
        try:
            with self._log.heard():
                self._router = router(model_list=model_list, **self._options)
        except Exception as error:  # noqa: BLE001  whatever the router throws is its answer
            outcome: Json | str = _refused(error)
            self._retire()
            self._router = router(model_list=[], **self._options)
        else:
            outcome = self._loaded(rows)
        self._asker.ns += perf_counter_ns() - began
        return {"outcome": outcome, "held": self._held()}

    async def _step(self, step: Step) -> Json:
        if isinstance(step, Wait):
            # What the router does by itself needs the loop, and the other runs have waited for this one anyway.
            await asyncio.sleep(step.milliseconds / 1_000)
            return {"moved": []}
        if not isinstance(step, Change):
            return {"shown": await self._asker.ask(self._router, step)}
        began = perf_counter_ns()
        try:
            with self._log.heard():
                outcome: Json | str = self._change(step)
        except Exception as error:  # noqa: BLE001  whatever the router throws is its answer
            outcome = _refused(error)
        self._asker.ns += perf_counter_ns() - began
        return {"changed": {"outcome": outcome, "held": self._held()}}

    def _change(self, change: Change) -> Json | str:
        if isinstance(change, Upsert):
            before = self._tag(change.row.id)
            said = self._surface.upsert(self._router, self._deployment(change.row))
            return self._outcome("upsert", change.row, before, said)
        if isinstance(change, Add):
            before = self._tag(change.row.id)
            said = self._surface.add(self._router, self._deployment(change.row))
            return self._outcome("add", change.row, before, said)
        if isinstance(change, Delete):
            return "unchanged" if self._surface.delete(self._router, change.id) is None else "applied"
        self._surface.replace(self._router, self._model_list(change.rows))
        return self._loaded(change.rows)

    def _loaded(self, rows: list[Row]) -> Json | str:
        """Tell what became of a list: one of which no row is held, and of which the router complained, was refused."""
        why = self._log.why()
        if why is None or not rows or any(self._tag(row.id) == row.tag for row in rows):
            return "applied"
        return {"refused": f"swallowed: {why}, and no deployment of the list is held"[:TEXT_CHARACTERS_MAX]}

    def _tag(self, number: str) -> str | None:
        """Return the version of a row that the router says it holds."""
        held = self._surface.deployment(self._router, number)
        return None if held is None else str(held.litellm_params.api_key)

    def _outcome(self, verb: str, row: Row, before: str | None, said: Any) -> Json | str:
        """Tell what became of a row, which the router's own registry decides.

        A refusal may be swallowed: the router writes the reason to its log and returns, be it `None`, as for a row that
        is as it was, or the deployment.
        """
        after = self._tag(row.id)
        # A tag is unique to one version of a row.
        if after == row.tag and (said is not None or before != row.tag):
            return "applied"
        if after == row.tag and verb == "upsert":
            return "unchanged"
        if after is None:
            kept = "and there is no deployment of this id"
        else:
            kept = "and the deployment of this id stays" if after == before else "and another version of it is held"
        why = self._log.why() or f"{verb} returned {'None' if said is None else 'the deployment'}"
        return {"refused": f"swallowed: {why}, {kept}"[:TEXT_CHARACTERS_MAX]}

    def _held(self) -> list[str] | None:
        return self._asker.held(self._router)

    def _deployment(self, row: Row) -> Any:
        params, info = self._dialect.deployment(row)
        return self._types.Deployment(
            model_name=row.model_name, litellm_params=self._types.LiteLLM_Params(**params), model_info=info
        )

    def _model_list(self, rows: list[Row]) -> list[Json]:
        deployments = [(row.model_name, *self._dialect.deployment(row)) for row in rows]
        return [
            {"model_name": name, "litellm_params": params, "model_info": info} for name, params, info in deployments
        ]

    def _put_back(self, loop: asyncio.AbstractEventLoop) -> None:
        """Leave the process as it was before the run."""
        self._retire()
        if tasks := list(asyncio.all_tasks(loop)):
            for task in tasks:
                task.cancel()
            loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))

    def _retire(self) -> None:
        """Drop the router, and what it left in LiteLLM."""
        if self._router is not None:
            began = perf_counter_ns()
            self._surface.retire(self._router)
            self._asker.ns += perf_counter_ns() - began
            self._router = None
        self._leftovers.put_back()


def _module(name: str) -> Any:
    # Imported late, and by name: to read this file needs no LiteLLM.
    return importlib.import_module(name)


def _refused(error: Exception) -> Json:
    return {"refused": said(error)}
