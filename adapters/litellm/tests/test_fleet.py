"""Replicas of the real proxy behind the protocol, whatever release stands beside the tests: operations and their ends.

Only what holds in every release is tested here, or what the release itself decides: that the adapter carries out the
steps of a fleet and reports them faithfully. What is wrong with a release is for the trial to find.
"""

from __future__ import annotations

import json
import os
import signal
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import release
from tests.fleet_talk import APPLIED, D1, D2, UNKNOWN, WILD, Talk, ask, held, outcome, patch, row, tags, via
from tests.talk import START_SECONDS, adapter, call

if TYPE_CHECKING:
    import subprocess


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
