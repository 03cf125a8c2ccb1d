"""Replicas of the real proxy behind the protocol, whatever release stands beside the tests.

Only what holds in every release is tested here, or what the release itself decides: that the adapter carries out the
steps of a fleet and reports them faithfully. What is wrong with a release is for the trial to find.
"""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from routeproof_litellm.dialect import parse_version
from tests.conftest import release
from tests.talk import START_SECONDS, adapter, call

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

    from routeproof_litellm.fields import Json

D1 = {"id": "d1", "model_name": "m", "model": "openai/m", "tag": "v1"}
D2 = {"id": "d2", "model_name": "n", "model": "openai/n", "tag": "v2"}
WILD = {"id": "d3", "model_name": "x*", "model": "openai/*", "tag": "v3"}
UNKNOWN = [{"refused": "unknown_model"}] * 2
APPLIED = "applied"


class Talk:
    """A conversation with a fleet."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        """Begin to talk."""
        self.process = process
        self.number = 0

    def call(self, body: object) -> Any:
        """Return the reply to a call."""
        self.number += 1
        return call(self.process, self.number, body)

    def run(
        self, steps: list[Any], rows: list[Any] | None = None, asked: list[Any] | None = None, **setup: Any
    ) -> Json:
        """Carry out one run, with these questions after its last step."""
        trace = {"level": "fleet", "setup": {"replicas": 1, "rows": rows or [], **setup}, "steps": steps}
        questions = {"asked": asked or [], "rounds": [{"after": len(steps)}]}
        reply = self.call({"runs": [{"trace": trace, "questions": questions}]})
        assert "runs" in reply, reply
        [run] = reply["runs"]
        assert run["setup"] == {"outcome": "applied"}
        return dict(run)

    def steps(self, steps: list[Any], rows: list[Any] | None = None, **setup: Any) -> list[Any]:
        """Return what came of each step: what moved, or the answer."""
        return [told(step) for step in self.run(steps, rows, **setup)["steps"]]


def told(step: Json) -> Any:
    if "shown" in step:
        [answer] = step["shown"].values()
        return answer
    return {moved["op"]: moved["now"] for moved in step["moved"]}


@pytest.fixture(scope="module")
def fleet() -> Iterator[Talk]:
    release()
    if importlib.util.find_spec("fastapi") is None:
        pytest.skip("the proxy is not installed in this environment")
    with adapter("--fleet") as process:
        yield Talk(process)


@pytest.fixture(scope="module")
def has_lock() -> bool:
    return parse_version(release()) >= (1, 98, 0)


def via(replica: int | None, **write: Any) -> Json:
    return {"write": {"via": "store" if replica is None else {"replica": replica}, "write": write}}


def patch(number: str, **fields: Any) -> Json:
    return {"id": number, "fields": fields}


def held(op: str, act: Json, until: str, nth: int = 1) -> Json:
    return {"begin": {"op": op, "act": act, "until": until, "nth": nth}}


def ask(model: str, replica: int = 0, team: str | None = None) -> Json:
    return {"lookup": {"model": model, "replica": replica, **({} if team is None else {"team": team})}}


def row(found: Json, **changed: Any) -> list[Json]:
    """Return the answer of that row on both paths."""
    shown = {**found, **changed}
    return [{"candidates": [{name: shown[name] for name in ("id", "model", "tag")}]}] * 2


def tags(answers: list[Any]) -> list[str]:
    """Return the versions in an answer that both paths give."""
    first, second = answers
    assert first == second
    return [candidate["tag"] for candidate in first["candidates"]]


def outcome(moved: Json) -> Any:
    [now] = moved.values()
    return now["changed"]["outcome"]


def test_introduces_itself(fleet: Talk) -> None:
    hello = fleet.call({"hello": {"protocol": 2}})["hello"]
    assert (hello["router"], hello["version"]) == ("litellm-fleet", release())
    assert {"fleet", "hold", "crash", "add", "delete"} <= set(hello["capabilities"])
    assert "replace" not in hello["capabilities"]
    assert hello["dialect"]["registry"] == "model_list"
    assert hello["dialect"]["fresh_process"] is True


def test_every_replica_comes_up_with_what_the_store_has(fleet: Talk) -> None:
    run = fleet.run([], [D1, WILD], [{"lookup": {"model": "m"}}, {"lookup": {"model": "xy"}}, "claims"], replicas=2)
    [round_] = run["rounds"]
    assert [seen["replica"] for seen in round_] == [0, 1]
    for seen in round_:
        exact, wild, claims = seen["shown"]
        assert exact == {"answers": row(D1)}
        assert wild == {"answers": row(WILD, model="openai/y")}
        assert sorted(claims["ids"]) == ["d1", "d3"]


def test_a_write_through_a_replica_shows_on_the_other_after_its_poll(fleet: Talk) -> None:
    steps = [via(0, add=D2), ask("n"), ask("n", 1), {"poll": 1}, ask("n", 1), {"store": {}}]
    added, here, there, polled, after, stored = fleet.steps(steps, [D1], replicas=2)
    assert outcome(added) == APPLIED
    assert sorted(added["#1"]["changed"]["held"]) == ["d1", "d2"]
    assert here == after == row(D2)
    assert there == UNKNOWN
    assert polled == {"#4": "done"}
    assert stored == [D1, D2]


def test_each_write_goes_to_its_endpoint(fleet: Talk) -> None:
    whole = {**D1, "model_name": "k", "model": "openai/k", "tag": "v7", "weight": 3}
    steps = [
        via(0, patch=patch("d1", tag="v5")),
        ask("m"),
        via(0, put=whole),
        ask("k"),
        {"store": {}},
        via(0, delete="d1"),
        ask("k"),
        {"store": {}},
        via(0, put=D2),
        ask("n"),
    ]
    patched, new, put, named, stored, deleted, gone, left, inserted, there = fleet.steps(steps, [D1])
    assert [outcome(moved) for moved in (patched, put, deleted, inserted)] == [APPLIED] * 4
    assert tags(new) == ["v5"]
    assert named == row(whole)
    assert stored == [whole]
    assert deleted["#6"]["changed"]["held"] == []
    assert gone == UNKNOWN
    assert left == []
    assert there == row(D2)


def test_a_refused_change_changes_nothing(fleet: Talk) -> None:
    team = {**D2, "team": "A"}
    weighty = {**D2, "weight": 2}
    steps = [
        via(0, add={**D1, "tag": "v9"}),
        via(0, delete="d9"),
        via(0, patch=patch("d9", tag="v9")),
        via(0, add={**team, "id": "d4"}),
        via(0, patch=patch("d1", team="A")),
        via(0, put=D2),
        {"store": {}},
        ask("m"),
        ask("n"),
    ]
    *refused, stored, first, second = fleet.steps(steps, [D1, weighty])
    reasons = [outcome(moved)["refused"] for moved in refused]
    for reason, part in zip(
        reasons, ["Failed to add model", "not found", "not found", "POST", "PATCH", "clear `weight`"], strict=True
    ):
        assert part in reason
    assert stored == [D1, weighty]
    assert (first, second) == (row(D1), row(D2))


def test_a_write_straight_into_the_store_is_no_operation_of_a_replica(fleet: Talk) -> None:
    team = {**D2, "team": "A", "team_model_name": "t*", "weight": 1}
    steps = [
        via(None, add={**D1, "tag": "v9"}),
        via(None, delete="d9"),
        via(None, patch=patch("d9", tag="v9")),
        via(None, put=team),
        via(None, patch=patch("d1", tag="v4", model="openai/k", weight=2)),
        {"store": {}},
        ask("m"),
        {"poll": 0},
        ask("m"),
        ask("ty", 0, "A"),
        via(None, delete="d1"),
        {"store": {}},
    ]
    exists, no_row, no_patch, put, patched, stored, before, _, after, of_team, deleted, left = fleet.steps(steps, [D1])
    assert outcome(exists) == {"refused": "the id `d1` exists"}
    assert [outcome(moved) for moved in (no_row, no_patch)] == ["unchanged"] * 2
    assert [outcome(moved) for moved in (put, patched, deleted)] == [APPLIED] * 3
    changed = {**D1, "tag": "v4", "model": "openai/k", "weight": 2}
    assert stored == [changed, team]
    assert before == row(D1)
    assert after == row(changed)
    assert of_team == row(team)
    assert left == [team]


def test_a_straight_write_can_be_held(fleet: Talk) -> None:
    changed = {**D1, "tag": "v2"}
    steps = [
        held("a", via(None, put=changed), "before-write"),
        {"store": {}},
        {"finish": "a"},
        held("b", via(None, delete="d1"), "after-write"),
        {"store": {}},
        {"finish": "b"},
        held("c", via(None, add=D1), "after-read"),
        {"finish": "c"},
    ]
    done = {"changed": {"outcome": "applied"}}
    before, first, a, after, second, b, c, nothing = fleet.steps(steps, [D1])
    assert (before, after) == ({"a": {"held": {"place": "before-write"}}}, {"b": {"held": {"place": "after-write"}}})
    assert (first, second) == ([D1], [])
    assert (a, b, c) == ({"a": done}, {"b": done}, {"c": done})
    assert nothing == {}


def test_a_held_poll_applies_what_it_read(fleet: Talk) -> None:
    steps = [
        held("p", {"poll": 0}, "before-read"),
        via(None, put={**D1, "tag": "v2"}),
        held("q", {"poll": 1}, "after-read"),
        via(None, put={**D1, "tag": "v3"}),
        {"finish": "p"},
        {"finish": "q"},
        ask("m", 0),
        ask("m", 1),
    ]
    before, _, after, _, p, q, newest, older = fleet.steps(steps, [D1], replicas=2)
    assert before == {"p": {"held": {"place": "before-read"}}}
    assert after == {"q": {"held": {"place": "after-read"}}}
    assert (p, q) == ({"p": "done"}, {"q": "done"})
    assert (tags(newest), tags(older)) == (["v3"], ["v2"])


def test_a_patch_overtakes_a_held_poll_or_waits_for_it(fleet: Talk, *, has_lock: bool) -> None:
    steps = [
        held("p", {"poll": 0}, "after-read"),
        via(0, patch=patch("d1", tag="v2")),
        {"store": {}},
        {"finish": "p"},
        ask("m"),
    ]
    _, patched, stored, finished, shown = fleet.steps(steps, [D1])
    # The write is made either way; before 1.98 the poll has the last word with what it read, and puts the old row back.
    assert stored == [{**D1, "tag": "v2"}]
    if has_lock:
        assert patched == {"#2": {"waiting": "p"}}
        assert list(finished) == ["p", "#2"]
        assert finished["#2"]["changed"]["outcome"] == APPLIED
        assert tags(shown) == ["v2"]
    else:
        assert outcome(patched) == APPLIED
        assert finished == {"p": "done"}
        assert tags(shown) == ["v1"]


def test_one_that_waits_goes_on_to_its_own_place(fleet: Talk, *, has_lock: bool) -> None:
    if not has_lock:
        pytest.skip("reconciles of this release do not wait for each other")
    steps = [
        held("p", {"poll": 0}, "after-read"),
        held("q", {"poll": 0}, "after-read"),
        held("r", {"poll": 0}, "after-read"),
        {"finish": "r"},
        {"finish": "p"},
        {"finish": "q"},
    ]
    p, q, r, nothing, next_, last = fleet.steps(steps, [D1])
    place = {"held": {"place": "after-read"}}
    assert (p, q, r) == ({"p": place}, {"q": {"waiting": "p"}}, {"r": {"waiting": "p"}})
    assert nothing == {}
    # What was let go on while it waited is held no more.
    assert next_ == {"p": "done", "q": place, "r": {"waiting": "q"}}
    assert last == {"q": "done", "r": "done"}


def test_a_patch_is_a_read_a_write_and_a_poll(fleet: Talk) -> None:
    write = via(0, patch=patch("d1", tag="v2"))
    steps = [
        held("a", write, "after-read"),
        via(None, delete="d1"),
        {"finish": "a"},
        via(None, put=D1),
        held("b", write, "after-write"),
        {"store": {}},
        {"finish": "b"},
        held("c", write, "after-read", 2),
        {"finish": "c"},
        held("d", write, "after-read", 3),
    ]
    read, _, lost, _, wrote, stored, b, polls, c, d = fleet.steps(steps, [D1])
    assert read == {"a": {"held": {"place": "after-read"}}}
    # The row that it read is gone when it writes.
    assert "failed" in lost["a"] or "refused" in outcome(lost)
    assert wrote == {"b": {"held": {"place": "after-write"}}}
    assert stored == [{**D1, "tag": "v2"}]
    assert polls == {"c": {"held": {"place": "after-read", "nth": 2}}}
    assert [outcome(moved) for moved in (b, c, d)] == [APPLIED] * 3


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


def test_names_of_operations_are_kept_apart(fleet: Talk) -> None:
    poll = held("p", {"poll": 0}, "before-read")
    steps = [poll, poll, *(held(f"q{number}", {"poll": 0}, "before-read") for number in range(8)), {"poll": 7}]
    first, again, *others, nowhere = fleet.steps(steps, [D1])
    assert first == {"p": {"held": {"place": "before-read"}}}
    assert "under way" in again["p"]["failed"]
    assert "at most 8" in others[-1]["q7"]["failed"]
    assert "failed" not in others[-2]["q6"]
    assert "there is no replica 7" in nowhere["#11"]["failed"]


def test_a_run_leaves_nothing_to_the_next(fleet: Talk) -> None:
    fleet.run([via(0, add=D2), held("p", {"poll": 0}, "after-read")], [D1], replicas=2)
    assert fleet.steps([ask("n"), {"claims": {"replica": 0}}, {"store": {}}]) == [UNKNOWN, [], []]
    assert children(fleet.process) == []
    assert directories(fleet.process) == []


def test_a_bad_run_is_refused(fleet: Talk) -> None:
    def error(**trace: Any) -> Any:
        return fleet.call({"runs": [{"trace": {"level": "fleet", "steps": [], "setup": {"replicas": 1}, **trace}}]})[
            "error"
        ]

    for trace, code, part in (
        ({"level": "router"}, "unsupported", "a fleet here"),
        ({"setup": {}}, "too_large", "1 to 8 replicas"),
        ({"setup": {"replicas": 9}}, "too_large", "1 to 8 replicas"),
        ({"setup": {"replicas": 1, "rows": [{**D1, "extra": "pricing"}]}}, "bad_request", "no extra `pricing`"),
        ({"steps": [{"upsert": D1}]}, "unsupported", "step of one router"),
        ({"steps": [{"jump": 1}]}, "bad_request", "no step `jump`"),
        ({"steps": [via(0, add={**D1, "extra": "pricing"})]}, "bad_request", "no extra `pricing`"),
        ({"steps": [held("p", {"poll": 0}, "during-read")]}, "bad_request", "no place `during-read`"),
        ({"steps": [via(0, patch=patch("d1", colour="red"))]}, "bad_request", "unknown field `colour`"),
    ):
        found = error(**trace)
        assert (found["code"], part in found["message"]) == (code, True), (trace, found)


def test_each_run_is_in_a_directory_that_goes_with_the_adapter(fleet: Talk) -> None:
    """Whatever ends it; two adapters have nothing in common."""
    assert fleet
    hanging = "import routeproof_litellm.replica as r, time\n"
    hanging += "r.Replica.serve = lambda *_: time.sleep(600)\n"
    for number in (signal.SIGTERM, signal.SIGKILL):
        with adapter("--fleet", before=hanging) as process:
            call(process, 1, {"hello": {"protocol": 2}})
            trace = {"level": "fleet", "setup": {"replicas": 1}, "steps": []}
            assert process.stdin is not None
            process.stdin.write(json.dumps({"id": 2, "call": {"runs": [{"trace": trace}]}}).encode() + b"\n")
            process.stdin.flush()
            until(lambda: bool(children(process)) and bool(directories(process)))
            orphans = children(process)
            process.send_signal(number)
            assert process.wait(START_SECONDS) == -number
            until(lambda: not directories(process))
            for orphan in orphans:
                until(lambda path=Path(f"/proc/{orphan}"): not path.exists())


@pytest.mark.parametrize(
    ("broken", "part"),
    [
        ("os.kill(os.getpid(), 9)", "signal 9"),
        ("time.sleep(600)", "not done within 20 s"),
    ],
)
def test_a_replica_that_dies_or_hangs_is_a_fault_of_the_run(fleet: Talk, broken: str, part: str) -> None:
    assert fleet
    before = "import routeproof_litellm.proxy as p, routeproof_litellm.schedule as s, os, time\n"
    before += "s.STEP_SECONDS_MAX, real = 20.0, p.Proxy.request\n"
    before += f"p.Proxy.request = lambda s, query, a: {broken} if query.model == 'm' else real(s, query, a)\n"
    with adapter("--fleet", before=before) as process:
        talk = Talk(process)
        trace = {"level": "fleet", "setup": {"replicas": 2}, "steps": [{"request": {"replica": 1, "model": "m"}}]}
        error = talk.call({"runs": [{"trace": trace}]})["error"]
        assert error["code"] == "internal"
        assert part in error["message"]
        assert children(process) == []
        assert directories(process) == []
        assert talk.steps([{"poll": 0}]) == [{"#1": "done"}]


def children(process: subprocess.Popen[bytes]) -> list[str]:
    return Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()


def directories(process: subprocess.Popen[bytes]) -> list[Path]:
    return list(Path(tempfile.gettempdir()).glob(f"routeproof-litellm-{process.pid}-*"))


def until(met: Any) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not met():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_the_command_says_what_is_missing() -> None:
    release()
    with adapter("--fleet", before="import sys\nsys.modules['fastapi'] = None") as process:
        _, errors = process.communicate(timeout=START_SECONDS)
        assert process.returncode == 2
        assert b"the proxy of litellm" in errors
        assert b"litellm[proxy]" in errors
        assert os.getpid() != process.pid
