"""Conversations with a fleet, and the words that they are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.talk import call

if TYPE_CHECKING:
    import subprocess

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
