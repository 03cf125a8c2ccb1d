"""The place of one run on servers: a database, a configuration file, and the replicas, all gone at its end."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import json
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from routeproof_litellm.fields import WireError
from routeproof_litellm.proxy import write_config
from routeproof_litellm.server.caller import key_of
from routeproof_litellm.server.line import Line
from routeproof_litellm.server.node import Node
from routeproof_litellm.server.serving import Setting
from routeproof_litellm.server.table import Table

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable, Sequence
    from types import TracebackType

    from typing_extensions import Self

    from routeproof_litellm.fields import Json
    from routeproof_litellm.server.machine import Machine
    from routeproof_litellm.store import Reading
    from routeproof_litellm.wire import Row

Result = TypeVar("Result")

_NUMBERS = itertools.count(1)


class Site:
    """Has what one run needs, and what a schedule asks of the place of a run."""

    def __init__(self, machine: Machine, teams: Iterable[str] = ()) -> None:
        """Take what is the same for every run of the release, and the teams that are to be."""
        self._machine = machine
        self.rows = machine.rows
        self.bodies = machine.bodies
        self.upstream = machine.upstream
        self._directory = Path(tempfile.mkdtemp(dir=machine.directory))
        self._database = f"run{next(_NUMBERS)}"
        self._config = self._directory / "config.yaml"
        self._control = self._directory / "control"
        self._nodes: dict[int, Node] = {}
        self._teams = sorted(set(teams))
        self._server: Any = None

    def __enter__(self) -> Self:
        """Return the place."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """End everything."""
        self.end()

    def end(self) -> None:
        """End the replicas, and remove the database and the directory."""
        for node in self._nodes.values():
            node.end()
        self._nodes.clear()
        if self._server is not None:
            self._server.close()
            self._server = None
            self._machine.drop(self._database)
        shutil.rmtree(self._directory, ignore_errors=True)

    def is_busy(self) -> bool:
        """Return true within `run`, where a signal may have come in."""
        return self._machine.loop.is_running()

    def run(self, work: Coroutine[Any, Any, Result], seconds: float) -> Result:
        """Run the loop of the adapter until the work is done, within so many seconds."""

        async def bounded() -> Result:
            return await asyncio.wait_for(work, seconds)

        try:
            return self._machine.loop.run_until_complete(bounded())
        except asyncio.TimeoutError as error:
            raise WireError("internal", f"a replica was not done within {seconds:g} s") from error

    def set_up(self, rows: list[Row], config: list[Row] | None) -> None:
        """Make the database with these rows, and the configuration file."""
        self._machine.create(self._database)
        with self.store() as store:
            for row in rows:
                store.put(self.rows.record(row))
            store.remember()
        for team in self._teams:
            self._admit(team)
        self.configure(config)
        self._server = self._machine.loop.run_until_complete(asyncio.start_unix_server(self._hear, self._control))

    def configure(self, config: list[Row] | None) -> None:
        """Write the configuration file anew."""
        write_config(self._config, config, self._machine.dialect)

    def store(self) -> Table:
        """Return the table of deployments."""
        return Table(self._machine.cluster, self._database, can_block=self.rows.can_block)

    def stored(self, number: str) -> Row | None:
        """Return the row of that id that is stored."""
        record = self.store().row(number)
        return None if record is None else self.rows.row(record)

    def seen(self, reading: Reading, ids: Sequence[str]) -> list[str]:
        """Return the rows that a read shows of those that it found, in the order in which it shows them."""
        return self.store().seen(reading, ids)

    def fork(self) -> Node:
        """Make a replica, which begins with its first order."""
        number = next(_NUMBERS)
        environment = {
            **self._machine.environment(),
            "DATABASE_URL": self._machine.cluster.url(self._database),
            "WORKER_CONFIG": json.dumps({"config": str(self._config)}),
            "ROUTEPROOF_CONTROL": str(self._control),
            "ROUTEPROOF_REPLICA": str(number),
        }
        node = Node(self, Setting(number, self._directory / f"{number}", self._control, environment))
        self._nodes[number] = node
        return node

    def _admit(self, team: str) -> None:
        """Let there be that team, and a key for its callers."""
        values = {"team": team, "token": hashlib.sha256(key_of(team).encode()).hexdigest()}
        self._machine.cluster.sql(self._database, _ADMIT, values)

    async def _hear(self, lines: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass on what a replica, or its query engine, says, until it closes its line."""
        line = Line(lines, writer)
        first: Json = await line.next() or {}
        line.is_replica = "replica" in first
        node = self._nodes.get(int(first.get("replica") or first.get("engine") or 0))
        message: Json | None = first
        while node is not None and message is not None:
            node.hear(line, message)
            message = await line.next()
        if node is not None:
            node.leave(line)
        line.close()


_ADMIT = """
INSERT INTO "LiteLLM_TeamTable" (team_id, admins, members, models) VALUES (:'team', '{}', '{}', '{}');
INSERT INTO "LiteLLM_VerificationToken" (token, team_id, models) VALUES (:'token', :'team', '{}');
"""
