"""One replica of a fleet, in a process of its own: the real proxy, the operations under way on it, and its answers."""

from __future__ import annotations

import gc
import random
import sys
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from routeproof_litellm.asking import Asker, found_out, said
from routeproof_litellm.client import Client
from routeproof_litellm.fields import WireError
from routeproof_litellm.fleet_wire import Patch, Poll, Request, Start, WriteOp
from routeproof_litellm.holding import Loop
from routeproof_litellm.news import News
from routeproof_litellm.proxy import Proxy
from routeproof_litellm.store import Store
from routeproof_litellm.wire import Add, Delete, Query

if TYPE_CHECKING:
    from pathlib import Path

    from routeproof_litellm.asking import Offer
    from routeproof_litellm.fields import Json
    from routeproof_litellm.fleet_wire import FleetQuestion, Op, Point, Write
    from routeproof_litellm.rows import Rows
    from routeproof_litellm.store import Reading
    from routeproof_litellm.wire import Row

_CLOCKED = ("litellm.caching.in_memory_cache", "litellm.proxy.common_utils.registry_read_through")
"""The modules that remember until a time has come what a lookup did not find."""


class Hear(NamedTuple):
    """A change notification reaches the replica."""

    message: str


class Go(NamedTuple):
    """Begin an operation, or let the one of that name go on where there is no act."""

    name: str
    act: Op | Hear | None
    until: Point | None
    reading: Reading


class Pass(NamedTuple):
    """Let time pass."""

    seconds: float


Moves = list[tuple[str, "Json | str"]]
"""The operations whose state changed, in the order in which they began, each with its state."""


class Gone(NamedTuple):
    """What came of a step: the operations that moved, and the change notifications that were published."""

    moves: Moves
    published: list[str]


class Replica:
    """The replica of this process."""

    def __init__(self, store: Path, config: Path, rows: Rows, offer: Offer | None) -> None:
        """Take the store and the configuration file of the run; nothing is loaded yet.

        Without an `offer`, what the release offers is still to be found out.
        """
        gc.disable()
        random.seed(0)
        self._loop = Loop()
        self._clocked: list[Any] = [sys.modules[name] for name in _CLOCKED if name in sys.modules]
        for module in self._clocked:
            module.time = self._loop.clock()
        self._news = News()
        self._client = Client(Store(store), rows)
        self._proxy = Proxy(self._client, config, rows)
        self._asker: Asker
        if offer is not None:
            self._asker = Asker(offer)

    def find_out(self, rows: list[Row]) -> Offer:
        """Find out what the release offers, with these rows of one name in the store, and walk every path once."""
        self._walk(Start(0))
        offer = self._loop.until_done(found_out(self._proxy.router, rows))
        self._asker = Asker(offer)
        self._walk(*_warm(rows), Request(0, Query("warm")))
        return offer

    def warm_up(self, rows: list[Row]) -> None:
        """Come up, and walk every path once but those of a request: native code must not run where forks begin."""
        self._walk(Start(0), *_warm(rows))

    def leave(self) -> None:
        """Put the process back as it was, for others to be forked from it."""
        self._loop.close()
        self._proxy.leave()
        self._client.store.close()
        self._news.leave()
        for module in self._clocked:
            module.time = time
        gc.enable()

    def serve(self, order: Go | Pass | list[FleetQuestion]) -> Gone | list[Json] | None:
        """Do what is asked of the replica."""
        if isinstance(order, Pass):
            self._loop.wait(order.seconds)
            return None
        if isinstance(order, list):
            return [self._loop.until_done(self._answer(question)) for question in order]
        self._client.reading = order.reading
        if order.act is None:
            self._loop.finish(order.name)
        else:
            self._loop.begin(order.name, order.until, self._carry_out(order.act))
        if self._client.missing:
            raise WireError("internal", f"there is no stand-in for a call of the proxy: {self._client.missing[0]}")
        return Gone(self._loop.moved(), self._news.published())

    def _walk(self, *acts: Op) -> None:
        for number, act in enumerate(acts):
            self._loop.begin(str(number), None, self._carry_out(act))

    async def _carry_out(self, act: Op | Hear) -> Json | str:
        try:
            if isinstance(act, Start):
                return await self._proxy.start()
            if isinstance(act, Poll):
                return await self._proxy.poll()
            if isinstance(act, WriteOp):
                return await self._proxy.write(act.write, self._asker)
            if isinstance(act, Hear):
                await self._news.hear(act.message)
            if isinstance(act, Request):
                return await self._proxy.request(act.query, self._asker)
        except Exception as error:  # noqa: BLE001  whatever the proxy throws is the end of the operation
            return {"failed": said(error)}
        return "done"

    async def _answer(self, question: FleetQuestion) -> Json:
        assert question != "store"  # noqa: S101  it is never put to a replica
        return await self._asker.ask(self._proxy.router, question)


def _warm(rows: list[Row]) -> list[Op]:
    warm = rows[0]._replace(id="warm", model_name="warm")
    writes: list[Write] = [Add(warm), Patch("warm", {"tag": "warm"}), Delete("warm")]
    return [*(WriteOp(0, write) for write in writes), Poll(0)]
