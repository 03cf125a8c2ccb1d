"""A process forked from this one, which does one kind of work on whatever it is asked."""

from __future__ import annotations

import contextlib
import os
import pickle
import select
import signal
import sys
from typing import TYPE_CHECKING, Any, BinaryIO, NoReturn

from routeproof_litellm.fields import WireError
from routeproof_litellm.parent import end_with_the_parent

if TYPE_CHECKING:
    from collections.abc import Callable


class Worker:
    """A process forked from this one, which does the same work on whatever it is asked, until it is ended."""

    def __init__(self, work: Callable[..., object], last: Callable[[], None] | None = None) -> None:
        """Fork; `last` is done there should this process be gone before it has ended the other."""
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
            _serve(work, last, os.fdopen(requests, "rb"), os.fdopen(replies, "wb"))
        os.close(requests)
        os.close(replies)
        self._asking, self._answers = os.fdopen(asking, "wb"), os.fdopen(answers, "rb")

    def ask(self, request: object, seconds: float | None = None) -> Any:
        """Return what comes of the work, within so many seconds; what it raises there is raised here."""
        try:
            pickle.dump(request, self._asking)
            self._asking.flush()
            if not select.select([self._answers], [], [], seconds)[0]:
                raise WireError("internal", f"a process was not done within {seconds:g} s, and was ended; {self.end()}")
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


def _serve(
    work: Callable[..., object], last: Callable[[], None] | None, requests: BinaryIO, replies: BinaryIO
) -> NoReturn:
    """Do the work in the forked process, until it is ended or its parent is."""
    # What the parent does at a signal is not for its children to do.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    end_with_the_parent(last)
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
