"""The wire: what is read, and what is refused by which code."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from routeproof_litellm import wire
from routeproof_litellm.wire import Add, Delete, Hello, Query, Replace, Request, Row, Run, Upsert, WireError

ROW = {"id": "d1", "model_name": "openai/*", "model": "openai/*", "tag": "v1"}
RUN: dict[str, Any] = {"steps": [], "observe": [0], "queries": []}


def runs(*values: object) -> object:
    return {"id": 1, "call": {"runs": list(values)}}


def step(value: object) -> object:
    return runs({**RUN, "steps": [value]})


def test_reads_every_step() -> None:
    full = {**ROW, "team": "A", "team_model_name": "x*", "blocked": True, "weight": 3, "extra": "pricing"}
    request = wire.parse_request(
        runs(
            {
                "initial": [ROW],
                "replicas": 0,
                "steps": [
                    {"upsert": full},
                    {"add": ROW},
                    {"delete": "d1"},
                    {"replace": [ROW]},
                    {"lookup": {"model": "m", "team": None}},
                ],
                "observe": [0, 5],
                "queries": [{"model": "m", "team": "A"}],
                "viewers": [None, "A"],
            }
        )
    )
    row = Row("d1", "openai/*", "openai/*", "v1")
    assert request == Request(
        1,
        [
            Run(
                initial=[row],
                steps=[
                    Upsert(row._replace(team="A", team_model_name="x*", blocked=True, weight=3, extra="pricing")),
                    Add(row),
                    Delete("d1"),
                    Replace([row]),
                    Query("m"),
                ],
                observe=[0, 5],
                queries=[Query("m", "A")],
                viewers=[None, "A"],
            )
        ],
    )


def test_reads_hello() -> None:
    assert wire.parse_request({"id": 0, "call": {"hello": {"protocol": 1}}}) == Request(0, Hello(1))


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
    ("run without observe", runs({"steps": [], "queries": []}), "bad_request", "a run has no `observe`"),
    ("run of a fleet", runs({**RUN, "replicas": 2}), "unsupported", "no fleet"),
    ("observe that repeats", runs({**RUN, "observe": [0, 0]}), "too_large", "must ascend"),
    ("observe past the end", runs({**RUN, "observe": [1]}), "too_large", "with 0 steps"),
    ("too many queries", runs({**RUN, "queries": [{"model": "m"}] * 4097}), "too_large", "at most 4096 queries"),
    ("too many steps", runs({**RUN, "steps": [{"delete": "d"}] * 10_001}), "too_large", "at most 10000 steps"),
    ("too many rows", step({"replace": [ROW] * 10_001}), "too_large", "at most 10000 rows"),
    ("viewer of another type", runs({**RUN, "viewers": [1]}), "bad_request", "`viewers` must be a string"),
    ("unknown step", step({"jump": "d1"}), "bad_request", "no step `jump`"),
    ("step of a fleet", step({"poll": 0}), "unsupported", "`poll` is a step of a fleet"),
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
        wire.parse_request(value)
    assert refused.value.code == code
    assert part in str(refused.value)


def test_a_text_at_the_limit_is_read() -> None:
    for text in ("a" * 4096, "é" * 2048, "😀" * 1024):
        assert wire.parse_request(step({"delete": text}))


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


def test_a_reply_over_the_limit_becomes_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "LINE_BYTES_MAX", 200)
    reply = json.loads(wire.reply_line(3, {"runs": ["x" * 200]}))
    assert reply["id"] == 3
    assert reply["reply"]["error"]["code"] == "too_large"
