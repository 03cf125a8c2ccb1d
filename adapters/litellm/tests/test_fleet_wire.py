"""The runs of a fleet on the wire: what is read, and what is refused with which error."""

from __future__ import annotations

import pytest

from routeproof_litellm import fleet_wire
from routeproof_litellm.fields import WireError
from routeproof_litellm.fleet_wire import (
    Ask,
    Begin,
    Config,
    Crash,
    Deliver,
    Finish,
    FleetRun,
    Notified,
    Patch,
    Point,
    Poll,
    Put,
    Request,
    Start,
    StoreFails,
    StoreOrder,
    StoreShows,
    WriteOp,
)
from routeproof_litellm.wire import Add, Delete, Listing, Query, Round, Row, Wait

ROW = {"id": "d1", "model_name": "m", "model": "openai/m", "tag": "v1"}
READ = Row("d1", "m", "openai/m", "v1")


def trace(*steps: object, **setup: object) -> object:
    return {"trace": {"level": "fleet", "setup": {"replicas": 2, **setup}, "steps": list(steps)}}


def test_reads_every_step() -> None:
    steps: list[tuple[object, object]] = [
        ({"write": {"via": "store", "write": {"put": ROW}}}, WriteOp(None, Put(READ))),
        ({"write": {"via": {"replica": 1}, "write": {"add": ROW}}}, WriteOp(1, Add(READ))),
        ({"write": {"via": "store", "write": {"delete": "d1"}}}, WriteOp(None, Delete("d1"))),
        (
            {"write": {"via": "store", "write": {"patch": {"id": "d1", "fields": {"blocked": True, "weight": 2}}}}},
            WriteOp(None, Patch("d1", {"blocked": True, "weight": 2})),
        ),
        ({"poll": 0}, Poll(0)),
        ({"start": 1}, Start(1)),
        ({"deliver": 1}, Deliver(1)),
        ({"request": {"replica": 1, "model": "m", "team": "A"}}, Request(1, Query("m", "A"))),
        (
            {"begin": {"op": "p", "act": {"poll": 1}, "until": "after-read"}},
            Begin("p", Poll(1), Point("after-read", 1)),
        ),
        (
            {"begin": {"op": "p", "act": {"poll": 1}, "until": "before-write", "nth": 2}},
            Begin("p", Poll(1), Point("before-write", 2)),
        ),
        ({"finish": "p"}, Finish("p")),
        ({"store_fails": True}, StoreFails(fails=True)),
        ({"store_shows": "first_row"}, StoreShows("first_row")),
        ({"store_order": "last_update"}, StoreOrder("last_update")),
        ({"store_order": {"shuffled": 7}}, StoreOrder(7)),
        ({"config": {"rows": [ROW]}}, Config([READ])),
        ({"config": {}}, Config(None)),
        ({"crash": 0}, Crash(0)),
        ({"duplicate": 0}, Notified(0, "duplicate")),
        ({"drop": 0}, Notified(0, "drop")),
        ({"defer": 0}, Notified(0, "defer")),
        ({"wait": 5}, Wait(5)),
        ({"lookup": {"model": "m", "team": "A", "replica": 1}}, Ask(1, Query("m", "A"))),
        ({"listing": {"team": "A", "replica": 1}}, Ask(1, Listing("A"))),
        ({"claims": {"replica": 1}}, Ask(1, "claims")),
        ({"holds": {"replica": 1}}, Ask(1, "holds")),
        ({"sizes": {"replica": 1}}, Ask(1, "sizes")),
        ({"store": {}}, Ask(None, "store")),
    ]
    run = fleet_wire.run_of(trace(*(step for step, _ in steps)))
    assert run.steps == [read for _, read in steps]


def test_reads_the_set_up_and_the_questions() -> None:
    asked = ["store", "claims", {"lookup": {"model": "m"}}]
    body = {
        "trace": {
            "level": "fleet",
            "setup": {"replicas": 3, "rows": [ROW], "config": [], "order": {"shuffled": 1}},
            "steps": [{"poll": 0}],
        },
        "questions": {"asked": asked, "rounds": [{"after": 0, "order": [0]}, {"after": 1}]},
    }
    run = fleet_wire.run_of(body)
    assert run == FleetRun(3, [READ], [], 1, [Poll(0)], ["store", "claims", Query("m")], [Round(0, [0]), Round(1)])
    assert [at.of(run.asked) for at in run.rounds] == [["store"], run.asked]


def test_a_point_is_said_as_it_came() -> None:
    assert Point("after-read", 1).said() == {"place": "after-read"}
    assert Point("after-read", 2).said() == {"place": "after-read", "nth": 2}


@pytest.mark.parametrize(
    ("body", "code", "part"),
    [
        ({"trace": {"steps": []}}, "unsupported", "a fleet here"),
        ({"trace": {"level": "fleet", "steps": []}}, "too_large", "1 to 8 replicas"),
        (trace(replicas=9), "too_large", "1 to 8 replicas"),
        (trace(order="random"), "bad_request", "an order of rows must be an object"),
        (trace({"upsert": ROW}), "unsupported", "a step of one router"),
        (trace({"jump": 1}), "bad_request", "no step `jump`"),
        (trace({"poll": -1}), "bad_request", "a replica must be"),
        (trace({"wait": 60_001}), "bad_request", "`wait` must be"),
        (trace({"store_fails": 1}), "bad_request", "`store_fails` must be"),
        (trace({"store_shows": "some"}), "bad_request", "no view `some`"),
        (trace({"write": {"via": "store", "write": {"merge": ROW}}}), "bad_request", "no write `merge`"),
        (trace({"write": {"via": "here", "write": {"add": ROW}}}), "bad_request", "`via` must be"),
        (
            trace({"write": {"via": "store", "write": {"patch": {"id": "d1", "fields": {"id": "d2"}}}}}),
            "bad_request",
            "unknown field `id`",
        ),
        (
            trace({"begin": {"op": "p", "act": {"jump": 1}, "until": "after-read"}}),
            "bad_request",
            "no operation `jump`",
        ),
        (trace({"begin": {"op": "p", "act": {"poll": 1}, "until": "later"}}), "bad_request", "no place `later`"),
    ],
)
def test_refuses(body: object, code: str, part: str) -> None:
    with pytest.raises(WireError) as refused:
        fleet_wire.run_of(body)
    assert refused.value.code == code
    assert part in str(refused.value)
