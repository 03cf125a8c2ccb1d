"""A conversation with the adapter as a process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(__file__).parent.parent
END_SECONDS = 30
START_SECONDS = 300
"""The longest that the import of LiteLLM may take where much else runs."""


@contextmanager
def adapter(*options: str, before: str = "") -> Iterator[subprocess.Popen[bytes]]:
    """Start the adapter, after `before` has been run in its process; it is gone when the test is."""
    start = f"import sys; sys.argv = {['routeproof_litellm', *options]!r}\n{before}\n"
    start += "import runpy; runpy.run_module('routeproof_litellm', run_name='__main__')"
    process = subprocess.Popen(
        [sys.executable, "-c", start],
        cwd=PACKAGE,
        env={**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "False"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def say(process: subprocess.Popen[bytes], line: bytes) -> Any:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(line + b"\n")
    process.stdin.flush()
    return json.loads(process.stdout.readline())


def call(process: subprocess.Popen[bytes], number: int, call: object) -> Any:
    reply = say(process, json.dumps({"id": number, "call": call}).encode())
    assert reply["id"] == number
    return reply["reply"]
