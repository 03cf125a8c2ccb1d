"""The process: what goes over its pipes, and how it ends."""

from __future__ import annotations

import json
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from routeproof_litellm import wire
from tests.conftest import release
from tests.talk import END_SECONDS, PACKAGE, START_SECONDS, adapter, call, say

ROW = {"id": "d1", "model_name": "m", "model": "openai/m", "tag": "v1"}


def run_of(steps: list[Any], *asked: Any) -> Any:
    """One run, with these questions after its last step."""
    questions = {"asked": list(asked), "rounds": [{"after": len(steps)}]}
    return {"trace": {"steps": steps}, "questions": questions}


def test_a_conversation() -> None:
    version = release()
    with adapter() as process:
        hello = call(process, 1, {"hello": {"protocol": 2}})["hello"]
        assert (hello["router"], hello["version"], hello["protocol"]) == ("litellm", version, 2)
        run = run_of([{"upsert": ROW}], {"lookup": {"model": "m"}})
        runs = call(process, 2, {"runs": [run, run]})["runs"]
        candidates = {"candidates": [{"id": "d1", "model": "openai/m", "tag": "v1"}]}
        assert [seen["rounds"] for seen in runs] == [[[{"shown": [{"answers": [candidates] * 2}]}]]] * 2
        # Errors are replies, and the conversation goes on.
        assert call(process, 3, {"hello": {"protocol": 1}})["error"]["code"] == "unsupported"
        assert call(process, 4, {"runs": [{**run, "x": 1}]})["error"]["code"] == "bad_request"
        alien = run_of([{"upsert": {**ROW, "extra": "none"}}])
        assert call(process, 5, {"runs": [alien]})["error"]["code"] == "bad_request"
        assert say(process, b'{"id":6,"call"') == {
            "id": 0,
            "reply": {
                "error": {
                    "code": "bad_request",
                    "message": "not a request of protocol 2: Expecting ':' delimiter: line 1 column 15 (char 14)",
                }
            },
        }
        assert say(process, b" " * wire.LINE_BYTES_MAX + b" ")["reply"]["error"]["code"] == "too_large"
        assert len(call(process, 7, {"runs": [run]})["runs"]) == 1
        # The end of the input ends it.
        assert process.communicate(timeout=END_SECONDS)[0] == b""
        assert process.returncode == 0


def test_what_litellm_prints_is_not_in_the_protocol() -> None:
    release()
    babble = "import os, subprocess; os.environ['PYTHONBREAKPOINT'] = '0'\n"
    babble += "import routeproof_litellm.router as r\n"
    babble += "put_back = r.LiteLlm._put_back\n"
    babble += "def babbling(*args): print('a print'); subprocess.run(['echo', 'an echo']); put_back(*args)\n"
    babble += "r.LiteLlm._put_back = babbling\n"
    with adapter(before=babble) as process:
        assert "runs" in call(process, 1, {"runs": [run_of([])]})
        assert "runs" in call(process, 2, {"runs": [run_of([])]})
        _, errors = process.communicate(timeout=END_SECONDS)
        # Once more than there are runs: the adapter looks at a router of its own before the first.
        assert errors.count(b"a print") == errors.count(b"an echo") == 3


def test_the_router_of_the_proxy_is_another_one() -> None:
    release()
    with adapter("--ignore-invalid") as process:
        assert call(process, 1, {"hello": {"protocol": 2}})["hello"]["router"] == "litellm-proxy"
        nowhere = {**ROW, "model": "nowhere"}
        run = run_of([{"upsert": nowhere}])
        [step] = call(process, 2, {"runs": [run]})["runs"][0]["steps"]
        assert step["changed"]["held"] == []
        assert "LLM Provider NOT provided" in step["changed"]["outcome"]["refused"]


def test_a_bug_of_the_adapter_is_said_to_be_one() -> None:
    release()
    broken = "import routeproof_litellm.asking as r\n"
    broken += "def listing(self, router, team): raise RuntimeError('lost')\n"
    broken += "r.Asker._listing = listing\n"
    with adapter(before=broken) as process:
        run = run_of([], {"listing": None})
        error = call(process, 1, {"runs": [run]})["error"]
        assert error["code"] == "internal"
        assert "RuntimeError: lost" in error["message"]
        assert "runs" in call(process, 2, {"runs": [run_of([])]})


def test_no_network_is_reached() -> None:
    release()
    nosy = "import routeproof_litellm.asking as r, socket\n"
    nosy += "def listing(self, router, team):\n"
    nosy += "  with socket.socket() as s: s.connect(('127.0.0.1', 9))\n"
    nosy += "r.Asker._listing = listing\n"
    with adapter(before=nosy) as process:
        run = run_of([], {"listing": None})
        assert "no network here" in call(process, 1, {"runs": [run]})["error"]["message"]


