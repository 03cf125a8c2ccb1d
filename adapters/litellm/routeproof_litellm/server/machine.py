"""The common part of the servers of every run: PostgreSQL with the tables of the release, upstream, query engine."""

from __future__ import annotations

import asyncio
import importlib
import os
import shlex
import shutil
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from routeproof_litellm.abandoned import PREFIX
from routeproof_litellm.bodies import Bodies
from routeproof_litellm.fields import WireError
from routeproof_litellm.proxy import SALT
from routeproof_litellm.rows import Rows
from routeproof_litellm.server.cluster import Cluster
from routeproof_litellm.server.upstream import Upstream

if TYPE_CHECKING:
    from routeproof_litellm.dialect import Dialect

NODE_MODULES = "ROUTEPROOF_NODE_MODULES"
"""The variable that names the directory of the packages of Node."""
_TEMPLATE = "tables"
"""The database that has the tables and no rows."""


class Machine:
    """Runs from the start of the adapter to its end."""

    def __init__(self, dialect: Dialect) -> None:
        """Start everything but replicas."""
        self.dialect = dialect
        node = shutil.which("node")
        if node is None:
            raise WireError("internal", "there is no Node here; install it, on Debian by `apt-get install nodejs npm`")
        if NODE_MODULES not in os.environ:
            raise WireError("internal", f"`{NODE_MODULES}` names no directory; it has Prisma's packages, and `pg`")
        self.rows = Rows()
        self.bodies = Bodies(can_block=self.rows.can_block)
        self.directory = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))
        # The server of the database is another user's, and has to come to its own directory.
        self.directory.chmod(0o711)
        self._engine = self._write_engine(node)
        try:
            self.cluster = Cluster(self.directory / "cluster")
        except BaseException:
            self._remove()
            raise
        try:
            self._make_tables()
            self.loop = asyncio.new_event_loop()
            self.upstream = Upstream()
            self.loop.run_until_complete(self.upstream.start())
        except BaseException:
            self.end()
            raise

    def environment(self) -> dict[str, str]:
        """Return the variables of every replica."""
        return {
            **self.upstream.environment(),
            "DISABLE_SCHEMA_UPDATE": "true",
            "LITELLM_MASTER_KEY": SALT,
            "PRISMA_QUERY_ENGINE_BINARY": str(self._engine),
            "STORE_MODEL_IN_DB": "True",
        }

    def create(self, database: str) -> None:
        """Make a database with the tables of the release."""
        self.cluster.sql("postgres", f"CREATE DATABASE {database} TEMPLATE {_TEMPLATE};")

    def drop(self, database: str) -> None:
        """Remove a database, whoever is still connected to it."""
        self.cluster.sql("postgres", f"DROP DATABASE {database} WITH (FORCE);")

    def end(self) -> None:
        """End everything, and remove the directory."""
        self.cluster.end()
        self._remove()

    def _remove(self) -> None:
        shutil.rmtree(self.directory, ignore_errors=True)

    def _write_engine(self, node: str) -> Path:
        """Write the program that the database client starts as its query engine."""
        engine = self.directory / "query-engine"
        program = Path(__file__).with_name("engine.js")
        engine.write_text(f'#!/bin/sh\nexec {shlex.quote(node)} {shlex.quote(str(program))} "$@"\n', encoding="utf-8")
        engine.chmod(0o755)
        return engine

    def _make_tables(self) -> None:
        extras = find_spec("litellm_proxy_extras")
        places = [] if extras is None else extras.submodule_search_locations or []
        found = [path for place in places for path in Path(place).glob("migrations/*/migration.sql")]
        if not found:
            raise WireError("internal", "there are no migrations here: `litellm[proxy]` brings them along")
        self.cluster.sql("postgres", f"CREATE DATABASE {_TEMPLATE};")
        for path in sorted(found, key=lambda path: path.parent.name):
            self.cluster.sql(_TEMPLATE, path.read_text(encoding="utf-8"))


def import_all(modules: tuple[str, ...]) -> None:
    """Import what every replica needs, before any is forked."""
    for name in (*modules, "prisma", "prisma.engine._http", "uvicorn", "aiohttp.web", "httpx"):
        importlib.import_module(name)
