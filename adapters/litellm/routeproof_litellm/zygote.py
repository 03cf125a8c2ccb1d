"""Runs in processes forked from one that has imported LiteLLM and made no router.

What changes leave in their process (class attributes, module-wide caches, dictionaries) is not there after a restart.
So that it shows, runs that change something are carried out in one process, and runs that only construct a router and
ask it in another, in which no change was ever made. Each serves many runs, since to fork costs more than a run: 15 ms
of CPU, and the pages that are then copied as many again, beside 7 ms of a run on 1.85.0 and 28 on 1.110.2.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import pickle
import signal
import sys
from typing import TYPE_CHECKING, Any, BinaryIO, NoReturn

from routeproof_litellm.parent import end_with_the_parent
from routeproof_litellm.router import LiteLlm, Offer
from routeproof_litellm.wire import Change, WireError

if TYPE_CHECKING:
    from collections.abc import Callable

    from routeproof_litellm.dialect import Dialect
    from routeproof_litellm.wire import Json, Run

RUNS_MAX = 256
"""How many runs a process begins before another takes its place."""


class Zygote:
    """LiteLLM as a router under test, whose fresh routers are in a process in which no change was made."""

    def __init__(self, dialect: Dialect) -> None:
        """Import LiteLLM, and find out in another process what its routers offer."""
        for name in ("litellm", "litellm.types.router"):
            importlib.import_module(name)
        _reserve()
        first = _Worker(lambda _: _found_out(dialect))
        try:
            found = first.ask(None)
        finally:
            first.end()
        if isinstance(found, str):
            raise ImportError(found)  # noqa: TRY004  what was found is why it cannot be driven
        offer, modules = found
        # What the first router imports late is imported here once, and not again in each process.
        for name in modules:
            # A module that was made at run time, or that minds who imports it, is left to the runs.
            with contextlib.suppress(Exception):
                importlib.import_module(name)
        self._router = LiteLlm(dialect, offer)
        self._workers: dict[bool, _Worker] = {}

    def hello(self) -> Json:
        """Introduce the router."""
        return self._router.hello(fresh_process=True)

    def runs(self, runs: list[Run]) -> list[Json]:
        """Carry out the runs of one message, each on a fresh router."""
        changing = [any(isinstance(step, Change) for step in run.steps) for run in runs]
        replies: dict[int, Json] = {}
        for kind in sorted(set(changing)):
            places = [place for place, changes in enumerate(changing) if changes is kind]
            done = self._carry_out(kind, [runs[place] for place in places])
            replies.update(zip(places, done, strict=True))
        return [replies[place] for place in range(len(runs))]

    def close(self) -> None:
        """End all processes."""
        for worker in self._workers.values():
            worker.end()
        self._workers.clear()

    def _carry_out(self, kind: bool, runs: list[Run]) -> list[Json]:  # noqa: FBT001  it is a key
        worker = self._workers.pop(kind, None) or _Worker(self._router.runs)
        try:
            replies: list[Json] = worker.ask(runs)
        except Exception:
            worker.end()
            raise
        worker.begun += len(runs)
        if worker.begun < RUNS_MAX:
            self._workers[kind] = worker
        else:
            worker.end()
        return replies


def _found_out(dialect: Dialect) -> tuple[Offer, list[str]] | str:
    """Return what the release offers, and all modules that are loaded by then; or why it cannot be driven."""
    try:
        return LiteLlm(dialect).offer(), sorted(sys.modules)
    except (ImportError, AttributeError) as error:
        return str(error)


def _reserve() -> None:
    """Forbid native calls here, after which the routers of forked processes answer nothing."""
    try:
        guard = importlib.import_module("litellm.rust_bridge.fork_guard")
    except ImportError:
        return
    guard.reserve_process_for_forking("the process that the runs are forked from")


class _Worker:
    """A process forked from this one, which does the same work on whatever it is asked, until it is ended."""

    def __init__(self, work: Callable[..., object]) -> None:
        """Fork."""
        self.begun = 0
        # What is still to be written here would be written by both.
        sys.stdout.flush()
        sys.stderr.flush()
        requests, asking = os.pipe()
        answers, replies = os.pipe()
        self._process = os.fork()
        if self._process == 0:
            os.close(asking)
            os.close(answers)
            _serve(work, os.fdopen(requests, "rb"), os.fdopen(replies, "wb"))
        os.close(requests)
        os.close(replies)
        self._asking, self._answers = os.fdopen(asking, "wb"), os.fdopen(answers, "rb")

    def ask(self, request: object) -> Any:
        """Return what comes of the work; what it raises there is raised here."""
        try:
            pickle.dump(request, self._asking)
            self._asking.flush()
            reply = pickle.load(self._answers)  # noqa: S301  it comes from this program
        except (EOFError, BrokenPipeError) as error:
            how = self.end()
            message = f"a process of runs ended ({how}) before they were done; send fewer at a time to see which"
            raise WireError("internal", message) from error
        if isinstance(reply, WireError):
            raise reply
        return reply

    def end(self) -> str:
        """End the process, unless it has ended; return how it did."""
        if self._process == 0:
            return "it was ended"
        with contextlib.suppress(BrokenPipeError):
            self._asking.close()
        self._answers.close()
        os.kill(self._process, signal.SIGKILL)
        _, status = os.waitpid(self._process, 0)
        self._process = 0
        code = os.waitstatus_to_exitcode(status)
        return f"signal {-code}" if code < 0 else f"code {code}"


def _serve(work: Callable[..., object], requests: BinaryIO, replies: BinaryIO) -> NoReturn:
    """Do the work in the forked process, until it is ended or its parent is."""
    end_with_the_parent()
    try:
        while True:
            request = pickle.load(requests)  # noqa: S301  it comes from this program
            reply: object
            try:
                reply = work(request)
            except WireError as error:
                reply = error
            except Exception as error:  # noqa: BLE001  it is raised where it was asked for
                reply = WireError.of_bug(error)
            pickle.dump(reply, replies)
            replies.flush()
            sys.stdout.flush()
            sys.stderr.flush()
    finally:
        # At once: what is above on the stack belongs to the process that this one was forked from.
        os._exit(1)