LEAKY = """
import routeproof_litellm.asking as a
import routeproof_litellm.router as r
r.LiteLlm.left = []
change = r.LiteLlm._change
r.LiteLlm._change = lambda s, c: (r.LiteLlm.left.append('left'), change(s, c))[1]
a.Asker._listing = lambda s, router, team: list(r.LiteLlm.left)
"""


@pytest.mark.parametrize(("runs_max", "left"), [(256, ["left"] * 2), (1, ["left"])])
def test_what_changes_leave_in_their_process_is_not_in_that_of_a_fresh_router(runs_max: int, left: list[str]) -> None:
    release()
    with adapter(before=f"import routeproof_litellm.zygote as z\nz.RUNS_MAX = {runs_max}\n{LEAKY}") as process:
        assert call(process, 1, {"hello": {"protocol": 2}})["hello"]["dialect"]["fresh_process"] is True
        fresh, changing = run_of([], {"listing": None}), run_of([{"upsert": ROW}], {"listing": None})
        runs = call(process, 2, {"runs": [fresh, changing, fresh]})["runs"]
        assert [run["rounds"][0][0]["shown"][0]["names"] for run in runs] == [[], ["left"], []]
        # A process serves so many runs, and then another takes its place.
        runs = call(process, 3, {"runs": [changing, fresh]})["runs"]
        assert [run["rounds"][0][0]["shown"][0]["names"] for run in runs] == [left, []]
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        assert not children.exists() or len(children.read_text().split()) == (2 if runs_max > 1 else 0)


def test_a_run_that_ends_its_process_is_an_error_and_leaves_no_process() -> None:
    release()
    dying = "import routeproof_litellm.asking as r, os\n"
    dying += "r.Asker._listing = lambda s, router, team: os.kill(os.getpid(), 9) if team else []\n"
    with adapter(before=dying) as process:
        error = call(process, 1, {"runs": [run_of([], {"listing": "A"})]})["error"]
        assert error["code"] == "internal"
        assert "ended (signal 9) before they were done" in error["message"]
        assert "runs" in call(process, 2, {"runs": [run_of([], {"listing": None})]})
        # The one that serves now is the only one.
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        assert not children.exists() or len(children.read_text().split()) == 1


def test_a_run_under_way_ends_with_the_adapter() -> None:
    release()
    hanging = "import routeproof_litellm.asking as r, sys, time\n"
    hanging += "def listing(s, router, team):\n  print('hangs', file=sys.stderr, flush=True)\n  time.sleep(600)\n"
    hanging += "r.Asker._listing = listing\n"
    with adapter(before=hanging) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        run = {"id": 1, "call": {"runs": [run_of([], {"listing": None})]}}
        process.stdin.write(json.dumps(run).encode() + b"\n")
        process.stdin.flush()
        while process.stderr.readline() != b"hangs\n":
            pass
        process.kill()
        # The end of its stderr is that of every process that has it.
        ended, _, _ = select.select([process.stderr], [], [], END_SECONDS)
        assert ended
        assert process.stderr.read() == b""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it(number: signal.Signals) -> None:
    release()
    with adapter() as process:
        call(process, 1, {"hello": {"protocol": 2}})
        process.send_signal(number)
        assert process.wait(END_SECONDS) == -number


def test_the_end_of_its_parent_ends_it() -> None:
    release()
    adapter = [sys.executable, "-m", "routeproof_litellm"]
    start = f"import subprocess; subprocess.run({adapter!r})"
    with subprocess.Popen(
        [sys.executable, "-c", start], cwd=PACKAGE, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as parent:
        call(parent, 1, {"hello": {"protocol": 2}})
        parent.kill()
        parent.wait(END_SECONDS)
        # Its input is open still, and its output ends when it does.
        assert parent.stdout is not None
        ended, _, _ = select.select([parent.stdout], [], [], END_SECONDS)
        assert ended
        assert parent.stdout.read() == b""


def test_a_release_that_cannot_be_driven_is_refused() -> None:
    version = release()
    with adapter(before="import routeproof_litellm.asking as r\nr.WAYS = ()") as process:
        _, errors = process.communicate(timeout=START_SECONDS)
        assert process.returncode == 2
        said = f"routeproof_litellm: litellm {version} cannot be driven by this adapter: there is no way to see"
        assert said.encode() in errors


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ("'1.82.7'", b"litellm 1.82.7 is refused: it was reported as compromised"),
        ("'1.107.3'", b"litellm 1.107.3 is refused: it was reported as compromised"),
        ("'1.84.0'", b"litellm 1.84.0 is too old"),
        ("'main'", b"`main` is no release of LiteLLM"),
        ("(_ for _ in ()).throw(m.PackageNotFoundError())", b"there is no litellm in this environment"),
    ],
)
def test_refuses_to_start(found: str, said: bytes) -> None:
    before = f"import importlib.metadata as m\nm.version = lambda _: {found}"
    with adapter(before=before) as process:
        _, errors = process.communicate(timeout=END_SECONDS)
        assert process.returncode == 2
        assert errors.startswith(b"routeproof_litellm: " + said)
        assert errors.count(b"\n") == 1
