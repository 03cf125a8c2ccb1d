"""The parts that drive complete servers and need none: GraphQL, the upstream, holding, locks, and ends."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from routeproof_litellm.bodies import Bodies, Refused
from routeproof_litellm.fields import WireError
from routeproof_litellm.fleet_wire import Patch, Point, Put, run_of
from routeproof_litellm.locks import Locks
from routeproof_litellm.server import cluster, serving
from routeproof_litellm.server.caller import key_of, refusal
from routeproof_litellm.server.fleet import teams_of
from routeproof_litellm.server.node import Node, picks
from routeproof_litellm.server.processes import kill_group
from routeproof_litellm.server.upstream import Reached, answered, question_of
from routeproof_litellm.store import Reading
from routeproof_litellm.wire import Add, Row
from tests.talk import END_SECONDS, PACKAGE

if TYPE_CHECKING:
    from routeproof_litellm.fields import Json

MODULES = [str(Path(serving.__file__).with_name(name)) for name in ("graphql.js", "accesses.js")]
SCHEMA = """
model Deployment {
  id String @id
  params Json
  notes Json?
  team Team? @relation(fields: [team_id], references: [id])
}
model Team {
  id String
  meta Json
}
"""


def in_node(expression: str, given: object) -> Any:
    """Return the value of an expression, in which the modules `g` and `a`, and what is given as `x`, are at hand."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("there is no Node here")
    program = f"const [g, a] = {json.dumps(MODULES)}.map(require); const x = JSON.parse(process.argv[1]);"
    program += f"console.log(JSON.stringify({expression}))"
    told = subprocess.run([node, "-e", program, json.dumps(given)], capture_output=True, text=True, check=True)
    return json.loads(told.stdout)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            'query { result: findManyDeployment(take: 2, orderBy: [{id: desc}], where: {id: {in: ["a"]}}) { id } }',
            {
                "alias": "result",
                "name": "findManyDeployment",
                "modelName": "Deployment",
                "action": "findMany",
                "query": {
                    "arguments": {"take": 2, "orderBy": [{"id": "desc"}], "where": {"id": {"in": ["a"]}}},
                    "selection": {"id": True},
                },
            },
        ),
        (
            # What is JSON is marked, in nested models too, and within the words of an update.
            """mutation { result: updateOneDeployment(
                data: { params: { set: "{}" }, id: "x", team: { create: { meta: "[]" } } }
            ) { team { id } } }""",
            {
                "alias": "result",
                "name": "updateOneDeployment",
                "modelName": "Deployment",
                "action": "updateOne",
                "query": {
                    "arguments": {
                        "data": {
                            "params": {"set": {"$type": "Json", "value": "{}"}},
                            "id": "x",
                            "team": {"create": {"meta": {"$type": "Json", "value": "[]"}}},
                        }
                    },
                    "selection": {"team": {"arguments": {}, "selection": {"id": True}}},
                },
            },
        ),
        (
            'mutation { result: queryRaw(query: "SELECT \\"a\\"", parameters: "[1]") }',
            {
                "alias": "result",
                "name": "queryRaw",
                "action": "queryRaw",
                "query": {"arguments": {"query": 'SELECT "a"', "parameters": "[1]"}, "selection": {}},
            },
        ),
        (
            "query { result: aggregateDeployment(where: { a: null, b: true, c: -1.5 }) { _count { _all } } }",
            {
                "alias": "result",
                "name": "aggregateDeployment",
                "modelName": "Deployment",
                "action": "aggregate",
                "query": {
                    "arguments": {"where": {"a": None, "b": True, "c": -1.5}},
                    "selection": {"_count": {"arguments": {}, "selection": {"_all": True}}},
                },
            },
        ),
    ],
)
def test_graphql_is_said_as_json(text: str, expected: Json) -> None:
    assert in_node("g.parse(x[0], g.modelsOf(x[1]))", [text, SCHEMA]) == expected


@pytest.mark.parametrize(
    "text", ["query { result: findManyNobody { id } }", "query { result: findManyDeployment(", "query { a: b(c: ?) }"]
)
def test_graphql_that_is_none_of_the_schema_is_refused(text: str) -> None:
    refuses = "(() => { try { g.parse(x[0], g.modelsOf(x[1])); return false; } catch { return true; } })()"
    assert in_node(refuses, [text, SCHEMA])


