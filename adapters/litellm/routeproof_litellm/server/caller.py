"""The callers of one replica: its admin, who writes and polls, and those who send chats and list models."""

from __future__ import annotations

import hashlib
import importlib
import itertools
from typing import TYPE_CHECKING, Any

from routeproof_litellm.asking import TEXT_CHARACTERS_MAX
from routeproof_litellm.bodies import Refused
from routeproof_litellm.fleet_wire import Put
from routeproof_litellm.proxy import SALT
from routeproof_litellm.server.serving import HEADER, HELD, LOADED, POLL
from routeproof_litellm.wire import Delete

if TYPE_CHECKING:
    from pathlib import Path

    from routeproof_litellm.fields import Json
    from routeproof_litellm.fleet_wire import Write
    from routeproof_litellm.server.ground import Ground
    from routeproof_litellm.server.upstream import Upstream
    from routeproof_litellm.wire import Query

_OK = 200
_NOBODY = ("Invalid model name passed in", "no healthy deployments for this model")
"""Texts of the proxy where there is no deployment at all."""
_BLOCKED = ("No deployments available for selected model", "is currently paused", "Model is blocked")
"""Texts of the proxy where there are deployments and none may serve."""

_NUMBERS = itertools.count(1)


class Caller:
    """Speaks HTTP with one replica."""

    def __init__(self, address: Path, upstream: Upstream) -> None:
        """Take the socket of the replica, and what stands for its providers."""
        httpx: Any = importlib.import_module("httpx")
        transport = httpx.AsyncHTTPTransport(uds=str(address))
        self._client = httpx.AsyncClient(transport=transport, base_url="http://replica", timeout=None)
        self._broken: Any = httpx.HTTPError
        self._upstream = upstream

    async def close(self) -> None:
        """Speak no more."""
        await self._client.aclose()

    async def poll(self, operation: str) -> Json | str:
        """Let the replica poll."""
        error = await self._call(operation, "POST", POLL, {})
        return "done" if error is None else {"failed": error}

    async def write(self, operation: str, write: Write, ground: Ground) -> Any:
        """Carry out a write by way of the admin endpoint for it; return its outcome."""
        if isinstance(write, Delete):
            error = await self._call(operation, "POST", "/model/delete", {"id": write.id})
        else:
            stored = ground.stored(write.row.id) if isinstance(write, Put) else None
            try:
                asked = ground.bodies.of(write, stored)
            except Refused as why:
                return {"refused": str(why)}
            if asked.id is None:
                error = await self._call(operation, "POST", "/model/new", asked.body)
            else:
                error = await self._call(operation, "PATCH", f"/model/{asked.id}/update", asked.body)
        return "applied" if error is None else {"refused": error}

    async def held(self) -> Json:
        """Return what the router of the replica holds: `ids`, and of each structure the tags and the size."""
        response = await self._client.get(HELD)
        held: Json = response.json()
        return held

    async def loaded(self) -> list[str]:
        """Return the modules that are loaded in the process of the replica."""
        response = await self._client.get(LOADED)
        modules: list[str] = response.json()["modules"]
        return modules

    async def asked_once(self, query: Query, operation: str | None) -> Json:
        """Send one chat, and return the answer that it is: what served it, or the refusal."""
        question = f"question {next(_NUMBERS)}"
        # A refusal is the answer: to try it again, and again a second later, would not change it.
        body = {"model": query.model, "messages": [{"role": "user", "content": question}], "num_retries": 0}
        headers = {**_key(query.team), **({} if operation is None else {HEADER: operation})}
        try:
            response = await self._client.post("/v1/chat/completions", json=body, headers=headers)
        except self._broken as error:
            return {"failed": f"{type(error).__name__}: {error}"}
        reached = self._upstream.take(question)
        if response.status_code == _OK and reached is not None:
            served = {"id": response.headers["x-litellm-model-id"], "model": reached.model, "tag": reached.key}
            return {"candidates": [served]}
        return refusal(_said(response))

    async def _call(self, operation: str, method: str, path: str, body: Json) -> str | None:
        """Call an endpoint on behalf of an operation; return what it said if it refused."""
        headers = {**_key(None), HEADER: operation}
        try:
            response = await self._client.request(method, path, json=body, headers=headers)
        except self._broken as error:
            return f"{type(error).__name__}: {error}"
        return None if response.status_code == _OK else _said(response)


def refusal(said: str) -> Json:
    """Return the answer that an error of a chat is: a refusal where the proxy means one, and otherwise a failure."""
    if any(words in said for words in _BLOCKED):
        return {"refused": "blocked"}
    return {"refused": "unknown_model"} if any(words in said for words in _NOBODY) else {"failed": said}


def _said(response: Any) -> str:
    """Return the text of an error, as much of it as is passed on."""
    try:
        told = response.json()
        error = told.get("error", told.get("detail", told))
        text = str(error.get("message", error.get("error", error))) if isinstance(error, dict) else str(error)
    except ValueError:
        text = response.text
    return f"{response.status_code}: {text}"[:TEXT_CHARACTERS_MAX]


def key_of(team: str) -> str:
    """Return the key of the callers of a team, which say nothing else about themselves."""
    return f"sk-of-{hashlib.sha256(team.encode()).hexdigest()}"


def _key(team: str | None) -> dict[str, str]:
    return {"authorization": f"Bearer {SALT if team is None else key_of(team)}"}
