"""The real `litellm.Router`, one fresh instance a run, driven through its public operations.

What is said here of a change is what the router itself said; what is said of a lookup is what the router picks from at
the end of its own `get_available_deployment` (path `sync`) and `async_get_available_deployment` (path `async`), whose
filters differ; `candidates` has the ways to see it. What LiteLLM keeps for the whole process is put back after each
run, so that no run sees another. The names of structures follow the oldest release; newer ones keep some of them with
a prefix, and drop some.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import itertools
import sys
import warnings
from time import perf_counter_ns
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from routeproof_litellm.candidates import WAYS, identity
from routeproof_litellm.log import Log
from routeproof_litellm.structures import Structures
from routeproof_litellm.surface import Surface
from routeproof_litellm.wire import Add, Change, Delete, Json, Listing, Query, Row, Run, Upsert, WireError

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from routeproof_litellm.candidates import Way
    from routeproof_litellm.dialect import Dialect
    from routeproof_litellm.wire import Question, Step

TEXT_CHARACTERS_MAX = 1_000
"""The most of an exception's text that is passed on."""

_BLOCKED = (
    ("RouterRateLimitError", "No deployments available for selected model"),
    ("RouterRateLimitErrorBasic", "No deployments available for selected model"),
    ("ServiceUnavailableError", "is currently paused and cannot accept requests"),
    ("BadRequestError", "is reserved for another team until"),
    ("BadRequestError", "is reserved for the teams holding a PTU share"),
    ("BadRequestError", "Every deployment for it is a strategy router marker"),
    ("ValueError", "Not allowed to access model due to tags configuration"),
    ("ValueError", "No deployments available - crossed budget"),
)
"""The refusals that mean that there are deployments and none may serve: the class of the exception, and what its text
holds."""

_UNKNOWN_MODEL = "BadRequestError"
"""The class of the exception that means that there is no deployment at all, where the text does not say otherwise. Any
other exception is a failure: it may be a fault of the router, and taken for a refusal it would go unseen."""

Result = TypeVar("Result")

_CALLBACK_LISTS = (
    "callbacks",
    "success_callback",
    "failure_callback",
    "_async_success_callback",
    "_async_failure_callback",
    "input_callback",
    "service_callback",
)


class _PassThroughEndpoints:
    """Stands in for the proxy's registry of credentials, the one thing outside itself that a router writes to.

    No lookup reads it, and the real one lives in a module that needs the whole proxy and 13 seconds to import.
    """

    def set_pass_through_credentials(self, **_: object) -> None:
        """Take the credentials of a provider."""

    def add_vertex_credentials(self, **_: object) -> None:
        """Take the credentials of a Vertex AI project."""


