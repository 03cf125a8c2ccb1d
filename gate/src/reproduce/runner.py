"""Runs the test of each file that is named, in a process of its own, and prints a line of JSON for each."""

import json
import os
import runpy
import sys

import litellm  # noqa: F401  once, before the first fork


def attempt(path):
    try:
        test = runpy.run_path(path, run_name="reproduction")["TEST"]
        test()
    except AssertionError as why:
        return {"result": "fails", "line": str(why)}
    except BaseException as why:
        return {"result": "broken", "line": f"{type(why).__name__}: {why}"}
    return {"result": "passes", "line": ""}


replies = os.dup(1)
os.dup2(2, 1)
for path in sys.argv[1:]:
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        with os.fdopen(write, "w") as out:
            json.dump(attempt(path), out)
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as said:
        text = said.read()
    os.waitpid(child, 0)
    told = json.loads(text) if text else {"result": "broken", "line": "the process ended"}
    os.write(replies, (json.dumps({"file": path, **told}) + "\n").encode())
