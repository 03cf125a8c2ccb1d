"""The real `litellm.Router`, one fresh instance a run, driven through its public operations.

What is said here of a change is what the router itself said; what is said of a lookup is what reached the weighted pick
at the end of the router's own `get_available_deployment` (path `sync`) and `async_get_available_deployment` (path
`async`), whose filters differ. What LiteLLM keeps for the whole process is put back after each run, so that no run sees
another. The names of members follow the oldest release; newer ones keep some of them with a prefix.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import itertools
import logging
import sys
import warnings
from time import perf_counter_ns
from types import ModuleType
from typing import TYPE_CHECKING, Any

from routeproof_litellm.wire import Add, Delete, Json, Query, Replace, Row, Run, Upsert

if TYPE_CHECKING:
    from collections.abc import Iterable

    from routeproof_litellm.dialect import Dialect
    from routeproof_litellm.wire import Step

TEXT_CHARACTERS_MAX = 1_000
"""How much of an exception's text is passed on."""

_REFUSALS = (
    ("There are no healthy deployments for this model", "unknown_model"),
    ("There is no 'model_name' with this string", "unknown_model"),
    ("No deployments available for selected model", "blocked"),
    ("is currently paused and cannot accept requests", "blocked"),
    ("Not allowed to access model due to tags configuration", "blocked"),
    ("No deployments available - crossed budget", "blocked"),
    ("is reserved for another team until", "blocked"),
    ("is reserved for the teams holding a PTU share", "blocked"),
    ("Every deployment for it is a strategy router marker", "blocked"),
)
"""The refusals that LiteLLM means to give, by what their text holds; any other exception is a failure."""

_CALLBACK_LISTS = (
    "callbacks",
    "success_callback",
    "failure_callback",
    "_async_success_callback",
    "_async_failure_callback",
    "input_callback",
    "service_callback",
)

