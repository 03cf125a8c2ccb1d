"""Operations of a replica as tasks of its event loop, each of which can be held next to its accesses to the store.

The loop runs only while a step is under way, and until nothing moves: every task is held, waits for a lock, or is done.
Its time stands still but for what a schedule lets pass, so that no time-out ends what is held, and stands in for the
clock of the process where LiteLLM asks for it.
"""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import ContextVar
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from routeproof_litellm.fleet_wire import Point
from routeproof_litellm.locks import Locks

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable

    from routeproof_litellm.fields import Json
    from routeproof_litellm.fleet_wire import Place

Result = TypeVar("Result")

TIMER_SECONDS_MAX = 60.0
"""How far the clock is put forward in one step for an operation that waits for nothing but time."""

_OPERATION: ContextVar[Operation | None] = ContextVar("operation", default=None)
"""The operation on behalf of which code runs; tasks that it starts inherit it."""


class Operation:
    """One operation under way."""

    def __init__(self, name: str, until: Point | None) -> None:
        """Begin it; with `until` it is to be held there."""
        self.name = name
        self.until = until
        self.task: asyncio.Task[Json | str] | None = None
        self.accesses = {"read": 0, "write": 0}
        self.wrote = False
        """True once a write of it was made."""
        self.failed = False
        """True once the store did not answer it."""
        self.held: Point | None = None
        self.told: Json | str | None = None
        self._let_go: asyncio.Future[None] | None = None

    async def access(self, kind: Literal["read", "write"], carry_out: Callable[[], Result]) -> Result:
        """Carry out one access to the store, and hold the operation before or after it if it is to be held there."""
        self.accesses[kind] += 1
        nth = self.accesses[kind]
        await self._hold("before-read" if kind == "read" else "before-write", nth)
        try:
            result = carry_out()
        except Exception:
            await self._hold("after-read" if kind == "read" else "after-write", nth)
            raise
        await self._hold("after-read" if kind == "read" else "after-write", nth)
        return result

    def let_go(self) -> None:
        """Let it go on to its end."""
        self.until = None
        if self._let_go is not None and not self._let_go.done():
            self._let_go.set_result(None)

    async def _hold(self, place: Place, nth: int) -> None:
        point = Point(place, nth)
        if self.until != point:
            return
        self._let_go = asyncio.get_running_loop().create_future()
        self.held = point
        await self._let_go
        self.held = None


async def access(kind: Literal["read", "write"], carry_out: Callable[[], Result]) -> Result:
    """Carry out an access to the store on behalf of the operation that makes it."""
    operation = _OPERATION.get()
    # What an operation leaves in the background is not held any more.
    if operation is None or operation.task is None or operation.task.done():
        return carry_out()
    return await operation.access(kind, carry_out)


def current() -> Operation | None:
    """Return the operation on behalf of which the caller runs."""
    return _OPERATION.get()


class Loop:
    """The event loop of a replica, and the operations that are tasks of it."""

    def __init__(self) -> None:
        """Make the loop, in the process that is to run it."""
        self._time = time.monotonic()
        self._epoch = time.time() - self._time
        loop = asyncio.SelectorEventLoop()
        loop.set_default_executor(_Inline())
        # mypy knows neither that the method can be replaced, nor what is private to asyncio.
        self._loop: Any = loop
        setattr(loop, "time", self.monotonic)  # noqa: B010
        self._operations: list[Operation] = []
        self._locks = Locks(current)

    def monotonic(self) -> float:
        """Return the time of the loop, in seconds."""
        return self._time

    def clock(self) -> Any:
        """Return what stands in for the module `time`."""
        return SimpleNamespace(
            **{**vars(time), "monotonic": self.monotonic, "time": lambda: self._epoch + self._time},
        )

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self._time += seconds

    def close(self) -> None:
        """End the loop, with every task of it, and put the process back as it was."""
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._turn()
        self._loop.close()
        self._locks.leave()

    def until_done(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Do work that cannot be held."""
        result: Result = self._loop.run_until_complete(work)
        return result

    def begin(self, name: str, until: Point | None, work: Coroutine[Any, Any, Json | str]) -> None:
        """Begin an operation, and carry everything on until nothing moves."""
        operation = Operation(name, until)
        token = _OPERATION.set(operation)
        operation.task = self._loop.create_task(work)
        _OPERATION.reset(token)
        self._operations.append(operation)
        self._run()

    def finish(self, name: str) -> None:
        """Let an operation go on to its end."""
        for operation in self._operations:
            if operation.name == name:
                operation.let_go()
        self._run()

    def moved(self) -> list[tuple[str, Json | str]]:
        """Return the operations whose state changed since they were last told, in the order in which they began."""
        moved = []
        for operation in self._operations:
            now = self._now(operation)
            if now != operation.told:
                operation.told = now
                moved.append((operation.name, now))
        self._operations = [each for each in self._operations if each.task is not None and not each.task.done()]
        return moved

    def _now(self, operation: Operation) -> Json | str:
        assert operation.task is not None  # noqa: S101  it is set where the operation begins
        if operation.task.done():
            return operation.task.result()
        if operation.held is not None:
            return {"held": operation.held.said()}
        owner = self._locks.owner(operation)
        return {"waiting": None if owner is None else owner.name}

    def _run(self) -> None:
        """Run until nothing moves."""
        before = self._time
        self._turn()
        while self._is_stuck() and self._time - before < TIMER_SECONDS_MAX and self._to_next_timer():
            self._turn()

    def _turn(self) -> None:
        self._loop.call_soon(self._stop_if_idle)
        self._loop.run_forever()

    def _stop_if_idle(self) -> None:
        # asyncio has no public way to ask whether anything is ready.
        if self._loop._ready:  # noqa: SLF001
            self._loop.call_soon(self._stop_if_idle)
        else:
            self._loop.stop()

    def _is_stuck(self) -> bool:
        """Return true if an operation waits for something else than to be let go or for a lock: that is, for time."""
        under_way = (each for each in self._operations if each.task is not None and not each.task.done())
        return any(each.held is None and not self._locks.makes_wait(each) for each in under_way)

    def _to_next_timer(self) -> bool:
        timers: Iterable[Any] = self._loop._scheduled  # noqa: SLF001  likewise
        due = min((timer.when() for timer in timers if not timer.cancelled()), default=None)
        if due is None:
            return False
        self._time = max(self._time, due)
        return True


class _Inline(ThreadPoolExecutor):
    """Does at once what is given to other threads, so that nothing happens at a time of its own."""

    def submit(self, work: Callable[..., Result], /, *args: Any, **kwargs: Any) -> Future[Result]:
        """Do the work."""
        done: Future[Result] = Future()
        try:
            done.set_result(work(*args, **kwargs))
        except BaseException as error:  # noqa: BLE001  it is raised where the result is asked for
            done.set_exception(error)
        return done
