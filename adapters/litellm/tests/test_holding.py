"""Operations as tasks that are held next to their accesses, on a clock that stands still."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from routeproof_litellm.fleet_wire import Point
from routeproof_litellm.holding import TIMER_SECONDS_MAX, Loop, access

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def loop() -> Iterator[Loop]:
    made = Loop()
    yield made
    made.close()


async def reads_and_writes(log: list[str]) -> str:
    await access("read", lambda: log.append("read 1"))
    await access("write", lambda: log.append("write 1"))
    await access("read", lambda: log.append("read 2"))
    await access("write", lambda: log.append("write 2"))
    return "done"


@pytest.mark.parametrize(
    ("point", "before"),
    [
        (Point("before-read", 1), []),
        (Point("after-read", 1), ["read 1"]),
        (Point("before-write", 1), ["read 1"]),
        (Point("after-write", 1), ["read 1", "write 1"]),
        (Point("before-read", 2), ["read 1", "write 1"]),
        (Point("after-write", 2), ["read 1", "write 1", "read 2", "write 2"]),
    ],
)
def test_an_operation_is_held_where_it_is_to_be(loop: Loop, point: Point, before: list[str]) -> None:
    log: list[str] = []
    loop.begin("a", point, reads_and_writes(log))
    assert loop.moved() == [("a", {"held": point.said()})]
    assert log == before
    assert loop.moved() == []
    loop.finish("b")
    assert loop.moved() == []
    loop.finish("a")
    assert loop.moved() == [("a", "done")]
    assert log == ["read 1", "write 1", "read 2", "write 2"]


def test_one_without_such_a_place_goes_on_to_its_end(loop: Loop) -> None:
    loop.begin("a", Point("after-read", 3), reads_and_writes([]))
    assert loop.moved() == [("a", "done")]


def test_an_access_that_fails_is_held_as_well(loop: Loop) -> None:
    def fail() -> None:
        raise OSError("no store")

    async def tries() -> str:
        try:
            await access("read", fail)
        except OSError:
            return "failed"
        return "done"

    loop.begin("a", Point("after-read", 1), tries())
    assert loop.moved() == [("a", {"held": {"place": "after-read"}})]
    loop.finish("a")
    assert loop.moved() == [("a", "failed")]


def test_one_that_waits_for_a_lock_says_for_whom(loop: Loop) -> None:
    lock = asyncio.Lock()

    async def locked() -> str:
        async with lock:
            await access("read", lambda: None)
        return "done"

    point = Point("after-read", 1)
    loop.begin("a", point, locked())
    assert loop.moved() == [("a", {"held": point.said()})]
    loop.begin("b", None, locked())
    loop.begin("c", point, locked())
    assert loop.moved() == [("b", {"waiting": "a"}), ("c", {"waiting": "a"})]
    loop.finish("a")
    assert loop.moved() == [("a", "done"), ("b", "done"), ("c", {"held": point.said()})]


def test_tasks_of_an_operation_are_part_of_it(loop: Loop) -> None:
    async def both() -> str:
        await asyncio.gather(*(access("read", lambda: None) for _ in range(2)))
        return "done"

    loop.begin("a", Point("after-read", 2), both())
    assert loop.moved() == [("a", {"held": {"place": "after-read", "nth": 2}})]


def test_what_is_left_in_the_background_is_not_held(loop: Loop) -> None:
    log: list[str] = []
    late = asyncio.Event()

    async def leaves() -> str:
        async def later() -> None:
            await late.wait()
            await access("read", lambda: log.append("read"))

        tasks.append(asyncio.create_task(later()))
        return "done"

    async def wakes() -> str:
        late.set()
        return "done"

    tasks: list[asyncio.Task[None]] = []
    loop.begin("a", Point("before-read", 1), leaves())
    assert loop.moved() == [("a", "done")]
    loop.begin("b", None, wakes())
    assert loop.moved() == [("b", "done")]
    assert log == ["read"]


def test_no_time_passes_for_what_is_held(loop: Loop) -> None:
    async def in_time() -> str:
        await asyncio.wait_for(access("read", lambda: None), timeout=0.001)
        return "done"

    loop.begin("a", Point("after-read", 1), in_time())
    assert loop.moved() == [("a", {"held": {"place": "after-read"}})]
    loop.finish("a")
    assert loop.moved() == [("a", "done")]


def test_one_that_waits_for_nothing_but_time_is_given_it(loop: Loop) -> None:
    async def sleeps(seconds: float) -> str:
        for _ in range(3):
            await asyncio.sleep(seconds)
        return "done"

    began = loop.monotonic()
    loop.begin("a", None, sleeps(2))
    assert loop.moved() == [("a", "done")]
    assert loop.monotonic() - began == pytest.approx(6)
    loop.begin("b", None, sleeps(TIMER_SECONDS_MAX * 2))
    loop.begin("c", None, sleeps(0))
    assert [name for name, _ in loop.moved()] == ["b", "c"]


def test_time_passes_where_a_schedule_lets_it(loop: Loop) -> None:
    clock = loop.clock()
    before = clock.monotonic(), clock.time()
    assert (clock.monotonic(), clock.time()) == before
    loop.wait(2.5)
    assert (clock.monotonic(), clock.time()) == pytest.approx((before[0] + 2.5, before[1] + 2.5))


def test_what_is_given_to_other_threads_is_done_at_once(loop: Loop) -> None:
    async def threads() -> str:
        return await asyncio.to_thread(lambda: "done")

    loop.begin("a", None, threads())
    assert loop.moved() == [("a", "done")]
