"""Complete servers from end to end, by the command in `ROUTEPROOF_SERVERS`.

Such a command is `routeproof adapter litellm-server==1.85.0`. Each test starts servers of its own, which takes half a
minute; without the variable none is started.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import tempfile
import time
import uuid
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.talk import START_SECONDS, call

if TYPE_CHECKING:
    from collections.abc import Iterator

    from routeproof_litellm.fields import Json

COMMAND = os.environ.get("ROUTEPROOF_SERVERS")
MARK = "ROUTEPROOF_TEST_MARK"
END_SECONDS = 20
WILD = {"id": "d1", "model_name": "openai/*", "model": "openai/openai/*", "tag": "v1"}
D1 = {"id": "d1", "model_name": "a", "model": "openai/a", "tag": "v1"}
D2 = {"id": "d2", "model_name": "b", "model": "openai/b", "tag": "v2"}

pytestmark = pytest.mark.skipif(COMMAND is None, reason="no servers are named in `ROUTEPROOF_SERVERS`")


@contextmanager
def servers() -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """Start the command; return it with the mark of all that it starts, and see in the end that nothing is left."""
    mark = uuid.uuid4().hex
    process = subprocess.Popen(
        shlex.split(COMMAND or ""),
        env={**os.environ, MARK: mark},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        yield process, mark
        process.communicate(timeout=END_SECONDS)
    finally:
        process.kill()
        process.communicate()
    until = time.monotonic() + END_SECONDS
    while left := marked(mark):
        assert time.monotonic() < until, left
        time.sleep(0.2)


def marked(mark: str) -> list[str]:
    """Return the command lines of the processes that have that mark."""
    processes = [process for process in Path("/proc").glob("[0-9]*") if f"{MARK}={mark}" in told(process / "environ")]
    return [told(process / "cmdline") for process in processes]


def told(path: Path) -> str:
    """Return what the system tells of a process; nothing where it has ended."""
    with suppress(OSError):
        return path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
    return ""


def directories() -> set[Path]:
    return set(Path(tempfile.gettempdir()).glob("routeproof-litellm-*"))


def steps_of(process: subprocess.Popen[bytes], steps: list[Any], rows: list[Any], replicas: int = 1) -> list[Any]:
    trace = {"level": "fleet", "setup": {"replicas": replicas, "rows": rows}, "steps": steps}
    reply = call(process, 2, {"runs": [{"trace": trace}]})
    assert "runs" in reply, reply
    return list(reply["runs"][0]["steps"])


def served(*rows: Json) -> Json:
    """Return the answer that these rows are, each with its target."""
    candidates = [{"id": row["id"], "model": row["model"].replace("*", "gpt-4o"), "tag": row["tag"]} for row in rows]
    return {"shown": {"answers": [{"candidates": candidates}]}}


def lookup(model: str, replica: int = 0) -> Json:
    return {"lookup": {"model": model, "replica": replica}}


def test_writes_polls_and_chats_and_a_poll_that_is_held() -> None:
    before = directories()
    with servers() as (process, _):
        hello = call(process, 1, {"hello": {"protocol": 2}})["hello"]
        assert hello["router"] == "litellm-fleet"
        assert {"admin", "patch", "hold", "crash", "store_shows"} <= set(hello["capabilities"])
        changed = {"write": {"via": {"replica": 0}, "write": {"patch": {"id": "d2", "fields": {"tag": "v3"}}}}}
        steps = steps_of(
            process,
            [
                lookup("b"),
                {"begin": {"op": "p", "act": {"poll": 1}, "until": "after-read"}},
                changed,
                lookup("b"),
                {"finish": "p"},
                lookup("b", 1),
                {"poll": 1},
                lookup("b", 1),
                lookup("nothing"),
                {"crash": 1},
                {"start": 1},
                lookup("a", 1),
                {"store": {}},
            ],
            [D1, D2],
            replicas=2,
        )
        now = {**D2, "tag": "v3"}
        assert steps[0] == served(D2)
        assert steps[1] == {"moved": [{"op": "p", "now": {"held": {"place": "after-read"}}}]}
        assert steps[2]["moved"][0]["now"]["changed"]["outcome"] == "applied"
        assert steps[3] == served(now)
        assert steps[4] == {"moved": [{"op": "p", "now": "done"}]}
        assert steps[5] == served(D2), "the poll read before the write"
        assert steps[7] == served(now)
        assert steps[8] == {"shown": {"answers": [{"refused": "unknown_model"}]}}
        assert steps[10] == {"moved": [{"op": "#11", "now": "done"}]}
        assert steps[11] == served(D1)
        assert steps[12] == {"shown": {"rows": [D1, now]}}
    assert directories() <= before


def test_the_founding_bug_shows_on_both_servers_of_a_release_that_has_it() -> None:
    with servers() as (process, _):
        version = call(process, 1, {"hello": {"protocol": 2}})["hello"]["version"]
        now = {**WILD, "model": "openai/*", "tag": "v2"}
        changed = {"patch": {"id": "d1", "fields": {"model": "openai/*", "tag": "v2"}}}
        steps = steps_of(
            process,
            [
                {"write": {"via": {"replica": 0}, "write": changed}},
                {"poll": 1},
                lookup("openai/gpt-4o"),
                lookup("openai/gpt-4o", 1),
            ],
            [WILD],
            replicas=2,
        )
        expected = served(WILD, now) if tuple(map(int, version.split("."))) < (1, 101, 0) else served(now)
        assert steps[2:] == [expected, expected]


def test_nothing_is_left_of_servers_whose_gate_is_killed_in_the_middle_of_a_run() -> None:
    with servers() as (process, mark):
        call(process, 1, {"hello": {"protocol": 2}})
        assert process.stdin is not None
        run = {"trace": {"level": "fleet", "setup": {"replicas": 2, "rows": [D1]}, "steps": [lookup("a")] * 50}}
        process.stdin.write(json.dumps({"id": 2, "call": {"runs": [run]}}).encode() + b"\n")
        process.stdin.flush()
        until = time.monotonic() + START_SECONDS
        while not any("engine.js" in line for line in marked(mark)):
            assert time.monotonic() < until
            time.sleep(0.2)
        process.send_signal(signal.SIGKILL)
