"""A replica as the adapter sees it: the operations under way on it, what each waits for, and its answers."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Any, Literal

from routeproof_litellm.fields import WireError
from routeproof_litellm.fleet_wire import Point, Poll, Request, Start, WriteOp
from routeproof_litellm.replica import Go, Gone, Pass
from routeproof_litellm.server.caller import Caller
from routeproof_litellm.server.processes import kill_group
from routeproof_litellm.server.serving import fork
from routeproof_litellm.store import Reading
from routeproof_litellm.wire import Listing, Query

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from routeproof_litellm.fields import Json
    from routeproof_litellm.fleet_wire import FleetQuestion, Op, Place
    from routeproof_litellm.replica import Hear, Moves
    from routeproof_litellm.server.ground import Ground
    from routeproof_litellm.server.line import Line
    from routeproof_litellm.server.serving import Setting

CHATS_MAX = 4
"""The most chats that are under way at a replica at once; the first is alone, and shows whether there is an answer."""
ENDED_SECONDS_MAX = 10.0
"""The longest that the lines of a replica may take to close once it was killed."""


class _Operation:
    """One operation under way on a replica."""

    def __init__(self, name: str, until: Point | None) -> None:
        self.name = name
        self.until = until
        self.accesses = {"read": 0, "write": 0}
        self.wrote = False
        self.failed = False
        self.held: Point | None = None
        self.waits: tuple[str | None] | None = None
        """The operation that has the lock for which this one waits, where it waits for one."""
        self.outcome: Json | str | None = None
        self.told: Json | str | None = None
        self.let_go = asyncio.Event()

    def now(self) -> Json | str | None:
        """Return its state; `None` while it moves."""
        if self.outcome is not None:
            return self.outcome
        if self.held is not None:
            return {"held": self.held.said()}
        return None if self.waits is None else {"waiting": self.waits[0]}


class Node:
    """One replica, from its start to its end."""

    def __init__(self, ground: Ground, setting: Setting) -> None:
        """Take where it is to be; it starts with its first order."""
        self._ground = ground
        self._setting = setting
        self._process = 0
        self._caller = Caller(setting.address, ground.upstream)
        self._operations: dict[str, _Operation] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._reading = Reading()
        self._lines: set[Line] = set()
        self._moved = asyncio.Event()
        self._events = 0
        self._ready = asyncio.Event()
        self._is_gone = False

    def ask(self, order: Go | Pass | list[FleetQuestion], seconds: float) -> Gone | list[Json] | None:
        """Do what is asked of the replica, within so many seconds."""
        if isinstance(order, Pass):
            self._ground.run(asyncio.sleep(order.seconds), order.seconds + seconds)
            return None
        if isinstance(order, list):
            # Each lookup is asked for many times.
            return self._ground.run(self._answers(order), seconds * max(1, len(order)))
        return self._ground.run(self._go(order), seconds)

    def end(self) -> str:
        """Kill the replica with its query engine, and forget what was under way."""
        if self._process != 0:
            kill_group(self._process)
            self._process = 0
            if not self._ground.is_busy():
                self._ground.run(self._close(), ENDED_SECONDS_MAX)
        return "it was ended"

    def loaded(self) -> list[str]:
        """Return the modules that are loaded in its process."""
        return self._ground.run(self._caller.loaded(), ENDED_SECONDS_MAX)

    def hear(self, line: Line, message: Json) -> None:
        """Take what the replica or its query engine says."""
        self._lines.add(line)
        if "at" in message:
            self._spawn(self._access(line, message))
        elif "ready" in message:
            self._ready.set()
        elif (operation := self._operations.get(message.get("operation") or "")) is not None:
            operation.waits = (message["for"],) if message["waits"] else None
        self._tell()

    def leave(self, line: Line) -> None:
        """Note that a line was closed from the other end: the process has ended."""
        self._lines.discard(line)
        self._is_gone = True
        self._ready.set()
        self._tell()

    def begin(self, name: str, until: Point | None) -> None:
        """Note an operation that begins; with `until` it is to be held there."""
        self._operations[name] = _Operation(name, until)

    def let_go(self, name: str) -> None:
        """Let an operation go on to its end."""
        if (operation := self._operations.get(name)) is not None:
            operation.until = operation.held = None
            operation.let_go.set()

    def state(self, name: str) -> Json | str | None:
        """Return the state of an operation under way; `None` while it moves."""
        return self._operations[name].now()

    def _tell(self) -> None:
        self._events += 1
        self._moved.set()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _close(self) -> None:
        for task in self._tasks:
            task.cancel()
        for line in list(self._lines):
            line.close()
        await self._caller.close()

    async def _go(self, order: Go) -> Gone:
        self._reading = order.reading
        if order.act is None:
            self.let_go(order.name)
        else:
            self.begin(order.name, order.until)
            self._spawn(self._carry_out(self._operations[order.name], order.act))
        await self._until_still()
        return Gone(self._moves(), [])

    async def _until_still(self) -> None:
        """Wait until every operation is held, waits for a lock, or is over, and nothing is about to move."""
        while True:
            while any(operation.now() is None for operation in self._operations.values()):
                self._moved.clear()
                await self._moved.wait()
            before = self._events
            if self._is_gone or await self._is_still(before):
                return

    async def _is_still(self, before: int) -> bool:
        """Return true if the replica has done all that was ready, and nothing was heard meanwhile but that."""
        replica = next((line for line in self._lines if line.is_replica), None)
        if replica is None:
            return True
        await replica.settle()
        return self._events == before

    def _moves(self) -> Moves:
        moves: Moves = []
        for operation in list(self._operations.values()):
            now = operation.now()
            assert now is not None  # noqa: S101  nothing moves
            if now != operation.told:
                operation.told = now
                moves.append((operation.name, now))
            if operation.outcome is not None:
                del self._operations[operation.name]
        return moves

    async def _access(self, line: Line, message: Json) -> None:
        """Let a query of the table of deployments be made, or its result be taken, when it is to be."""
        operation = self._operations.get(message.get("operation") or "")
        if operation is not None and operation.outcome is not None:
            operation = None
        kind: Literal["read", "write"] = message["kind"]
        reply: Json = {"number": message["number"]}
        if message["at"] == "before":
            if operation is not None:
                operation.accesses[kind] += 1
                await self._hold(operation, "before-read" if kind == "read" else "before-write", kind)
            reply["fails"] = self._reading.fails
            if operation is not None:
                operation.failed |= self._reading.fails
            reply["before"] = self._reading.view == "before_last_write"
        else:
            if operation is not None:
                operation.wrote |= kind == "write" and not message["failed"]
            if kind == "read" and message["ids"] is not None:
                reply["rows"] = self._ground.seen(self._reading, message["ids"])
            if operation is not None:
                await self._hold(operation, "after-read" if kind == "read" else "after-write", kind)
        line.say(reply)

    async def _hold(self, operation: _Operation, place: Place, kind: Literal["read", "write"]) -> None:
        point = Point(place, operation.accesses[kind])
        if operation.until != point:
            return
        operation.held = point
        self._tell()
        await operation.let_go.wait()

    async def _carry_out(self, operation: _Operation, act: Op | Hear) -> None:
        operation.outcome = await self._outcome(operation, act)
        self._tell()

    async def _outcome(self, operation: _Operation, act: Op | Hear) -> Json | str:
        if isinstance(act, Start):
            self._process = fork(self._setting, operation.name)
            await self._ready.wait()
            return {"failed": "the replica ended before it served"} if self._is_gone else "done"
        if isinstance(act, Poll):
            return await self._caller.poll(operation.name)
        if isinstance(act, WriteOp):
            outcome = await self._caller.write(operation.name, act.write, self._ground)
            # Behind an error a write may have been made; only where none was, and the store answered, is it a refusal.
            if outcome != "applied" and (operation.wrote or operation.failed):
                return {"failed": outcome["refused"]}
            return {"changed": {"outcome": outcome, "held": (await self._caller.held())["ids"]}}
        if isinstance(act, Request):
            return {"answered": [await self._caller.asked_once(act.query, operation.name)]}
        raise WireError("unsupported", "no change notifications reach the servers of a trial; leave the step out")

    async def _answers(self, questions: list[FleetQuestion]) -> list[Json]:
        return [await self._answer(question) for question in questions]

    async def _answer(self, question: FleetQuestion) -> Json:
        if isinstance(question, Query):
            return {"answers": [await self._lookup(question)]}
        if isinstance(question, Listing):
            raise WireError("unsupported", "servers are not asked for the list of models; leave it out")
        held = await self._caller.held()
        if question == "claims":
            return {"ids": held["ids"]}
        return {"holds": held["holds"]} if question == "holds" else {"sizes": held["sizes"]}

    async def _lookup(self, query: Query) -> Json:
        """Ask until another candidate, as likely as each that was seen, would have come up."""
        seen: list[Json] = []
        asked = 0
        while (left := picks(len(seen)) - asked) > 0:
            at_once = min(left, CHATS_MAX)
            answers = await asyncio.gather(*(self._caller.asked_once(query, None) for _ in range(at_once)))
            asked += at_once
            for answer in answers:
                if "candidates" not in answer:
                    return answer
                seen.extend(one for one in answer["candidates"] if one not in seen)
        return {"candidates": sorted(seen, key=lambda one: (one["id"], one["tag"]))}


def picks(seen: int) -> int:
    """Return how many requests leave one more candidate unseen but for one time in a hundred thousand."""
    return 1 if seen == 0 else math.ceil(math.log(_MISSED_MAX) / math.log(seen / (seen + 1)))


_MISSED_MAX = 1e-5