def test_values_lose_the_tags_of_their_types() -> None:
    tagged = {"a": {"$type": "DateTime", "value": "2026"}, "b": [{"$type": "BigInt", "value": "7"}], "c": None}
    assert in_node("g.untagged(x)", tagged) == {"a": "2026", "b": [7], "c": None}


@pytest.mark.parametrize(
    ("parsed", "kind"),
    [
        ({"modelName": "LiteLLM_ProxyModelTable", "action": "findMany"}, "read"),
        ({"modelName": "LiteLLM_ProxyModelTable", "action": "updateOne"}, "write"),
        ({"modelName": "LiteLLM_TeamTable", "action": "findMany"}, None),
        ({"action": "queryRaw", "query": {"arguments": {"query": 'FROM "LiteLLM_ProxyModelTable"'}}}, "read"),
        ({"action": "executeRaw", "query": {"arguments": {"query": 'INTO "LiteLLM_ProxyModelTable"'}}}, "write"),
        ({"action": "queryRaw", "query": {"arguments": {"query": '"LiteLLM_ProxyModelTable" FOR UPDATE'}}}, None),
        ({"action": "queryRaw", "query": {"arguments": {"query": "SELECT 1"}}}, None),
    ],
)
def test_an_access_is_a_query_of_the_deployments(parsed: Json, kind: str | None) -> None:
    assert in_node("a.kindOf(x) ?? null", parsed) == kind


def test_a_read_shows_the_rows_that_the_trial_names() -> None:
    rows = [{"model_id": "d1"}, {"model_id": "d2"}]
    for answer, ids, shown, expected in (
        (rows, ["d1", "d2"], ["d2"], [{"model_id": "d2"}]),
        (rows, ["d1", "d2"], [], []),
        ({"model_id": "d1"}, ["d1"], [], None),
        ([{"count": 2}], None, None, [{"count": 2}]),
        (None, None, None, None),
    ):
        reply = {"data": {"findManyX": answer}}
        assert in_node("a.idsOf(x)", reply) == ids
        told = in_node("a.said(x[0], {alias: 'result'}, x[1])", [reply, shown])
        assert told == {"data": {"result": expected}}
    assert in_node("[a.idsOf(x), a.said(x, {})]", {"errors": []}) == [None, {"errors": []}]


@pytest.mark.parametrize(
    ("path", "headers", "model", "expected"),
    [
        ("/v1/chat/completions", {"authorization": "Bearer v1"}, "openai/m", Reached("openai/openai/m", "v1")),
        ("/openai/deployments/m/chat/completions", {"api-key": "v2"}, "m", Reached("azure/m", "v2")),
        ("/v1/messages", {"x-api-key": "v3"}, "m", Reached("anthropic/m", "v3")),
    ],
)
def test_what_reached_the_upstream_is_the_target_and_the_key(
    path: str, headers: Json, model: str, expected: Reached
) -> None:
    reached, reply = answered(path, headers, {"model": model})
    assert reached == expected
    assert reply["model"].endswith("m")


def test_a_question_is_known_again_whole_or_in_parts() -> None:
    for content in ("q1", [{"type": "text", "text": "q1"}]):
        assert question_of({"messages": [{"role": "user", "content": content}]}) == "q1"


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("400: litellm.BadRequestError: There are no healthy deployments for this model", {"refused": "unknown_model"}),
        ("400: Invalid model name passed in model=x", {"refused": "unknown_model"}),
        ("429: No deployments available for selected model, Try again", {"refused": "blocked"}),
        ("500: KeyError", {"failed": "500: KeyError"}),
    ],
)
def test_an_error_of_a_chat_is_a_refusal_only_where_the_proxy_means_one(said: str, answer: Json) -> None:
    assert refusal(said) == answer


def test_a_team_has_a_key_of_its_own() -> None:
    assert key_of("t1") == key_of("t1") != key_of("t2")
    assert key_of("t1").startswith("sk-")


def test_more_is_asked_the_more_was_seen() -> None:
    assert [picks(seen) for seen in range(4)] == [1, 17, 29, 41]


