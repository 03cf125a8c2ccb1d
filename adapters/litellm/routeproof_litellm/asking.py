"""The questions of a trial, put to a router of LiteLLM without a change to it.

A lookup is answered by what the router picks from at the end of its own `get_available_deployment` (path `sync`) and
`async_get_available_deployment` (path `async`), whose filters differ; `candidates` has the ways to see it. The names of
structures follow the oldest release; newer ones keep some of them with a prefix, and drop some.
"""

from __future__ import annotations

import importlib
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any, NamedTuple

from routeproof_litellm.candidates import WAYS, identity
from routeproof_litellm.structures import Structures
from routeproof_litellm.surface import Surface
from routeproof_litellm.wire import Listing, Query

if TYPE_CHECKING:
    from collections.abc import Sequence

    from routeproof_litellm.fields import Json
    from routeproof_litellm.wire import Question, Row

TEXT_CHARACTERS_MAX = 1_000
"""The most of an exception's text that is passed on."""

_BLOCKED = (
    ("RouterRateLimitError", "No deployments available for selected model"),
    ("RouterRateLimitErrorBasic", "No deployments available for selected model"),
    ("ServiceUnavailableError", "is currently paused and cannot accept requests"),
    ("PermissionDeniedError", "Model is blocked"),
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


class Offer(NamedTuple):
    """What a release offers: the methods of its routers, and the place of the way that shows their candidates."""

    methods: list[str]
    way: int


class Asker:
    """Answers questions about any router of one release."""

    def __init__(self, offer: Offer) -> None:
        """Take what the release offers."""
        self.offer = offer
        self.surface = Surface(offer.methods)
        self.ns = 0
        """Nanoseconds spent in the router so far."""
        self._way = WAYS[offer.way]()
        self._structures = Structures(self.surface)
        self._litellm = importlib.import_module("litellm")
        self._callbacks = 0
        self._prices = 0
        self.count_from_here()

    def count_from_here(self) -> None:
        """Leave out of every size what the process holds by now."""
        self._callbacks = len(self._litellm.callbacks)
        self._prices = len(self._litellm.model_cost)

    def paths(self) -> tuple[str, ...]:
        """Return the code paths on which lookups are asked."""
        return self._way.paths(self.surface.paths())

    async def ask(self, router: Any, question: Question) -> Json:
        """Answer one question."""
        if isinstance(question, Query):
            return {"answers": await self.answer(router, question)}
        if isinstance(question, Listing):
            return {"names": self._listing(router, question.team)}
        if question == "claims":
            return {"ids": self.held(router)}
        if question == "holds":
            return {"holds": self._structures.holds(router)}
        return {"sizes": self._sizes(router)}

    async def answer(self, router: Any, query: Query) -> list[Json]:
        """Return one answer for each path."""
        return [await self._look(router, query, path) for path in self.paths()]

    def held(self, router: Any) -> list[str] | None:
        """Return the ids that the router claims to hold, where its release can say."""
        if "claims" in self.surface.lacks():
            return None
        began = perf_counter_ns()
        held = [str(number) for number in self.surface.ids(router)]
        self.ns += perf_counter_ns() - began
        return held

    async def _look(self, router: Any, query: Query, path: str) -> Json:
        async def pick(strategy: str | None) -> Any:
            return await self.surface.pick(router, path, query.model, **_request(query, strategy))

        async def healthy() -> Any:
            return await self.surface.healthy(router, query.model, **_request(query, None))

        began = perf_counter_ns()
        try:
            found = await self._way.candidates(pick, healthy)
        except Exception as error:  # noqa: BLE001  whatever the router throws is its answer
            return refusal(error)
        finally:
            self.ns += perf_counter_ns() - began
        return {
            "candidates": [dict(zip(("id", "model", "tag"), identity(deployment), strict=True)) for deployment in found]
        }

    def _listing(self, router: Any, team: str | None) -> list[str]:
        began = perf_counter_ns()
        names = self.surface.names(router, team)
        self.ns += perf_counter_ns() - began
        return sorted(set(names))

    def _sizes(self, router: Any) -> dict[str, int]:
        return {
            **self._structures.sizes(router),
            "callbacks": len(self._litellm.callbacks) - self._callbacks,
            "model_cost": len(self._litellm.model_cost) - self._prices,
        }


async def found_out(router: Any, rows: Sequence[Row]) -> Offer:
    """See what a router offers that holds these rows of one name, and which way shows all of them."""
    methods = Surface.of(router).methods()
    wanted = [{"id": row.id, "model": row.model, "tag": row.tag} for row in rows]
    for place in range(len(WAYS)):
        try:
            asker = Asker(Offer(methods, place))
        except (ImportError, AttributeError):
            continue
        answers = await asker.answer(router, Query(rows[0].model_name))
        if answers and all(answer.get("candidates") == wanted for answer in answers):
            return Offer(methods, place)
    raise AttributeError("there is no way to see what its router picks from")


def said(error: BaseException) -> str:
    """Return the text of an exception, as much of it as is passed on."""
    # The exceptions of the proxy keep their text to themselves.
    text = str(error) or getattr(error, "message", "")
    return f"{type(error).__name__}: {text}"[:TEXT_CHARACTERS_MAX]


# A new one each time: the router writes into it.
def _request(query: Query, strategy: str | None) -> Json:
    request: Json = {"metadata": {} if query.team is None else {"user_api_key_team_id": query.team}}
    if strategy is not None:
        request["routing_strategy"] = strategy
    # The routers within the router need a message to judge by.
    return {"messages": [{"role": "user", "content": "hello"}], "request_kwargs": request}


def refusal(error: Exception) -> Json:
    """Return the answer that the exception is: a refusal where the router means one, and otherwise a failure."""
    classes = [kind.__name__ for kind in type(error).__mro__]
    if any(kind in classes and part in str(error) for kind, part in _BLOCKED):
        return {"refused": "blocked"}
    # Only the class itself counts: classes that are derived from it say something else of the request.
    return {"refused": "unknown_model"} if classes[0] == _UNKNOWN_MODEL else {"failed": said(error)}