_LISTS = ("model_list", "deployment_names", "provider_default_deployment_ids")
_TABLES = (
    "model_id_to_deployment_index_map",
    "model_names",
    "team_public_model_names",
    "deployment_latency_map",
)
_TABLES_OF_LISTS = ("model_name_to_deployment_indices", "team_model_to_deployment_indices")
_STRATEGIES = ("auto_routers", "complexity_routers", "quality_routers", "adaptive_routers")


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

    def __init__(self, dialect: Dialect) -> None:
        """Import LiteLLM, quietly, and remember what a run may not leave behind."""
        self._dialect = dialect
        self._options = {"ignore_invalid_deployments": True} if dialect.ignore_invalid else {}
        warnings.simplefilter("ignore")
        self._litellm = _module("litellm")
        self._types = _module("litellm.types.router")
        logging.disable(logging.CRITICAL)
        self._litellm.telemetry = False
        proxy: Any = ModuleType("litellm.proxy.pass_through_endpoints.llm_passthrough_endpoints")
        proxy.passthrough_endpoint_router = _PassThroughEndpoints()
        sys.modules[proxy.__name__] = proxy
        self._picked_from: Iterable[Json] | None = None
        self._watch_the_pick()
        self._ns = 0
        self._loop = asyncio.new_event_loop()
        self._router: Any = None
        self._callbacks = {name: list(getattr(self._litellm, name)) for name in _CALLBACK_LISTS}
        self._catalog = frozenset(self._litellm.model_cost)
        # What the imports left is never freed, and to walk it at each collection would cost more than a run.
        gc.collect()
        gc.freeze()

    def run(self, run: Run) -> Json:
        """Carry out one run on a fresh router."""
        self._dialect.check(run)
        self._ns = 0
        try:
            reply = self._loop.run_until_complete(self._run(run))
        finally:
            self._put_back()
        return {**reply, "router_ns": self._ns}

    # A running loop is what the router has in its proxy; some of its parts ask for one when they are made.
    async def _run(self, run: Run) -> Json:
        initial = self._construct(run.initial)
        steps: list[Json] = []
        observations: list[Json] = []
        moments = iter([*run.observe, None])
        moment = next(moments)
        for done, step in enumerate([*run.steps, None]):
            if done == moment:
                observations.append(await self._observe(run))
                moment = next(moments)
            if step is not None:
                steps.append(await self._step(step))
        return {"initial": initial, "steps": steps, "observations": observations}

    def _construct(self, rows: list[Row]) -> Json:
        router = self._litellm.Router
        model_list = self._model_list(rows)
        began = perf_counter_ns()
        try:
            self._router = router(model_list=model_list, **self._options)
        except Exception as error:  # noqa: BLE001  whatever the router throws is its answer
            outcome: Json | str = _refused(error)
            self._put_back()
            self._router = router(model_list=[], **self._options)
        else:
            outcome = "applied"
        self._ns += perf_counter_ns() - began
        return {"outcome": outcome, "held": self._held()}

    async def _step(self, step: Step) -> Json:
        if isinstance(step, Query):
            return {"answered": await self._answer(step)}
        began = perf_counter_ns()
        try:
            outcome: Json | str = self._change(step)
        except Exception as error:  # noqa: BLE001  whatever the router throws is its answer
            outcome = _refused(error)
        self._ns += perf_counter_ns() - began
        return {"changed": {"outcome": outcome, "held": self._held()}}

    def _change(self, change: Upsert | Add | Delete | Replace) -> Json | str:
        if isinstance(change, Upsert):
            # It returns the deployment, or nothing where all is as it was.
            return "unchanged" if self._router.upsert_deployment(self._deployment(change.row)) is None else "applied"
        if isinstance(change, Add):
            if self._router.add_deployment(self._deployment(change.row)) is None:
                return {"refused": "add_deployment returned None: there is a deployment of this id"}
            return "applied"
        if isinstance(change, Delete):
            return "unchanged" if self._router.delete_deployment(id=change.id) is None else "applied"
        self._router.set_model_list(self._model_list(change.rows))
        return "applied"

    async def _observe(self, run: Run) -> Json:
        return {
            "answers": [await self._answer(query) for query in run.queries],
            "listings": [self._listing(team) for team in run.viewers],
            "sizes": self._sizes(),
        }

    async def _answer(self, query: Query) -> list[Json]:
        return [self._pick(query), await self._pick_async(query)]

    def _pick(self, query: Query) -> Json:
        request = _request(query)
        self._picked_from = None
        began = perf_counter_ns()
        try:
            picked = self._router.get_available_deployment(
                model=query.model, messages=_messages(), request_kwargs=request
            )
        except Exception as error:  # noqa: BLE001  whatever the router throws is its answer
            self._ns += perf_counter_ns() - began
            return _failed(error)
        self._ns += perf_counter_ns() - began
        return self._candidates(picked)

    async def _pick_async(self, query: Query) -> Json:
        request = _request(query)
        self._picked_from = None
        began = perf_counter_ns()
        try:
            picked = await self._router.async_get_available_deployment(
                model=query.model, messages=_messages(), request_kwargs=request
            )
        except Exception as error:  # noqa: BLE001  whatever the router throws is its answer
            self._ns += perf_counter_ns() - began
            return _failed(error)
        self._ns += perf_counter_ns() - began
        return self._candidates(picked)

    def _candidates(self, picked: Json) -> Json:
        # A deployment asked for by its id is returned without a pick.
        candidates = [picked] if self._picked_from is None else self._picked_from
        return {
            "candidates": [
                {
                    "id": str(candidate["model_info"]["id"]),
                    "model": str(candidate["litellm_params"]["model"]),
                    "tag": str(candidate["litellm_params"].get("api_key", "")),
                }
                for candidate in candidates
            ]
        }

    def _listing(self, team: str | None) -> list[str]:
        began = perf_counter_ns()
        names = self._router.get_model_names(team_id=team)
        self._ns += perf_counter_ns() - began
        return sorted(set(names))

    def _held(self) -> list[str]:
        began = perf_counter_ns()
        held = [str(number) for number in self._router.get_model_ids()]
        self._ns += perf_counter_ns() - began
        return held

    def _sizes(self) -> dict[str, int]:
        sizes = {name: len(found) for name in (*_LISTS, *_TABLES) if (found := self._member(name)) is not None}
        for name in (*_TABLES_OF_LISTS, *_STRATEGIES):
            table = self._member(name) or {}
            # Before 1.94 a strategy registry holds one router a name, and later a list of them.
            sizes[name] = sum(len(entry) if isinstance(entry, list) else 1 for entry in table.values())
        sizes["pattern_router"] = _patterns(self._member("pattern_router"))
        sizes["team_pattern_routers"] = sum(map(_patterns, self._member("team_pattern_routers").values()))
        sizes["callbacks"] = len(self._litellm.callbacks) - len(self._callbacks["callbacks"])
        sizes["model_cost"] = len(self._litellm.model_cost) - len(self._catalog)
        return sizes

    def _member(self, name: str) -> Any:
        # From 1.109 on the router is a facade, and its core holds most members under a prefix.
        members = vars(vars(self._router).get("_core", self._router))
        return members.get(f"_core_{name}", members.get(name))

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

    def _watch_the_pick(self) -> None:
        """Look over the shoulder of the weighted pick, the last thing that both paths of a lookup do."""
        home: Any = sys.modules.get("litellm.router_python_core") or _module("litellm.router")
        pick = home.simple_shuffle

        def simple_shuffle(*args: Any, healthy_deployments: Any, **kwargs: Any) -> Any:
            self._picked_from = healthy_deployments
            return pick(*args, healthy_deployments=healthy_deployments, **kwargs)

        home.simple_shuffle = simple_shuffle

    def _put_back(self) -> None:
        """Leave the process as it was before the run."""
        if self._router is not None:
            began = perf_counter_ns()
            self._router.discard()
            self._ns += perf_counter_ns() - began
            self._router = None
        for name, before in self._callbacks.items():
            getattr(self._litellm, name)[:] = before
        # What was merged into a built-in price stays, and no lookup reads a price.
        cost = self._litellm.model_cost
        for key in list(itertools.islice(reversed(cost), len(cost) - len(self._catalog))):
            if key not in self._catalog:
                del cost[key]
        tasks = [] if self._loop.is_running() else list(asyncio.all_tasks(self._loop))
        for task in tasks:
            task.cancel()
        if tasks:
            self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))


def _module(name: str) -> Any:
    # Imported late, and by name: to read this file needs no LiteLLM.
    return importlib.import_module(name)


# New ones each time: the router writes into them.
def _messages() -> list[Json]:
    # The routers within the router need something to judge by.
    return [{"role": "user", "content": "hello"}]


def _request(query: Query) -> Json:
    return {"metadata": {} if query.team is None else {"user_api_key_team_id": query.team}}


def _refused(error: Exception) -> Json:
    return {"refused": _text(error)}


def _failed(error: Exception) -> Json:
    text = str(error)
    for part, refusal in _REFUSALS:
        if part in text:
            return {"refused": refusal}
    return {"failed": _text(error)}


def _text(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:TEXT_CHARACTERS_MAX]


def _patterns(table: Any) -> int:
    return sum(map(len, table.patterns.values()))