class FakeLine:
    """The line of a query engine, which keeps what it is told."""

    is_replica = False

    def __init__(self) -> None:
        """Nothing is told yet."""
        self.told: list[Json] = []

    def say(self, message: Json) -> None:
        """Keep it."""
        self.told.append(message)


def accessed(until: Point | None, reading: Reading) -> tuple[list[Any], list[Json]]:
    """Let an operation read, in a query engine of the test's own; return its states, and what the engine was told."""
    ground: Any = SimpleNamespace(upstream=None, seen=lambda reading, ids: [] if reading.view == "nothing" else ids)
    states: list[Any] = []

    async def carry_out() -> list[Json]:
        node = Node.__new__(Node)
        node.__dict__.update(
            _ground=ground,
            _reading=reading,
            _operations={},
            _tasks=set(),
            _lines=set(),
            _moved=asyncio.Event(),
            _events=0,
        )
        node.begin("p", until)
        line: Any = FakeLine()
        access = {"operation": "p", "kind": "read"}
        for number, at in enumerate(("before", "after"), 1):
            node.hear(line, {**access, "at": at, "number": number, "failed": False, "ids": ["d1", "d2"]})
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            states.append(node.state("p"))
            if node.state("p") is not None:
                node.let_go("p")
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        told: list[Json] = line.told
        return told

    return states, asyncio.run(carry_out())


def test_an_operation_is_held_where_it_is_to_be() -> None:
    for place, expected in (("before-read", [True, False]), ("after-read", [False, True])):
        point: Any = Point(place, 1)  # type: ignore[arg-type]  # both are places
        states, told = accessed(point, Reading())
        assert [state == {"held": {"place": place}} for state in states] == expected
        assert [message["number"] for message in told] == [1, 2], "what is held is let go"
    states, _ = accessed(Point("after-read", 2), Reading())
    assert states == [None, None]


def test_what_the_store_does_is_told_to_the_engine() -> None:
    before, after = accessed(None, Reading())[1]
    assert (before["fails"], before["before"], after["rows"]) == (False, False, ["d1", "d2"])
    before, after = accessed(None, Reading(fails=True, view="before_last_write"))[1]
    assert (before["fails"], before["before"]) == (True, True)
    assert accessed(None, Reading(view="nothing"))[1][1]["rows"] == []


def test_an_operation_that_waits_for_a_lock_and_its_owner_are_known() -> None:
    current: list[str | None] = [None]
    told: list[tuple[str, bool, str | None]] = []
    locks: Locks[str] = Locks(
        lambda: current[0], lambda name: told.append((name, locks.makes_wait(name), locks.owner(name)))
    )

    async def holds() -> None:
        lock = asyncio.Lock()
        current[0] = "p"
        await lock.acquire()
        current[0] = "w"
        waits = asyncio.get_running_loop().create_task(lock.acquire())
        await asyncio.sleep(0)
        lock.release()
        await waits

    try:
        asyncio.run(holds())
    finally:
        locks.leave()
    assert told == [("w", True, "p"), ("w", False, None)]


def test_a_request_runs_as_the_operation_that_it_names() -> None:
    seen: list[Any] = []

    async def app(scope: Any, _receive: Any, _send: Any) -> None:
        await asyncio.sleep(0)
        seen.append((scope["path"], serving._OPERATION.get()))  # noqa: SLF001  what the query engine is told

    async def poll(**_: object) -> None:
        await asyncio.sleep(0)
        seen.append(("poll", serving._OPERATION.get()))  # noqa: SLF001  likewise

    proxy = SimpleNamespace(
        app=app, proxy_config=SimpleNamespace(add_deployment=poll), prisma_client=None, proxy_logging_obj=None
    )
    named = serving._Named(proxy)  # noqa: SLF001  what the web server is given

    async def send(_: object) -> None:
        await asyncio.sleep(0)

    async def requests() -> None:
        for path, headers in (
            ("/model/new", [(b"x-routeproof-operation", b"#1")]),
            ("/v1/models", []),
            (serving.POLL, [(b"x-routeproof-operation", b"p")]),
        ):
            await named({"type": "http", "path": path, "headers": headers}, None, send)

    asyncio.run(requests())
    assert seen == [("/model/new", "#1"), ("/v1/models", None), ("poll", "p")]