class Offer(NamedTuple):
    """What a release offers: the methods of its routers, and the place of the way that shows their candidates."""

    methods: list[str]
    way: int


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
        self._ns = 0
        # Made at the first run: processes that are forked from this one must not share it.
        self._loop: asyncio.AbstractEventLoop | None = None
        self._router: Any = None
        self._callbacks = {
            name: list(found)
            for name in _CALLBACK_LISTS
            if isinstance(found := getattr(self._litellm, name, None), list)
        }
        self._catalog = frozenset(self._litellm.model_cost)
        self._log = Log()
        self._surface: Surface
        self._way: Way
        self._place: int
        if offer is None:
            self._until_done(self._probe())
        else:
            self._surface = Surface(offer.methods)
            self._place = offer.way
            self._way = WAYS[self._place]()
        self._structures = Structures(self._surface)
        # What the imports left is never freed, and to walk it at each collection would cost more than a run.
        gc.collect()
        gc.freeze()

    def hello(self, *, fresh_process: bool = False) -> Json:
        """Introduce the router, which may have a process for each message."""
        paths = self._way.paths(self._surface.paths())
        return self._dialect.hello(paths, self._surface.lacks(), fresh_process=fresh_process)

    def runs(self, runs: list[Run]) -> list[Json]:
        """Carry out the runs of one message."""
        return [self.run(run) for run in runs]

    def run(self, run: Run) -> Json:
        """Carry out one run on a fresh router."""
        self._dialect.check(run)
        self._check(run)
        self._ns = 0
        reply = self._until_done(self._run(run))
        return {**reply, "router_ns": self._ns}

    def close(self) -> None:
        """End; there is nothing to end but the process."""

    def offer(self) -> Offer:
        """Return what was found out on a router of this release."""
        return Offer(self._surface.methods(), self._place)

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

    async def _probe(self) -> None:
        """See what a router of this release offers, and which way shows its candidates, on three rows of one name."""
        # A way that does not work shows at most the two rows of two picks, and of two rows it may by chance show all.
        rows = [Row(f"probe-{number}", "probe", "openai/probe", f"probe-{number}") for number in range(3)]
        wanted = [{"id": row.id, "model": row.model, "tag": row.tag} for row in rows]
        self._router = self._litellm.Router(model_list=self._model_list(rows), **self._options)
        self._surface = Surface.of(self._router)
        for self._place, make in enumerate(WAYS):
            try:
                self._way = make()
            except (ImportError, AttributeError):
                continue
            answers = await self._answer(Query("probe"))
            if answers and all(answer.get("candidates") == wanted for answer in answers):
                return
        raise AttributeError("there is no way to see what its router picks from")

    # In the proxy the router has a running loop, and some of its parts ask for one when they are made.
    async def _run(self, run: Run) -> Json:
        setup = self._construct(run.rows)
        steps: list[Json] = []
        rounds: list[list[Json]] = []
        due = iter([*run.rounds, None])
        moment = next(due)
        for done, step in enumerate([*run.steps, None]):
            if moment is not None and done == moment.after:
                rounds.append([{"shown": [await self._ask(question) for question in run.questions(moment)]}])
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
        self._ns += perf_counter_ns() - began
        return {"outcome": outcome, "held": self._held()}

    async def _step(self, step: Step) -> Json:
        if not isinstance(step, Change):
            return {"shown": await self._ask(step)}
        began = perf_counter_ns()
        try:
            with self._log.heard():
                outcome: Json | str = self._change(step)
        except Exception as error:  # noqa: BLE001  whatever the router throws is its answer
            outcome = _refused(error)
        self._ns += perf_counter_ns() - began
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

    async def _ask(self, question: Question) -> Json:
        if isinstance(question, Query):
            return {"answers": await self._answer(question)}
        if isinstance(question, Listing):
            return {"names": self._listing(question.team)}
        if question == "claims":
            return {"ids": self._held()}
        if question == "holds":
            return {"holds": self._structures.holds(self._router)}
        return {"sizes": self._sizes()}

    async def _answer(self, query: Query) -> list[Json]:
        return [await self._look(query, path) for path in self._way.paths(self._surface.paths())]

    async def _look(self, query: Query, path: str) -> Json:
        async def pick(strategy: str | None) -> Any:
            return await self._surface.pick(self._router, path, query.model, **_request(query, strategy))

        async def healthy() -> Any:
            return await self._surface.healthy(self._router, query.model, **_request(query, None))

        began = perf_counter_ns()
        try:
            found = await self._way.candidates(pick, healthy)
        except Exception as error:  # noqa: BLE001  whatever the router throws is its answer
            return _failed(error)
        finally:
            self._ns += perf_counter_ns() - began
        return {
            "candidates": [dict(zip(("id", "model", "tag"), identity(deployment), strict=True)) for deployment in found]
        }

    def _listing(self, team: str | None) -> list[str]:
        began = perf_counter_ns()
        names = self._surface.names(self._router, team)
        self._ns += perf_counter_ns() - began
        return sorted(set(names))

    def _held(self) -> list[str] | None:
        if "claims" in self._surface.lacks():
            return None
        began = perf_counter_ns()
        held = [str(number) for number in self._surface.ids(self._router)]
        self._ns += perf_counter_ns() - began
        return held

    def _sizes(self) -> dict[str, int]:
        return {
            **self._structures.sizes(self._router),
            "callbacks": len(self._litellm.callbacks) - len(self._callbacks["callbacks"]),
            "model_cost": len(self._litellm.model_cost) - len(self._catalog),
        }

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
            self._ns += perf_counter_ns() - began
            self._router = None
        for name, before in self._callbacks.items():
            getattr(self._litellm, name)[:] = before
        # What was merged into a built-in price stays, and no lookup reads a price.
        cost = self._litellm.model_cost
        for name in list(itertools.islice(reversed(cost), len(cost) - len(self._catalog))):
            if name not in self._catalog:
                del cost[name]


def _module(name: str) -> Any:
    # Imported late, and by name: to read this file needs no LiteLLM.
    return importlib.import_module(name)


# A new one each time: the router writes into it.
def _request(query: Query, strategy: str | None) -> Json:
    request: Json = {"metadata": {} if query.team is None else {"user_api_key_team_id": query.team}}
    if strategy is not None:
        request["routing_strategy"] = strategy
    # The routers within the router need a message to judge by.
    return {"messages": [{"role": "user", "content": "hello"}], "request_kwargs": request}


def _refused(error: Exception) -> Json:
    return {"refused": _text(error)}


def _failed(error: Exception) -> Json:
    classes = [kind.__name__ for kind in type(error).__mro__]
    if any(kind in classes and part in str(error) for kind, part in _BLOCKED):
        return {"refused": "blocked"}
    # Only the class itself counts: classes that are derived from it say something else of the request.
    return {"refused": "unknown_model"} if classes[0] == _UNKNOWN_MODEL else {"failed": _text(error)}


def _text(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:TEXT_CHARACTERS_MAX]
