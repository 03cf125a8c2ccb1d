"""Replicas of the real proxy behind the protocol: a store that misbehaves, what they read beside it, and crashes."""

from __future__ import annotations

from typing import Any

from routeproof_litellm.dialect import parse_version
from tests.conftest import release
from tests.fleet_talk import APPLIED, D1, D2, UNKNOWN, Talk, ask, held, outcome, patch, row, tags, told, via


def test_a_store_that_fails_fails_writes_and_leaves_the_router_alone(fleet: Talk) -> None:
    steps = [
        {"store_fails": True},
        {"poll": 0},
        ask("m"),
        via(0, add=D2),
        via(0, patch=patch("d1", tag="v2")),
        via(0, delete="d1"),
        via(None, put={**D1, "tag": "v3"}),
        {"store_fails": False},
        {"store": {}},
        {"poll": 0},
        ask("m"),
    ]
    _, polled, kept, added, patched, deleted, straight, _, stored, _, shown = fleet.steps(steps, [D1])
    assert polled == {"#2": "done"}
    assert kept == row(D1)
    for moved in (added, patched, deleted):
        [now] = moved.values()
        assert list(now) == ["failed"]
    # No fault stops a write straight into the store.
    assert outcome(straight) == APPLIED
    assert stored == [{**D1, "tag": "v3"}]
    assert tags(shown) == ["v3"]


def test_a_store_shows_what_it_is_told_to(fleet: Talk) -> None:
    twin = {**D1, "id": "d0", "tag": "v0"}
    fresh = [{"crash": 0}, {"start": 0}, ask("m")]
    steps = [
        {"store_shows": "before_last_write"},
        *fresh,
        via(None, put={**D1, "tag": "v2"}),
        *fresh,
        {"store_shows": "first_row"},
        *fresh,
        {"store_shows": "nothing"},
        *fresh,
        {"store_shows": "all"},
        *fresh,
        {"store": {}},
    ]
    said = fleet.steps(steps, [D1, twin])
    shown = [said[at] for at in (3, 7, 11, 15, 19)]
    # Before the first write there is no other state to show.
    assert [tags(answers) for answers in (shown[0], shown[1], shown[2], shown[4])] == [
        ["v1", "v0"],
        ["v1", "v0"],
        ["v0"],
        ["v2", "v0"],
    ]
    assert shown[3] == UNKNOWN
    assert said[-1] == [twin, {**D1, "tag": "v2"}]


def test_a_store_gives_its_rows_in_the_order_that_it_is_told(fleet: Talk) -> None:
    rows = [{**D1, "id": f"d{number}", "tag": f"v{number}"} for number in range(3)]
    fresh = [{"crash": 0}, {"start": 0}, ask("m")]
    orders: list[Any] = ["insertion", "last_update", *({"shuffled": number} for number in range(6))]
    steps: list[Any] = [
        via(None, put=rows[0]),
        *(step for order in orders for step in ({"store_order": order}, *fresh)),
    ]
    found = [tags(fleet_step) for fleet_step in fleet.steps(steps, rows)[4::4]]
    assert found[:2] == [["v0", "v1", "v2"], ["v1", "v2", "v0"]]
    assert len({tuple(order) for order in found[2:]}) > 1
    first = fleet.steps([via(None, put=rows[0]), *fresh], rows, order="last_update")
    assert tags(first[3]) == ["v1", "v2", "v0"]


def test_a_crash_loses_what_is_under_way(fleet: Talk) -> None:
    steps = [
        held("p", {"poll": 0}, "after-read"),
        held("q", {"poll": 1}, "after-read"),
        {"crash": 0},
        ask("m"),
        {"poll": 0},
        {"finish": "p"},
        {"crash": 0},
        {"start": 0},
        ask("m"),
        {"start": 0},
        {"finish": "q"},
    ]
    reply = fleet.run([*steps, {"crash": 1}], [D1], ["claims", "store"], replicas=2)
    *said, _ = map(told, reply["steps"])
    assert said[2] == {"p": "lost"}
    assert said[3] == {}
    assert "down" in said[4]["#5"]["failed"]
    assert said[5] == said[6] == {}
    assert said[7] == {"#8": "done"}
    assert said[8] == row(D1)
    assert said[9] == {"#10": "done"}
    assert said[10] == {"q": "done"}
    # One that is down is not asked.
    assert reply["rounds"] == [[{"replica": 0, "shown": [{"ids": ["d1"]}, {"rows": [D1]}]}]]


def test_a_start_can_be_held(fleet: Talk) -> None:
    steps = [{"crash": 0}, held("s", {"start": 0}, "after-read"), ask("m"), {"finish": "s"}, ask("m")]
    _, begun, before, done, after = fleet.steps(steps, [D1])
    assert begun == {"s": {"held": {"place": "after-read"}}}
    assert before == UNKNOWN
    assert done == {"s": "done"}
    assert after == row(D1)