def test_the_newest_postgresql_is_taken_and_none_is_told(tmp_path: Path) -> None:
    for version in ("9.6", "15", "14"):
        (tmp_path / version / "bin").mkdir(parents=True)
        (tmp_path / version / "bin" / "postgres").touch()
    assert cluster.programs(tmp_path, lambda _: None) == tmp_path / "15" / "bin"
    with pytest.raises(WireError, match="apt-get install postgresql"):
        cluster.programs(tmp_path / "none", lambda _: None)


def is_gone(process: int) -> bool:
    """Return true once the process has ended, whether or not anybody has looked after it yet."""
    state = Path(f"/proc/{process}/stat")
    until = time.monotonic() + END_SECONDS
    while state.exists() and state.read_text(encoding="utf-8").split(") ")[1][0] not in "ZX":
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent")
def test_a_child_ends_with_its_parent() -> None:
    program = """if True:
        import os, subprocess, sys
        from routeproof_litellm.server.processes import end_with_this_process as end
        print(subprocess.Popen(["sleep", "60"], preexec_fn=lambda: end(9)).pid, flush=True)
        os.kill(os.getpid(), 9)
    """
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=PACKAGE)
    assert is_gone(int(told.stdout))


def test_a_group_ends_with_its_leader() -> None:
    program = [shutil.which("sh") or "sh", "-c", "sleep 60 & echo $!; wait"]
    leader = subprocess.Popen(program, start_new_session=True, stdout=subprocess.PIPE, text=True)
    assert leader.stdout is not None
    child = int(leader.stdout.readline())
    kill_group(leader.pid)
    leader.communicate()
    assert is_gone(child)
    kill_group(leader.pid)


D1 = Row("d1", "a", "openai/a", "v1")


def test_every_team_that_a_run_names_is_there() -> None:
    def row(team: str) -> Json:
        return {"id": team, "model_name": "a", "model": "openai/a", "tag": "v1", "team": team}

    def write(write: Json) -> Json:
        return {"write": {"via": "store", "write": write}}

    steps = [
        write({"put": row("t2")}),
        write({"delete": "t2"}),
        {"begin": {"op": "p", "act": write({"add": row("t3")}), "until": "before-write"}},
        write({"patch": {"id": "t3", "fields": {"team": "t4"}}}),
        write({"patch": {"id": "t3", "fields": {"tag": "v2"}}}),
        {"config": {"rows": [row("t5")]}},
        {"request": {"replica": 0, "model": "a", "team": "t6"}},
        {"lookup": {"model": "a", "replica": 0, "team": "t7"}},
        {"lookup": {"model": "a", "replica": 0}},
    ]
    setup = {"replicas": 1, "rows": [row("t1")], "config": [row("t8")]}
    questions = {"asked": [{"lookup": {"model": "a", "team": "t9"}}, "claims"], "rounds": []}
    run = run_of({"trace": {"level": "fleet", "setup": setup, "steps": steps}, "questions": questions})
    assert sorted(teams_of(run)) == [f"t{number}" for number in range(1, 10)]


def test_writes_in_the_words_of_the_endpoints() -> None:
    bodies = Bodies(can_block=False)
    new = bodies.of(Add(D1), None)
    assert new.id is None
    assert new.body["litellm_params"] == {"model": "openai/a", "api_key": "v1"}
    assert bodies.of(Put(D1), None) == new
    assert bodies.of(Put(D1._replace(tag="v2")), D1).id == "d1"
    patched = bodies.of(Patch("d1", {"tag": "v2"}), None)
    assert patched == ("d1", {"litellm_params": {"api_key": "v2"}})
    for write, stored in (
        (Add(D1._replace(team="t1")), None),
        (Patch("d1", {"team": "t1"}), None),
        (Patch("d1", {"blocked": True}), None),
        (Put(D1), D1._replace(weight=2)),
    ):
        with pytest.raises(Refused):
            bodies.of(write, stored)
    assert Bodies(can_block=True).of(Patch("d1", {"blocked": True}), None).body["blocked"] is True
