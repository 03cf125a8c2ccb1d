"""The runs of a fleet on the wire: what is set up, and the operations, events and questions that are its steps.

Plain data, parsed as strictly as in `wire`, whose rows and questions it shares. Nothing here knows LiteLLM.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from routeproof_litellm import wire
from routeproof_litellm.fields import WireError, fields_of, integer_of, list_of, text_of, text_or_none, verb_of
from routeproof_litellm.wire import (
    U32_MAX,
    Add,
    Delete,
    Listing,
    Query,
    Question,
    Row,
    Wait,
    questions_of,
    row_of,
    rows_of,
    wait_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from routeproof_litellm.fields import Json
    from routeproof_litellm.wire import Round

REPLICAS_MAX = 8
"""The most replicas of a fleet: each is a process of its own."""

_U8_MAX = (1 << 8) - 1

Place: TypeAlias = Literal["before-read", "after-read", "before-write", "after-write"]
View: TypeAlias = Literal["all", "before_last_write", "nothing", "first_row"]
RowOrder: TypeAlias = Literal["insertion", "last_update"] | int
"""The order in which reads of the store give rows; a number stands for a shuffled order."""


class Put(NamedTuple):
    """Insert the row, or put it in the place of the row of that id."""

    row: Row


class Patch(NamedTuple):
    """Change these fields of a row and leave the others alone."""

    id: str
    fields: Json


Write: TypeAlias = Put | Add | Delete | Patch


class WriteOp(NamedTuple):
    """A change to the store: through the admin endpoint of a replica, or straight."""

    via: int | None
    write: Write


class Poll(NamedTuple):
    """The replica reads the store and applies what it read."""

    replica: int


class Start(NamedTuple):
    """The replica comes up."""

    replica: int


class Deliver(NamedTuple):
    """The oldest change notification under way reaches the replica."""

    replica: int


class Request(NamedTuple):
    """A caller asks the replica, which may read the store."""

    replica: int
    query: Query


Op: TypeAlias = WriteOp | Poll | Start | Deliver | Request


class Point(NamedTuple):
    """A place on the way of an operation: next to its n-th read or write of the deployments."""

    place: Place
    nth: int

    def said(self) -> Json:
        """Return it as a reply has it."""
        return {"place": self.place, **({"nth": self.nth} if self.nth > 1 else {})}


class Begin(NamedTuple):
    """An operation begins, and is held at a place on its way."""

    op: str
    act: Op
    until: Point


class Finish(NamedTuple):
    """An operation is let go."""

    op: str


class StoreFails(NamedTuple):
    """Accesses to the store fail from now on, or work again."""

    fails: bool


class StoreShows(NamedTuple):
    """Reads of the store show this from now on."""

    view: View


class StoreOrder(NamedTuple):
    """Reads of the store give rows in this order from now on."""

    order: RowOrder


class Config(NamedTuple):
    """The second source of rows becomes this list, or has no list."""

    rows: list[Row] | None


class Crash(NamedTuple):
    """The replica loses its memory and is down."""

    replica: int


class Notified(NamedTuple):
    """Something happens to the oldest notification under way to the replica."""

    replica: int
    what: Literal["duplicate", "drop", "defer"]


World: TypeAlias = StoreFails | StoreShows | StoreOrder | Config | Crash | Notified | Wait
FleetQuestion: TypeAlias = Question | Literal["store"]


class Ask(NamedTuple):
    """A question is put to a replica, or to no replica."""

    replica: int | None
    question: FleetQuestion


FleetStep: TypeAlias = Op | Begin | Finish | World | Ask


@dataclass(frozen=True)
class FleetRun:
    """One trace of a fleet, with the questions to put to it on the way."""

    replicas: int
    rows: list[Row]
    config: list[Row] | None
    order: RowOrder
    steps: list[FleetStep]
    asked: list[FleetQuestion]
    rounds: list[Round]


def run_of(value: object) -> FleetRun:
    """Read one run of a fleet."""
    fields = fields_of(value, "a run", required=("trace",), optional=("questions",))
    trace = fields_of(fields["trace"], "a trace", required=("steps",), optional=("level", "setup"))
    setup = fields_of(trace.get("setup", {}), "`setup`", optional=("replicas", "rows", "config", "order"))
    if trace.get("level", "router") != "fleet":
        raise WireError("unsupported", "`litellm` is a fleet here and no single router; take a fleet-level trace")
    replicas = integer_of(setup.get("replicas", 0), "`replicas`", _U8_MAX)
    if not 1 <= replicas <= REPLICAS_MAX:
        raise WireError("too_large", f"a fleet has 1 to {REPLICAS_MAX} replicas here, and not {replicas}")
    steps = list_of(trace["steps"], "a run", "steps", wire.RUN_STEPS_MAX, _step)
    asked, rounds = questions_of(fields.get("questions", {}), len(steps), _question)
    config = setup.get("config")
    return FleetRun(
        replicas,
        rows_of(setup.get("rows", [])),
        None if config is None else rows_of(config),
        _order(setup.get("order", "insertion")),
        steps,
        asked,
        rounds,
    )


def _step(value: object) -> FleetStep:
    verb, body = verb_of(value, "a step")
    if parse := _STEPS.get(verb):
        return parse(body)
    if parse := _OPERATIONS.get(verb):
        return parse(body)
    if verb in ("upsert", "add", "delete", "replace"):
        raise WireError("unsupported", f"`{verb}` is a step of one router, and `litellm` is a fleet here")
    raise WireError("bad_request", f"there is no step `{verb}`")


def _op(value: object) -> Op:
    verb, body = verb_of(value, "an operation")
    if parse := _OPERATIONS.get(verb):
        return parse(body)
    raise WireError("bad_request", f"there is no operation `{verb}`")


def _write_op(value: object) -> WriteOp:
    fields = fields_of(value, "`write`", required=("via", "write"))
    via = fields["via"]
    if via != "store":
        place = fields_of(via, "`via`", required=("replica",))
        via = _replica(place["replica"])
    return WriteOp(None if via == "store" else via, _write(fields["write"]))


def _write(value: object) -> Write:
    verb, body = verb_of(value, "a write")
    if verb == "put":
        return Put(row_of(body))
    if verb == "add":
        return Add(row_of(body))
    if verb == "delete":
        return Delete(text_of(body, "`delete`"))
    if verb == "patch":
        fields = fields_of(body, "a patch", required=("id", "fields"))
        return Patch(text_of(fields["id"], "`id`"), _patched(fields["fields"]))
    raise WireError("bad_request", f"there is no write `{verb}`")


_PATCHED = tuple(field for field in Row._fields if field != "id")


def _patched(value: object) -> Json:
    """Read the fields that a patch sets, each as in a row."""
    fields = {
        name: field for name, field in fields_of(value, "`fields`", optional=_PATCHED).items() if field is not None
    }
    whole = row_of({"id": "", "model_name": "", "model": "", "tag": "", **fields})
    return {name: getattr(whole, name) for name in fields}


def _request(value: object) -> Request:
    fields = fields_of(value, "`request`", required=("replica", "model"), optional=("team",))
    query = Query(text_of(fields["model"], "`model`"), text_or_none(fields.get("team"), "`team`"))
    return Request(_replica(fields["replica"]), query)


def _begin(value: object) -> Begin:
    fields = fields_of(value, "`begin`", required=("op", "act", "until"), optional=("nth",))
    place: Any = fields["until"]
    if place not in ("before-read", "after-read", "before-write", "after-write"):
        raise WireError("bad_request", f"there is no place `{place}`")
    point = Point(place, integer_of(fields.get("nth", 1), "`nth`", _U8_MAX))
    return Begin(text_of(fields["op"], "`op`"), _op(fields["act"]), point)


def _order(value: object) -> RowOrder:
    if value == "insertion":
        return "insertion"
    if value == "last_update":
        return "last_update"
    fields = fields_of(value, "an order of rows", required=("shuffled",))
    return integer_of(fields["shuffled"], "`shuffled`", U32_MAX)


def _view(value: object) -> StoreShows:
    view: Any = value
    if view not in ("all", "before_last_write", "nothing", "first_row"):
        raise WireError("bad_request", f"there is no view `{view}` of the store")
    return StoreShows(view)


def _flag(value: object) -> StoreFails:
    if type(value) is not bool:
        raise WireError("bad_request", "`store_fails` must be true or false")
    return StoreFails(value)


def _config(value: object) -> Config:
    rows = fields_of(value, "`config`", optional=("rows",)).get("rows")
    return Config(None if rows is None else rows_of(rows))


def _replica(value: object) -> int:
    return integer_of(value, "a replica", _U8_MAX)


def _question(value: object) -> FleetQuestion:
    return "store" if value == "store" else wire.question_of(value)


def _asked(value: object, what: str, optional: tuple[str, ...] = (), required: tuple[str, ...] = ()) -> Json:
    return fields_of(value, what, required, (*optional, "replica"))


def _of(fields: Json) -> int | None:
    return None if fields.get("replica") is None else _replica(fields["replica"])


def _lookup(value: object) -> Ask:
    fields = _asked(value, "a query", ("team",), ("model",))
    return Ask(_of(fields), Query(text_of(fields["model"], "`model`"), text_or_none(fields.get("team"), "`team`")))


def _listing(value: object) -> Ask:
    fields = _asked(value, "a listing", ("team",))
    return Ask(_of(fields), Listing(text_or_none(fields.get("team"), "`team`")))


_OPERATIONS: dict[str, Callable[[object], Op]] = {
    "write": _write_op,
    "poll": lambda body: Poll(_replica(body)),
    "start": lambda body: Start(_replica(body)),
    "deliver": lambda body: Deliver(_replica(body)),
    "request": _request,
}

_STEPS: dict[str, Callable[[object], FleetStep]] = {
    "begin": _begin,
    "finish": lambda body: Finish(text_of(body, "`finish`")),
    "store_fails": _flag,
    "store_shows": _view,
    "store_order": lambda body: StoreOrder(_order(body)),
    "config": _config,
    "crash": lambda body: Crash(_replica(body)),
    "duplicate": lambda body: Notified(_replica(body), "duplicate"),
    "drop": lambda body: Notified(_replica(body), "drop"),
    "defer": lambda body: Notified(_replica(body), "defer"),
    "wait": wait_of,
    "lookup": _lookup,
    "listing": _listing,
    "claims": lambda body: Ask(_of(_asked(body, "`claims`")), "claims"),
    "holds": lambda body: Ask(_of(_asked(body, "`holds`")), "holds"),
    "sizes": lambda body: Ask(_of(_asked(body, "`sizes`")), "sizes"),
    "store": lambda body: Ask(_of(_asked(body, "`store`")), "store"),
}
