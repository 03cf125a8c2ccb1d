"""The process: stdin and stdout carry the protocol and nothing else.

`python -m routeproof_litellm [--ignore-invalid | --fleet | --server]` drives the LiteLLM of its own environment until
the input ends.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, BinaryIO, NoReturn, TypeAlias

from routeproof_litellm import fleet_wire, wire
from routeproof_litellm.dialect import ENVIRONMENT, Dialect, parse_version, refusal
from routeproof_litellm.fields import Json, WireError
from routeproof_litellm.fleet import Fleet
from routeproof_litellm.parent import end_with_the_parent
from routeproof_litellm.router import LiteLlm
from routeproof_litellm.server.fleet import Servers
from routeproof_litellm.wire import Hello
from routeproof_litellm.zygote import Zygote

if TYPE_CHECKING:
    from collections.abc import Callable

Driven: TypeAlias = LiteLlm | Zygote | Fleet | Servers

EXIT_UNUSABLE = 2
"""LiteLLM is missing here, or is a release that is not driven."""


def main() -> NoReturn:
    """Serve until the input ends."""
    options = argparse.ArgumentParser(prog="routeproof_litellm", description=__doc__)
    options.add_argument(
        "--ignore-invalid",
        action="store_true",
        help="make the router as the LiteLLM proxy makes it: it swallows its refusals",
    )
    options.add_argument(
        "--fleet",
        action="store_true",
        help="drive replicas of the LiteLLM proxy over one store, and not a single router",
    )
    options.add_argument(
        "--server",
        action="store_true",
        help="drive complete servers of LiteLLM over PostgreSQL, and not a single router",
    )
    given = options.parse_args()
    release = _release()
    started: list[Driven] = []

    def close() -> None:
        for one in started:
            one.close()

    end_with_the_parent(close)
    requests, replies = _take_the_pipes()
    _seclude(loopback=given.server)
    is_fleet = given.fleet or given.server
    # The proxy makes its routers so that they swallow their refusals.
    dialect = Dialect(release, ignore_invalid=given.ignore_invalid or is_fleet)
    driven: Driven
    parse_run: Callable[[object], Any]
    if is_fleet:
        driven, parse_run = _fleet(dialect, Servers if given.server else Fleet), fleet_wire.run_of
    else:
        driven, parse_run = _router(dialect), wire.run_of
    started.append(driven)
    serve(driven, parse_run, requests, replies)
    driven.close()
    # At once, whatever threads LiteLLM may have left.
    os._exit(0)


def serve(driven: Driven, parse_run: Callable[[object], Any], requests: BinaryIO, replies: BinaryIO) -> None:
    """Answer each line of `requests` on `replies`; an error is a reply as well, and the conversation goes on."""
    while True:
        number = 0
        try:
            line = wire.read_line(requests)
            if line is None:
                return
            value = wire.parse_json(line)
            number = wire.id_of(value)
            reply = _reply(driven, parse_run, value)
        except WireError as error:
            reply = wire.error_reply(error)
        replies.write(wire.reply_line(number, reply))
        replies.flush()


def _reply(driven: Driven, parse_run: Callable[[object], Any], value: object) -> Json:
    call = wire.parse_request(value, parse_run).call
    if not isinstance(call, Hello):
        try:
            return {"runs": driven.runs(call)}
        except WireError:
            raise
        except Exception as error:
            raise WireError.of_bug(error) from error
    if call.protocol != wire.PROTOCOL_VERSION:
        message = (
            f"protocol {call.protocol} is asked for, and this adapter speaks {wire.PROTOCOL_VERSION}; "
            "update the older side"
        )
        raise WireError("unsupported", message)
    return {"hello": driven.hello()}


def _release() -> str:
    """Name the LiteLLM beside us, without running any of it."""
    try:
        release = version("litellm")
        why = refusal(parse_version(release))
    except PackageNotFoundError:
        why = "there is no litellm in this environment; install one such as litellm==1.109.1"
    except ValueError as error:
        why = str(error)
    if why is not None:
        _refuse(why)
    return release


def _router(dialect: Dialect) -> LiteLlm | Zygote:
    """Import the LiteLLM beside us; a release that lacks what is needed to drive it is refused."""
    try:
        return Zygote(dialect) if hasattr(os, "fork") else LiteLlm(dialect)
    except (ImportError, AttributeError, WireError) as error:
        _refuse(f"litellm {dialect.release} cannot be driven by this adapter: {error}")


def _fleet(dialect: Dialect, kind: type[Fleet | Servers]) -> Fleet | Servers:
    """Import the proxy of the LiteLLM beside us; a release, or an installation, that lacks what it needs is refused."""
    try:
        fleet = kind(dialect)
    except (ImportError, AttributeError, WireError) as error:
        why = f"the proxy of litellm {dialect.release} cannot be driven by this adapter: {error}"
        _refuse(f"{why}; it needs what `{kind.PACKAGES.format(dialect.release)}` installs")

    def end(number: int, _: object) -> None:
        fleet.close()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    return fleet


def _refuse(why: str) -> NoReturn:
    sys.stderr.write(f"routeproof_litellm: {why}\n")
    sys.stderr.flush()
    # At once, as at the end of `main`: threads of LiteLLM may still run.
    os._exit(EXIT_UNUSABLE)


def _take_the_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Keep stdin and stdout for the protocol: what LiteLLM prints goes to stderr, and it has nothing to read."""
    requests = os.fdopen(os.dup(0), "rb")
    replies = os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return requests, replies


def _seclude(*, loopback: bool) -> None:
    """End at a signal without ceremony, fetch nothing, and reach no network, or with `loopback` this machine alone."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    for name in list(os.environ):
        if name.startswith(("LITELLM_", "REDIS_")):
            del os.environ[name]
    os.environ.update(
        LITELLM_LOCAL_MODEL_COST_MAP="True",
        LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS="True",
        LITELLM_LOCAL_AUTOROUTER_PRESETS="True",
        LITELLM_LOCAL_BLOG_POSTS="True",
        LITELLM_LOCAL_POLICY_TEMPLATES="True",
        LITELLM_ENVIRONMENT=ENVIRONMENT,
    )

    doors: tuple[tuple[Any, str, Callable[..., Any]], ...] = (
        (socket.socket, "connect", lambda _, address: address),
        (socket.socket, "connect_ex", lambda _, address: address),
        (socket, "getaddrinfo", lambda host, *_, **__: (host,)),
    )
    for owner, name, address_of in doors:
        setattr(owner, name, _guarded(getattr(owner, name), address_of, loopback=loopback))


_THIS_MACHINE = ("localhost", "127.0.0.1", "::1", None)


def _guarded(call: Callable[..., Any], address_of: Callable[..., Any], *, loopback: bool) -> Callable[..., Any]:
    """Return the call as it is allowed: not at all, or for addresses of this machine, names of files among them."""

    def guarded(*given: Any, **options: Any) -> Any:
        address = address_of(*given, **options)
        host = address[0] if isinstance(address, tuple) else "localhost"
        if not loopback or (host.decode() if isinstance(host, bytes) else host) not in _THIS_MACHINE:
            raise OSError("no network here: a router on trial reaches nobody")
        return call(*given, **options)

    return guarded


if __name__ == "__main__":
    main()
