"""The end of the processes of a trial: with the one that started them, whatever ends it."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def end_with_this_process(number: int) -> None:
    """Let the calling process, a child that was just forked, be sent that signal when its parent ends."""
    # Elsewhere the keeper of the adapter, or its end of a pipe, has to do.
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, number)


def kill_group(leader: int) -> None:
    """Kill a process that leads a group of its own with the whole group, and wait for its end."""
    for kill in (os.killpg, os.kill):
        # It leads its group only from a moment after its start on, and is killed before that too.
        with contextlib.suppress(ProcessLookupError):
            kill(leader, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(leader, 0)
