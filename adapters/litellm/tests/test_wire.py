"""The wire: what is read, and what is refused by which code."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from routeproof_litellm import wire
from routeproof_litellm.fields import WireError
from routeproof_litellm.wire import Add, Delete, Hello, Listing, Query, Replace, Request, Round, Row, Run, Upsert, Wait

ROW = {"id": "d1", "model_name": "openai/*", "model": "openai/*", "tag": "v1"}
RUN: dict[str, Any] = {"trace": {"steps": []}}


def runs(*values: object) -> object:
    return {"id": 1, "call": {"runs": list(values)}}


def trace(**fields: object) -> object:
    return runs({"trace": {"steps": [], **fields}})


def step(value: object) -> object:
    return trace(steps=[value])


def questions(**fields: object) -> object:
    return runs({**RUN, "questions": fields})


def test_reads_every_step_and_question() -> None:
    full = {**ROW, "team": "A", "team_model_name": "x*", "blocked": True, "weight": 3, "extra": "pricing"}
    steps = [
        {"upsert": full},
        {"add": ROW},
        {"delete": "d1"},
        {"replace": [ROW]},
        {"lookup": {"model": "m", "team": None}},
        {"listing": {}},
        {"listing": {"team": "A"}},
        {"claims": {}},
        {"sizes": {}},
    ]
    asked = [{"lookup": {"model": "m", "team": "A"}}, {"listing": None}, {"listing": "A"}, "claims", "sizes"]
    rounds = [{"after": 0}, {"after": 1, "order": []}, {"after": 9, "order": [4, 0, 4]}]
    request = wire.parse_request(
        runs(
            {
                "trace": {"level": "router", "setup": {"rows": [ROW]}, "steps": steps},
                "questions": {"asked": asked, "rounds": rounds},
            }
        ),
        wire.run_of,
    )
    row = Row("d1", "openai/*", "openai/*", "v1")
    run = Run(
        rows=[row],
        steps=[
            Upsert(row._replace(team="A", team_model_name="x*", blocked=True, weight=3, extra="pricing")),
            Add(row),
            Delete("d1"),
            Replace([row]),
            Query("m"),
            Listing(),
            Listing("A"),
            "claims",
            "sizes",
        ],
        asked=[Query("m", "A"), Listing(), Listing("A"), "claims", "sizes"],
        rounds=[Round(0), Round(1, []), Round(9, [4, 0, 4])],
    )
    assert request == Request(1, [run])
    assert [run.questions(at) for at in run.rounds] == [run.asked, [], ["sizes", Query("m", "A"), "sizes"]]


def test_what_a_run_leaves_out_is_empty() -> None:
    assert wire.parse_request(runs(RUN), wire.run_of) == Request(1, [Run([], [], [], [])])


def test_reads_hello() -> None:
    assert wire.parse_request({"id": 0, "call": {"hello": {"protocol": 2}}}, wire.run_of) == Request(0, Hello(2))


REFUSED: list[tuple[str, object, str, str]] = [
    ("no object", [], "bad_request", "the request must be an object"),
    ("no id", {"call": {"runs": []}}, "bad_request", "has no `id`"),
    ("id of another type", {"id": "1", "call": {"runs": []}}, "bad_request", "`id` must be a whole number"),
    ("id that is a bool", {"id": True, "call": {"runs": []}}, "bad_request", "`id` must be a whole number"),
    ("id below 0", {"id": -1, "call": {"runs": []}}, "bad_request", "`id` must be a whole number"),
    ("unknown field", {"id": 1, "call": {"runs": []}, "x": 1}, "bad_request", "unknown field `x`"),
    ("unknown call", {"id": 1, "call": {"walk": []}}, "bad_request", "not `walk`"),
    ("two calls", {"id": 1, "call": {"runs": [], "hello": {"protocol": 1}}}, "bad_request", "one key"),
    ("runs that are no list", {"id": 1, "call": {"runs": {}}}, "bad_request", "must be a list"),
    ("too many runs", runs(*[RUN] * 257), "too_large", "at most 256 runs, and this has 257"),
    ("run of protocol 1", runs({"steps": [], "observe": [], "queries": []}), "bad_request", "a run has no `trace`"),
    ("trace without steps", runs({"trace": {}}), "bad_request", "a trace has no `steps`"),
    ("trace of a fleet", trace(level="fleet", setup={"replicas": 2}), "unsupported", "no fleet"),
    ("replicas", trace(setup={"replicas": 2}), "unsupported", "no fleet"),
    ("second source", trace(setup={"config": []}), "unsupported", "no fleet"),
    ("row order", trace(setup={"order": "last_update"}), "unsupported", "no fleet"),
    ("rows that are no list", trace(setup={"rows": {}}), "bad_request", "the rows of a list must be a list"),
    ("unknown field of the set-up", trace(setup={"x": 1}), "bad_request", "`setup` has an unknown field `x`"),
    ("round that repeats", questions(rounds=[{"after": 0}, {"after": 0}]), "too_large", "must ascend"),
    ("round past the end", questions(rounds=[{"after": 1}]), "too_large", "with 0 steps"),
    ("round of no question", questions(rounds=[{"after": 0, "order": [0]}]), "too_large", "asks question 0 of 0"),
    ("round without a moment", questions(rounds=[{}]), "bad_request", "a round has no `after`"),
    ("too many questions", questions(asked=["claims"] * 4097), "too_large", "at most 4096 questions"),
    ("unknown question", questions(asked=[{"why": {}}]), "bad_request", "there is no question `why`"),
    ("unknown plain question", questions(asked=["why"]), "bad_request", "a question must be an object with one key"),
    ("question of a fleet", questions(asked=["store"]), "unsupported", "`store` is asked of a fleet"),
    ("team of another type", questions(asked=[{"listing": 1}]), "bad_request", "`listing` must be a string"),
    ("too many steps", trace(steps=[{"delete": "d"}] * 10_001), "too_large", "at most 10000 steps"),
    ("too many rows", step({"replace": [ROW] * 10_001}), "too_large", "at most 10000 rows"),
    ("long wait", step({"wait": 60_001}), "bad_request", "`wait` must be a whole number from 0 to 60000"),
    ("wait without a time", step({"wait": {}}), "bad_request", "`wait` must be a whole number"),
    ("unknown step", step({"jump": "d1"}), "bad_request", "no step `jump`"),
    ("step of a fleet", step({"begin": {}}), "unsupported", "`begin` is a step of a fleet"),
    ("team of the claims", step({"claims": {"team": "A"}}), "bad_request", "`claims` has an unknown field `team`"),
    ("sizes of a replica", step({"sizes": {"replica": 0}}), "unsupported", "`replica`"),
    ("row without a tag", step({"add": {"id": "d1", "model_name": "m", "model": "m"}}), "bad_request", "no `tag`"),
    ("unknown field of a row", step({"add": {**ROW, "colour": "red"}}), "bad_request", "unknown field `colour`"),
    ("blocked of another type", step({"add": {**ROW, "blocked": 1}}), "bad_request", "`blocked` must be"),
    ("weight below 0", step({"add": {**ROW, "weight": -1}}), "bad_request", "`weight` must be"),
    ("long name", step({"add": {**ROW, "model_name": "é" * 2049}}), "too_large", "`model_name` may have"),
    ("query of a replica", step({"lookup": {"model": "m", "replica": 0}}), "unsupported", "`replica`"),
]


@pytest.mark.parametrize(("value", "code", "part"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_refuses(value: object, code: str, part: str) -> None:
    with pytest.raises(WireError) as refused:
        wire.parse_request(value, wire.run_of)
    assert refused.value.code == code
    assert part in str(refused.value)


def test_reads_a_wait() -> None:
    expected = [Run([], [Wait(60_000)], [], [])]
    assert wire.parse_request(step({"wait": 60_000}), wire.run_of) == Request(1, expected)


def test_a_text_at_the_limit_is_read() -> None:
    for text in ("a" * 4096, "é" * 2048, "😀" * 1024):
        assert wire.parse_request(step({"delete": text}), wire.run_of)


def test_refuses_what_is_no_json() -> None:
    for line in (b"", b"{", b"\xff\xfe", b"[" * 100_000):
        with pytest.raises(WireError) as refused:
            wire.parse_json(line)
        assert refused.value.code == "bad_request"


def test_takes_the_id_of_what_is_no_request() -> None:
    values: list[object] = [{"id": 7}, {"id": "7"}, {"id": -7}, [], None]
    assert [wire.id_of(value) for value in values] == [7, 0, 0, 0, 0]


def test_reads_lines_until_the_input_ends() -> None:
    stream = io.BytesIO(b"one\n\ntwo")
    assert [wire.read_line(stream) for _ in range(4)] == [b"one", b"", b"two", None]


def test_skips_a_line_over_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "LINE_BYTES_MAX", 8)
    stream = io.BytesIO(b"1234567\n" + b"x" * 50 + b"\nnext\n" + b"y" * 50)
    assert wire.read_line(stream) == b"1234567"
    for line in (b"next", None):
        with pytest.raises(WireError) as refused:
            wire.read_line(stream)
        assert refused.value.code == "too_large"
        assert wire.read_line(stream) == line


def test_a_reply_is_one_line() -> None:
    line = wire.reply_line(3, {"runs": ["a\nb", "é"]})
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert json.loads(line) == {"id": 3, "reply": {"runs": ["a\nb", "é"]}}


@pytest.mark.parametrize("text", ["x" * 200, "é" * 100], ids=["one-byte", "two-bytes"])
def test_a_reply_over_the_limit_becomes_an_error(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(wire, "LINE_BYTES_MAX", 200)
    reply = json.loads(wire.reply_line(3, {"runs": [text]}))
    assert reply["id"] == 3
    assert reply["reply"]["error"]["code"] == "too_large"
