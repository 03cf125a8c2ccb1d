"""The wire: one request a line, one reply a line, as the `protocol` crate defines them.

Plain data in both directions, parsed as strictly as the other side does: unknown fields, wrong types and anything over
a limit are refused by a `WireError`, which is itself a reply. Nothing here knows LiteLLM.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

PROTOCOL_VERSION = 2
LINE_BYTES_MAX = 16 << 20
BATCH_RUNS_MAX = 256
RUN_STEPS_MAX = 10_000
RUN_QUESTIONS_MAX = 4_096
LIST_ROWS_MAX = 10_000
TEXT_BYTES_MAX = 4_096
HELLO_ITEMS_MAX = 256

_U16_MAX = (1 << 16) - 1
_U32_MAX = (1 << 32) - 1
_U64_MAX = (1 << 64) - 1

Json: TypeAlias = dict[str, Any]
ErrorCode: TypeAlias = Literal["bad_request", "unsupported", "too_large", "internal"]


class WireError(Exception):
    """A request that cannot be served, with the reply that says so."""

    def __init__(self, code: ErrorCode, message: str) -> None:
        """Take the code of the reply and its sentence for a person."""
        super().__init__(message)
        self.code: ErrorCode = code

    def __reduce__(self) -> tuple[type[WireError], tuple[ErrorCode, str]]:
        """Say how to make the same error in another process."""
        return type(self), (self.code, str(self))

    @classmethod
    def of_bug(cls, error: Exception) -> WireError:
        """Report what the adapter should never have raised."""
        return cls("internal", f"the adapter broke: {type(error).__name__}: {error}; this is a bug, please report it")


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


Change: TypeAlias = Upsert | Add | Delete | Replace
Question: TypeAlias = Query | Listing | Literal["claims", "holds", "sizes"]
Step: TypeAlias = Change | Question


class Round(NamedTuple):
    """One moment at which questions are asked: after so many steps, and all in their order or these by their places."""

    after: int
    order: list[int] | None = None


@dataclass(frozen=True)
class Run:
    """One trace from a fresh router on, with the questions to put to it on the way."""

    rows: list[Row]
    steps: list[Step]
    asked: list[Question]
    rounds: list[Round]

    def questions(self, at: Round) -> list[Question]:
        """List the questions of one round, in the order in which they are asked."""
        return self.asked if at.order is None else [self.asked[place] for place in at.order]


@dataclass(frozen=True)
class Hello:
    """The question who the router is."""

    protocol: int


@dataclass(frozen=True)
class Request:
    """One line from the gate."""

    id: int
    call: Hello | list[Run]


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


def parse_request(value: object) -> Request:
    """Read one request, held against every limit."""
    fields = _fields(value, "the request", required=("id", "call"))
    number = _integer(fields["id"], "`id`", _U64_MAX)
    verb, body = _verb(fields["call"], "`call`")
    if verb == "hello":
        hello = _fields(body, "`hello`", required=("protocol",))
        return Request(number, Hello(_integer(hello["protocol"], "`protocol`", _U32_MAX)))
    if verb == "runs":
        return Request(number, _list(body, "a message", "runs", BATCH_RUNS_MAX, _run))
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


def _run(value: object) -> Run:
    fields = _fields(value, "a run", required=("trace",), optional=("questions",))
    trace = _fields(fields["trace"], "a trace", required=("steps",), optional=("level", "setup"))
    setup = _fields(trace.get("setup", {}), "`setup`", optional=("replicas", "rows", "config", "order"))
    if trace.get("level", "router") != "router" or not _FLEET_SETUP.isdisjoint(setup):
        raise WireError("unsupported", "`litellm` is one router here and no fleet; take a router-level trace")
    steps = _list(trace["steps"], "a run", "steps", RUN_STEPS_MAX, _step)
    asked = _fields(fields.get("questions", {}), "`questions`", optional=("asked", "rounds"))
    questions = _list(asked.get("asked", []), "a run", "questions", RUN_QUESTIONS_MAX, _question)
    rounds = _list(asked.get("rounds", []), "a run", "rounds", RUN_STEPS_MAX + 1, lambda at: _round(at, len(questions)))
    for before, (after, _) in zip([-1, *(at.after for at in rounds)], rounds, strict=False):
        if before >= after:
            raise WireError("too_large", f"`rounds` must ascend, and {after} does not; sort them and drop doubles")
        if after > len(steps):
            raise WireError("too_large", f"a round comes after step {after} of a run with {len(steps)} steps")
    return Run(_list(setup.get("rows", []), "a list", "rows", LIST_ROWS_MAX, _row), steps, questions, rounds)


_FLEET_SETUP = frozenset({"replicas", "config", "order"})


def _round(value: object, questions: int) -> Round:
    fields = _fields(value, "a round", required=("after",), optional=("order",))
    after = _integer(fields["after"], "`after`", _U32_MAX)
    if fields.get("order") is None:
        return Round(after)
    order = _list(
        fields["order"], "a round", "questions", RUN_QUESTIONS_MAX, lambda at: _integer(at, "`order`", _U16_MAX)
    )
    for place in order:
        if place >= questions:
            raise WireError("too_large", f"a round asks question {place} of {questions}, and they count from 0")
    return Round(after, order)


def _step(value: object) -> Step:
    verb, body = _verb(value, "a step")
    if parse := _STEPS.get(verb):
        return parse(body)
    if verb in _FLEET_VERBS:
        raise WireError("unsupported", f"`{verb}` is a step of a fleet, and `litellm` is one router here")
    raise WireError("bad_request", f"there is no step `{verb}`")


def _listing(body: object) -> Listing:
    fields = _asked(body, "a listing", optional=("team",))
    return Listing(_optional(fields.get("team"), "`team`"))


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
        "wait",
        "store",
    }
)


def _question(value: object) -> Question:
    if value == "claims":
        return "claims"
    if value == "holds":
        return "holds"
    if value == "sizes":
        return "sizes"
    if value == "store":
        raise WireError("unsupported", "`store` is asked of a fleet, and `litellm` is one router here")
    verb, body = _verb(value, "a question")
    if verb == "lookup":
        return _query(body)
    if verb == "listing":
        return Listing(_optional(body, "`listing`"))
    raise WireError("bad_request", f"there is no question `{verb}`")


def _row(value: object) -> Row:
    fields = _fields(
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
        _text(fields["id"], "`id`"),
        _text(fields["model_name"], "`model_name`"),
        _text(fields["model"], "`model`"),
        _text(fields["tag"], "`tag`"),
        _optional(fields.get("team"), "`team`"),
        _optional(fields.get("team_model_name"), "`team_model_name`"),
        blocked,
        None if weight is None else _integer(weight, "`weight`", _U32_MAX),
        _optional(fields.get("extra"), "`extra`"),
    )


def _query(value: object) -> Query:
    fields = _asked(value, "a query", required=("model",), optional=("team",))
    return Query(_text(fields["model"], "`model`"), _optional(fields.get("team"), "`team`"))


def _asked(value: object, where: str, required: tuple[str, ...] = (), optional: tuple[str, ...] = ()) -> Json:
    fields = _fields(value, where, required, (*optional, "replica"))
    if fields.get("replica") is not None:
        raise WireError("unsupported", "`replica` names one of a fleet, and `litellm` is one router here")
    return fields


_STEPS: dict[str, Callable[[object], Step]] = {
    "upsert": lambda body: Upsert(_row(body)),
    "add": lambda body: Add(_row(body)),
    "delete": lambda body: Delete(_text(body, "`delete`")),
    "replace": lambda body: Replace(_list(body, "a list", "rows", LIST_ROWS_MAX, _row)),
    "lookup": _query,
    "listing": _listing,
    "claims": _claims,
    "holds": _holds,
    "sizes": _sizes,
}


def _verb(value: object, where: str) -> tuple[str, object]:
    if not isinstance(value, dict) or len(value) != 1:
        raise WireError("bad_request", f"{where} must be an object with one key")
    return next(iter(value.items()))


def _fields(value: object, where: str, required: tuple[str, ...] = (), optional: tuple[str, ...] = ()) -> Json:
    if not isinstance(value, dict):
        raise WireError("bad_request", f"{where} must be an object")
    for name in required:
        if name not in value:
            raise WireError("bad_request", f"{where} has no `{name}`")
    for name in value:
        if name not in required and name not in optional:
            raise WireError("bad_request", f"{where} has an unknown field `{name}`")
    return value


def _list(value: object, whole: str, of: str, most: int, parse: Callable[[object], Any]) -> list[Any]:
    if not isinstance(value, list):
        raise WireError("bad_request", f"the {of} of {whole} must be a list")
    if len(value) > most:
        raise WireError("too_large", f"{whole} may have at most {most} {of}, and this has {len(value)}")
    return [parse(item) for item in value]


def _integer(value: object, field: str, most: int) -> int:
    if type(value) is not int or not 0 <= value <= most:
        raise WireError("bad_request", f"{field} must be a whole number from 0 to {most}")
    return value


def _text(value: object, field: str) -> str:
    if not isinstance(value, str):
        raise WireError("bad_request", f"{field} must be a string")
    # A character has at most four bytes, so that a short text needs no encoding to be measured.
    if len(value) * 4 > TEXT_BYTES_MAX and len(value.encode("utf-8", errors="replace")) > TEXT_BYTES_MAX:
        raise WireError("too_large", f"{field} may have at most {TEXT_BYTES_MAX} bytes")
    return value


def _optional(value: object, field: str) -> str | None:
    return None if value is None else _text(value, field)
