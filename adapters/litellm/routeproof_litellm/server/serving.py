"""One replica: the web server of the LiteLLM proxy, with its own start-up and its own database client, in this process.

The application is the proxy's own. What is added: its schedule stands still, since a trial says when a replica polls;
an operation of the trial has a name, which goes along to the query engine; and a few more paths, one that polls and
those that show what the router holds and what is loaded.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import json
import os
import signal
import socket
import sys
import traceback
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from routeproof_litellm.locks import Locks
from routeproof_litellm.server.processes import end_with_this_process
from routeproof_litellm.structures import Structures
from routeproof_litellm.surface import Surface

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from routeproof_litellm.fields import Json

HEADER = "x-routeproof-operation"
"""The header of a request, and of a query, that names the operation on behalf of which it is made."""
POLL = "/routeproof/poll"
HELD = "/routeproof/held"
LOADED = "/routeproof/loaded"
TURNS = 20
"""The turns of the event loop after which what is ready has gone as far as it goes."""

_FILES_MAX = 4096
_OPERATION: ContextVar[str | None] = ContextVar("operation", default=None)


class Setting(NamedTuple):
    """The places of a replica: of what it finds, and where it is found."""

    number: int
    """The number of this start of a replica: a replica that comes up again has another."""
    address: Path
    """The socket on which it serves requests."""
    control: Path
    """The socket by which it tells the trial what it does."""
    environment: Mapping[str, str]
    """Variables beside those that are there."""


def fork(setting: Setting, operation: str) -> int:
    """Start the replica, in a process forked from this one, as that operation; return the number of its process."""
    process = os.fork()
    if process != 0:
        return process
    try:
        os.setsid()
        end_with_this_process(signal.SIGKILL)
        # What belongs to the process that this one was forked from must not be held open by it.
        os.closerange(3, _FILES_MAX)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        _serve(setting, operation)
    except BaseException:  # noqa: BLE001  nothing above on the stack is this process's own
        traceback.print_exc()
    finally:
        os._exit(1)


def _serve(setting: Setting, operation: str) -> NoReturn:
    os.environ.update(setting.environment)
    _OPERATION.set(operation)
    trial = _Trial(setting)
    locks = Locks(_OPERATION.get, lambda waiting: trial.tell_of_lock(locks, waiting))
    _name_queries()
    _stop_the_clock()
    proxy: Any = importlib.import_module("litellm.proxy.proxy_server")
    # The endpoints refuse the rows of teams without a licence.
    proxy.premium_user = True
    uvicorn: Any = importlib.import_module("uvicorn")
    config = uvicorn.Config(
        _Named(proxy), uds=str(setting.address), log_level="critical", lifespan="on", loop="asyncio", access_log=False
    )
    server = uvicorn.Server(config)
    start_up = server.startup

    async def started(sockets: Any = None) -> None:
        trial.listens = asyncio.get_running_loop().create_task(trial.listen())
        await start_up(sockets)
        trial.say({"ready": server.started})

    server.startup = started
    server.run()
    os._exit(0)


class _Trial:
    """The line to the trial, which ends the replica when it is gone."""

    def __init__(self, setting: Setting) -> None:
        self._line = socket.socket(socket.AF_UNIX)
        self._line.connect(str(setting.control))
        self.listens: asyncio.Task[None] | None = None
        """Kept, since a loop does not keep its tasks."""
        self.say({"replica": setting.number})

    def say(self, message: Json) -> None:
        self._line.sendall(json.dumps(message).encode() + b"\n")

    def tell_of_lock(self, locks: Locks[str], operation: str) -> None:
        waits = locks.makes_wait(operation)
        self.say({"operation": operation, "waits": waits, "for": locks.owner(operation) if waits else None})

    async def listen(self) -> None:
        """Reply to each line once everything that was ready has been done."""
        # The writer is kept, since the line is closed where it goes.
        lines, kept = await asyncio.open_unix_connection(sock=self._line.dup())
        while line := await lines.readline():
            for _ in range(TURNS):
                await asyncio.sleep(0)
            self.say({"still": json.loads(line)})
        kept.close()
        os._exit(0)


class _Named:
    """The application of the proxy, in which each request runs on behalf of the operation that its header names."""

    def __init__(self, proxy: Any) -> None:
        self._proxy = proxy

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self._proxy.app(scope, receive, send)
            return
        named = dict(scope["headers"]).get(HEADER.encode())
        _OPERATION.set(None if named is None else named.decode())
        if scope["path"] == POLL:
            await self._proxy.proxy_config.add_deployment(
                prisma_client=self._proxy.prisma_client, proxy_logging_obj=self._proxy.proxy_logging_obj
            )
            await _reply(send, {})
        elif scope["path"] == HELD:
            await _reply(send, _held(self._proxy.llm_router))
        elif scope["path"] == LOADED:
            await _reply(send, {"modules": sorted(sys.modules)})
        else:
            await self._proxy.app(scope, receive, send)


async def _reply(send: Callable[..., Any], reply: Json) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": json.dumps(reply).encode()})


def _held(router: Any) -> Json:
    """Return the ids that the router says it holds, and the versions of rows and the entries in its structures."""
    if router is None:
        return {"ids": [], "holds": {"model_list": []}, "sizes": {"model_list": 0}}
    surface = Surface.of(router)
    structures = Structures(surface)
    ids = [str(number) for number in surface.ids(router)]
    return {"ids": ids, "holds": structures.holds(router), "sizes": structures.sizes(router)}


def _name_queries() -> None:
    """Let each query of the database client name the operation on behalf of which it is made."""
    engine: Any = importlib.import_module("prisma.engine._http").AsyncHTTPEngine
    build = engine._build_request  # noqa: SLF001  the one place through which each query goes

    def named(self: Any, **request: Any) -> Any:
        url, options = build(self, **request)
        if (operation := _OPERATION.get()) is not None:
            options["headers"][HEADER] = operation
        return url, options

    engine._build_request = named  # noqa: SLF001


def _stop_the_clock() -> None:
    """Let the proxy make its schedule, and let nothing of it happen: the trial says when a replica polls."""
    with contextlib.suppress(ImportError):
        scheduler: Any = importlib.import_module("apscheduler.schedulers.asyncio").AsyncIOScheduler
        start = scheduler.start
        scheduler.start = lambda self, *_, **__: start(self, paused=True)
