"""The wire: one request a line, one reply a line, as the `protocol` crate defines them.

Plain data in both directions, parsed as strictly as the other side does: unknown fields, wrong types and anything over
a limit are refused by a `WireError`, which is itself a reply. Nothing here knows LiteLLM.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Generic, Literal, NamedTuple, TypeAlias, TypeVar

from routeproof_litellm.fields import (
    Json,
    WireError,
    fields_of,
    integer_of,
    list_of,
    text_of,
    text_or_none,
    verb_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable

PROTOCOL_VERSION = 2
LINE_BYTES_MAX = 16 << 20
BATCH_RUNS_MAX = 256
RUN_STEPS_MAX = 10_000
RUN_QUESTIONS_MAX = 4_096
LIST_ROWS_MAX = 10_000
HELLO_ITEMS_MAX = 256
WAIT_MS_MAX = 60_000
"""The longest that one step lets pass: a gate that hears nothing for longer takes the adapter for dead."""

_U16_MAX = (1 << 16) - 1
U32_MAX = (1 << 32) - 1
_U64_MAX = (1 << 64) - 1


class Row(NamedTuple):
    """One deployment, as the database holds it."""

    id: str
    model_name: str
    model: str
    tag: str
    team: str | None = None
    team_model_name: str | None = None
    blocked: bool = False
    weight: int | None = None
    extra: str | None = None


class Query(NamedTuple):
    """The question which deployments may serve this model to a caller of this team."""

    model: str
    team: str | None = None


class Listing(NamedTuple):
    """The question which names a caller of this team is shown."""

    team: str | None = None


class Upsert(NamedTuple):
    """Insert the row, or put it in the place of the row of that id."""

    row: Row


class Add(NamedTuple):
    """Insert the row; to be refused if the id exists."""

    row: Row


class Delete(NamedTuple):
    """Remove the row of that id."""

    id: str


class Replace(NamedTuple):
    """Load this list in place of the whole table."""

    rows: list[Row]


class Wait(NamedTuple):
    """Let so many milliseconds pass."""

    milliseconds: int


Change: TypeAlias = Upsert | Add | Delete | Replace
Question: TypeAlias = Query | Listing | Literal["claims", "holds", "sizes"]
Step: TypeAlias = Change | Question | Wait
Asked = TypeVar("Asked")


class Round(NamedTuple):
    """One moment at which questions are asked: after so many steps, and all in their order or these by their places."""

    after: int
    order: list[int] | None = None

    def of(self, asked: list[Asked]) -> list[Asked]:
        """List the questions of this round, in the order in which they are asked."""
        return asked if self.order is None else [asked[place] for place in self.order]


@dataclass(frozen=True)
class Run:
    """One trace from a fresh router on, with the questions to put to it on the way."""

    rows: list[Row]
    steps: list[Step]
    asked: list[Question]
    rounds: list[Round]

    def questions(self, at: Round) -> list[Question]:
        """List the questions of one round, in the order in which they are asked."""
        return at.of(self.asked)


@dataclass(frozen=True)
class Hello:
    """The question who the router is."""

    protocol: int


RunT = TypeVar("RunT")


@dataclass(frozen=True)
class Request(Generic[RunT]):
    """One line from the gate."""

    id: int
    call: Hello | list[RunT]


def read_line(stream: BinaryIO) -> bytes | None:
    """Read one line without its newline; `None` at the end of the input.

    A line over the limit is skipped to its end, so that memory stays bounded and the conversation can go on.
    """
    line = stream.readline(LINE_BYTES_MAX)
    if not line:
        return None
    if line.endswith(b"\n"):
        return line[:-1]
    if len(line) < LINE_BYTES_MAX:
        return line
    while line and not line.endswith(b"\n"):
        line = stream.readline(LINE_BYTES_MAX)
    raise WireError("too_large", f"the line is longer than {LINE_BYTES_MAX} bytes; send fewer runs at a time")


def parse_json(line: bytes) -> object:
    """Read a line as JSON."""
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        raise WireError("bad_request", f"not a request of protocol {PROTOCOL_VERSION}: {error}") from error


def id_of(value: object) -> int:
    """Take the id of what may be no request, so that the gate can tell what the error answers; 0 where it has none."""
    found = value.get("id") if isinstance(value, dict) else None
    return found if type(found) is int and 0 <= found <= _U64_MAX else 0


def parse_request(value: object, parse_run: Callable[[object], RunT]) -> Request[RunT]:
    """Read one request, whose runs are read by `parse_run`, held against every limit."""
    fields = fields_of(value, "the request", required=("id", "call"))
    number = integer_of(fields["id"], "`id`", _U64_MAX)
    verb, body = verb_of(fields["call"], "`call`")
    if verb == "hello":
        hello = fields_of(body, "`hello`", required=("protocol",))
        return Request(number, Hello(integer_of(hello["protocol"], "`protocol`", U32_MAX)))
    if verb == "runs":
        return Request(number, list_of(body, "a message", "runs", BATCH_RUNS_MAX, parse_run))
    raise WireError("bad_request", f"`call` is `hello` or `runs`, not `{verb}`")


def reply_line(number: int, reply: Json) -> bytes:
    """Write one reply; one that does not fit in a line becomes an error that says so."""
    text = json.dumps({"id": number, "reply": reply}, ensure_ascii=False, separators=(",", ":")) + "\n"
    line = text.encode("utf-8", errors="replace")
    if len(line) <= LINE_BYTES_MAX:
        return line
    message = f"the reply has {len(line)} bytes, and a line at most {LINE_BYTES_MAX}; send fewer runs at a time"
    return reply_line(number, error_reply(WireError("too_large", message)))


def error_reply(error: WireError) -> Json:
    """Say what was wrong with the request."""
    return {"error": {"code": error.code, "message": str(error)}}


def run_of(value: object) -> Run:
    """Read one run of a router."""
    fields = fields_of(value, "a run", required=("trace",), optional=("questions",))
    trace = fields_of(fields["trace"], "a trace", required=("steps",), optional=("level", "setup"))
    setup = fields_of(trace.get("setup", {}), "`setup`", optional=("replicas", "rows", "config", "order"))
    if trace.get("level", "router") != "router" or not _FLEET_SETUP.isdisjoint(setup):
        raise WireError("unsupported", "`litellm` is one router here and no fleet; take a router-level trace")
    steps = list_of(trace["steps"], "a run", "steps", RUN_STEPS_MAX, _step)
    return Run(
        rows_of(setup.get("rows", [])), steps, *questions_of(fields.get("questions", {}), len(steps), question_of)
    )


_FLEET_SETUP = frozenset({"replicas", "config", "order"})


def questions_of(value: object, steps: int, question_of: Callable[[object], Asked]) -> tuple[list[Asked], list[Round]]:
    """Read the questions of a run of so many steps, and the rounds in which they are asked."""
    fields = fields_of(value, "`questions`", optional=("asked", "rounds"))
    asked = list_of(fields.get("asked", []), "a run", "questions", RUN_QUESTIONS_MAX, question_of)
    rounds = list_of(fields.get("rounds", []), "a run", "rounds", RUN_STEPS_MAX + 1, lambda at: _round(at, len(asked)))
    for before, (after, _) in zip([-1, *(at.after for at in rounds)], rounds, strict=False):
        if before >= after:
            raise WireError("too_large", f"`rounds` must ascend, and {after} does not; sort them and drop doubles")
        if after > steps:
            raise WireError("too_large", f"a round comes after step {after} of a run with {steps} steps")
    return asked, rounds


def rows_of(value: object) -> list[Row]:
    """Read a list of rows."""
    return list_of(value, "a list", "rows", LIST_ROWS_MAX, row_of)


def _round(value: object, questions: int) -> Round:
    fields = fields_of(value, "a round", required=("after",), optional=("order",))
    after = integer_of(fields["after"], "`after`", U32_MAX)
    if fields.get("order") is None:
        return Round(after)
    order = list_of(
        fields["order"], "a round", "questions", RUN_QUESTIONS_MAX, lambda at: integer_of(at, "`order`", _U16_MAX)
    )
    for place in order:
        if place >= questions:
            raise WireError("too_large", f"a round asks question {place} of {questions}, and they count from 0")
    return Round(after, order)


def _step(value: object) -> Step:
    verb, body = verb_of(value, "a step")
    if parse := _STEPS.get(verb):
        return parse(body)
    if verb in _FLEET_VERBS:
        raise WireError("unsupported", f"`{verb}` is a step of a fleet, and `litellm` is one router here")
    raise WireError("bad_request", f"there is no step `{verb}`")


def _listing(body: object) -> Listing:
    fields = _asked(body, "a listing", optional=("team",))
    return Listing(text_or_none(fields.get("team"), "`team`"))


def _claims(body: object) -> Question:
    _asked(body, "`claims`")
    return "claims"


def _holds(body: object) -> Question:
    _asked(body, "`holds`")
    return "holds"


def _sizes(body: object) -> Question:
    _asked(body, "`sizes`")
    return "sizes"


_FLEET_VERBS = frozenset(
    {
        "write",
        "poll",
        "start",
        "deliver",
        "request",
        "begin",
        "finish",
        "store_fails",
        "store_shows",
        "store_order",
        "config",
        "crash",
        "duplicate",
        "drop",
        "defer",
        "store",
    }
)


def question_of(value: object) -> Question:
    """Read one question that is put to a router."""
    if value == "claims":
        return "claims"
    if value == "holds":
        return "holds"
    if value == "sizes":
        return "sizes"
    if value == "store":
        raise WireError("unsupported", "`store` is asked of a fleet, and `litellm` is one router here")
    verb, body = verb_of(value, "a question")
    if verb == "lookup":
        return _query(body)
    if verb == "listing":
        return Listing(text_or_none(body, "`listing`"))
    raise WireError("bad_request", f"there is no question `{verb}`")


def row_of(value: object) -> Row:
    """Read one row."""
    fields = fields_of(
        value,
        "a row",
        required=("id", "model_name", "model", "tag"),
        optional=("team", "team_model_name", "blocked", "weight", "extra"),
    )
    blocked = fields.get("blocked", False)
    if type(blocked) is not bool:
        raise WireError("bad_request", "`blocked` must be true or false")
    weight = fields.get("weight")
    return Row(
        text_of(fields["id"], "`id`"),
        text_of(fields["model_name"], "`model_name`"),
        text_of(fields["model"], "`model`"),
        text_of(fields["tag"], "`tag`"),
        text_or_none(fields.get("team"), "`team`"),
        text_or_none(fields.get("team_model_name"), "`team_model_name`"),
        blocked,
        None if weight is None else integer_of(weight, "`weight`", U32_MAX),
        text_or_none(fields.get("extra"), "`extra`"),
    )


def _query(value: object) -> Query:
    fields = _asked(value, "a query", required=("model",), optional=("team",))
    return Query(text_of(fields["model"], "`model`"), text_or_none(fields.get("team"), "`team`"))


def _asked(value: object, where: str, required: tuple[str, ...] = (), optional: tuple[str, ...] = ()) -> Json:
    fields = fields_of(value, where, required, (*optional, "replica"))
    if fields.get("replica") is not None:
        raise WireError("unsupported", "`replica` names one of a fleet, and `litellm` is one router here")
    return fields


def wait_of(body: object) -> Wait:
    """Read a wait, held against its bound."""
    return Wait(integer_of(body, "`wait`", WAIT_MS_MAX))


_STEPS: dict[str, Callable[[object], Step]] = {
    "upsert": lambda body: Upsert(row_of(body)),
    "add": lambda body: Add(row_of(body)),
    "delete": lambda body: Delete(text_of(body, "`delete`")),
    "replace": lambda body: Replace(rows_of(body)),
    "lookup": _query,
    "listing": _listing,
    "claims": _claims,
    "holds": _holds,
    "sizes": _sizes,
    "wait": wait_of,
}