def test_the_second_source_is_a_file(fleet: Talk) -> None:
    fixed = {"id": "c1", "model_name": "fixed", "model": "openai/f", "tag": "v8"}
    steps = [
        ask("fixed"),
        {"config": {"rows": []}},
        {"poll": 0},
        ask("fixed"),
        {"crash": 0},
        {"start": 0},
        ask("fixed"),
    ]
    there, _, _, dropped, _, _, gone = fleet.steps(steps, [D1], config=[fixed])
    assert there == row(fixed)
    assert dropped == gone == UNKNOWN
    none, some = (fleet.steps([{"claims": {"replica": 0}}], [D1], **setup) for setup in ({}, {"config": [fixed]}))
    assert [sorted(ids) for [ids] in (none, some)] == [["d1"], ["c1", "d1"]]


def test_a_request_may_read_the_store_and_a_question_does_not(fleet: Talk) -> None:
    reads_through = parse_version(release()) >= (1, 99, 0)
    request = {"request": {"replica": 0, "model": "n"}}
    steps = [
        request,
        via(None, put=D2),
        ask("n"),
        request,
        {"wait": 3000},
        ask("n"),
        held("r", request, "after-read"),
        {"finish": "r"},
        ask("n"),
    ]
    missed, _, asked, soon, _, later, begun, ended, shown = fleet.steps(steps, [D1])
    assert missed == {"#1": {"answered": UNKNOWN}}
    # What was missed is not looked for again at once, and questions never look.
    assert soon == {"#4": {"answered": UNKNOWN}}
    assert asked == later == UNKNOWN
    if reads_through:
        assert begun == {"r": {"held": {"place": "after-read"}}}
        assert ended == {"r": {"answered": row(D2)}}
        assert shown == row(D2)
    else:
        assert begun == {"r": {"answered": UNKNOWN}}
        assert shown == UNKNOWN


def test_a_notification_brings_the_row_that_was_written(fleet: Talk) -> None:
    if "notify" not in fleet.call({"hello": {"protocol": 2}})["hello"]["capabilities"]:
        for verb in ("deliver", "duplicate", "drop", "defer"):
            trace = {"level": "fleet", "setup": {"replicas": 1}, "steps": [{verb: 0}]}
            assert "no notifications" in fleet.call({"runs": [{"trace": trace}]})["error"]["message"]
        return
    third = {**D1, "id": "d4", "model_name": "k", "tag": "v4"}
    steps: list[Any] = [
        via(0, add=D2),
        {"deliver": 0},
        ask("n", 1),
        held("h", {"deliver": 1}, "after-read"),
        {"finish": "h"},
        ask("n", 1),
        {"deliver": 1},
        # A write straight into the store is one of another replica.
        via(None, put=third),
        via(None, put={**D1, "tag": "v5"}),
        {"defer": 1},
        {"deliver": 1},
        ask("m", 1),
        ask("k", 1),
        {"duplicate": 1},
        ask("k", 1),
        {"drop": 1},
        {"deliver": 1},
        via(0, delete="d2"),
        {"deliver": 1},
        ask("n", 1),
    ]
    said = fleet.steps(steps, [D1], replicas=2)
    # Nobody tells the replica that wrote.
    assert said[1] == {"#2": "done"}
    assert said[2] == UNKNOWN
    assert said[3:5] == [{"h": {"held": {"place": "after-read"}}}, {"h": "done"}]
    assert said[5] == row(D2)
    assert said[6] == {"#7": "done"}
    assert said[9:11] == [{}, {"#11": "done"}]
    assert (tags(said[11]), said[12]) == (["v5"], UNKNOWN)
    assert said[13] == {"#14": "done"}
    assert said[14] == row(third)
    assert said[15:17] == [{}, {"#17": "done"}]
    # The message of a delete names no row: the hearer learns of it by its next poll.
    assert said[18] == {"#19": "done"}
    assert said[19] == row(D2)


def test_a_request_for_what_is_paused_is_refused(fleet: Talk) -> None:
    request = {"request": {"replica": 0, "model": "m"}}
    steps = [request, via(0, patch=patch("d1", blocked=True)), request, ask("m")]
    served, paused, refused, asked = fleet.steps(steps, [D1])
    assert served == {"#1": {"answered": row(D1)}}
    if outcome(paused) == APPLIED:
        assert asked == [{"refused": "blocked"}] * 2
        assert refused == {"#3": {"answered": asked}}
    else:
        assert "no endpoint that blocks" in outcome(paused)["refused"]
        assert refused == {"#3": {"answered": row(D1)}}


def test_questions_do_not_touch_the_store(fleet: Talk) -> None:
    asked = [{"lookup": {"model": "n"}}, {"listing": None}, "claims", "holds", "sizes"]
    steps: list[Any] = [
        {"store_fails": True},
        ask("n"),
        {"listing": {"replica": 0}},
        {"claims": {"replica": 0}},
        {"holds": {"replica": 0}},
        {"sizes": {"replica": 0}},
        {"store_fails": False},
        # Held at its first read: no question was one.
        held("p", {"poll": 0}, "after-read"),
    ]
    reply = fleet.run(steps, [D1], asked)
    said = [told(step) for step in reply["steps"]]
    assert said[1] == UNKNOWN
    assert said[2:4] == [["m"], ["d1"]]
    assert said[4]["model_list"] == ["v1"]
    assert said[5]["model_list"] == 1
    assert said[7] == {"p": {"held": {"place": "after-read"}}}
    [[seen]] = reply["rounds"]
    assert [next(iter(shown)) for shown in seen["shown"]] == ["answers", "names", "ids", "holds", "sizes"]
