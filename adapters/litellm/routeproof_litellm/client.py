"""A stand-in for the database client of the proxy: the table of deployments is real, and every other table is empty.

Each call that concerns the deployments is one access to the store, at which the operation that makes it can be held. A
call for which there is no stand-in is remembered, since LiteLLM swallows most of what its database raises.
"""

from __future__ import annotations

import importlib
import json
from contextlib import asynccontextmanager
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from routeproof_litellm.holding import access, current
from routeproof_litellm.rows import DEPLOYMENTS
from routeproof_litellm.store import Reading, Record

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from routeproof_litellm.fields import Json
    from routeproof_litellm.rows import Rows
    from routeproof_litellm.store import Store

_FIRST = datetime(2026, 1, 1, tzinfo=timezone.utc)


class UniqueViolationError(Exception):
    """The id to insert exists, in the words of the real client."""

    def __init__(self) -> None:
        """Say so as it does."""
        super().__init__("Unique constraint failed on the fields: (`model_id`)")


class Client:
    """The client as the proxy knows it."""

    def __init__(self, store: Store, rows: Rows) -> None:
        """Take the store, and the way in which the release sees its rows."""
        self.store = store
        self.reading = Reading()
        """The behaviour of reads from now on."""
        self.missing: list[str] = []
        """The calls for which there is no stand-in."""
        self.db = _Database(self, rows)
        self.writer_db = self.db

    async def get_generic_data(self, **_: object) -> None:
        """Look up a row of a table other than that of the deployments, which is empty."""

    def jsonify_object(self, data: Mapping[str, Any]) -> Json:
        """Write nested values as JSON, as the real client does."""
        return {key: json.dumps(value) if isinstance(value, dict) else value for key, value in data.items()}

    def time(self) -> str:
        """Return the time that a write has: one second a revision."""
        return (_FIRST + timedelta(seconds=self.store.revision() + 1)).isoformat()


class _Database:
    """The tables."""

    def __init__(self, client: Client, rows: Rows) -> None:
        self._client = client
        self.litellm_proxymodeltable = _Deployments(client, rows)
        self.litellm_teamtable = _Teams()

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("litellm_"):
            raise AttributeError(name)
        table = _Empty()
        setattr(self, name, table)
        return table

    @asynccontextmanager
    async def tx(self, **_: object) -> AsyncIterator[_Database]:
        """Begin a transaction; each access of it stands alone here."""
        yield self

    async def query_raw(self, query: str, *values: object) -> list[Json]:
        """Carry out SQL. The only statement about deployments counts those of one name; its lock of a row is none."""
        if DEPLOYMENTS not in query or "FOR UPDATE" in query:
            return []
        if "COUNT(*)" not in query or '"model_name" = $1' not in query:
            self._client.missing.append(query)
            raise NotImplementedError(query)
        return [{"deployment_count": await self.litellm_proxymodeltable.count(where={"model_name": values[0]})}]

    async def execute_raw(self, query: str, *_: object) -> int:
        """Carry out SQL that returns nothing; there is none about deployments."""
        if DEPLOYMENTS in query:
            self._client.missing.append(query)
            raise NotImplementedError(query)
        return 0


class _Empty:
    """A table that is empty, and stays so."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        async def action(*_: object, **__: object) -> Any:
            if name.startswith("find_many"):
                return []
            return 0 if name == "count" or name.endswith("_many") else None

        return action


class _Teams(_Empty):
    """The table of teams, in which every team is, and none is changed."""

    async def find_unique(self, where: Mapping[str, str], **_: object) -> Any:
        """Return that team."""
        types = importlib.import_module("litellm.proxy._types")
        return types.LiteLLM_TeamTable(team_id=where["team_id"])

    async def update(self, where: Mapping[str, str], **_: object) -> Any:
        """Return that team."""
        return await self.find_unique(where)


class _Deployments:
    """The table of deployments."""

    def __init__(self, client: Client, rows: Rows) -> None:
        self._client = client
        self._store = client.store
        self._rows = rows

    def __getattr__(self, name: str) -> Any:
        self._client.missing.append(f"litellm_proxymodeltable.{name}")
        raise AttributeError(name)

    async def find_many(self, where: Mapping[str, Any] | None = None, **options: Any) -> list[Any]:
        """Return the rows that meet the condition."""
        if any(option is not None for option in options.values()):
            self._client.missing.append(f"find_many with {sorted(options)}")
        return [self._rows.shown(record) for record in await self._read(where)]

    async def find_unique(self, where: Mapping[str, Any], **_: object) -> Any:
        """Return the row of an id."""
        return await self.find_first(where)

    async def find_first(self, where: Mapping[str, Any] | None = None, **_: object) -> Any:
        """Return the first row that meets the condition."""
        found = await self._read(where)
        return self._rows.shown(found[0]) if found else None

    async def count(self, where: Mapping[str, Any] | None = None, **_: object) -> int:
        """Count the rows that meet the condition."""
        return len(await self._read(where))

    async def create(self, data: Mapping[str, Any], **_: object) -> Any:
        """Insert a row."""

        def insert() -> Record:
            self._answers()
            if self._store.row(data["model_id"]) is not None:
                raise UniqueViolationError
            time = self._client.time()
            blank = Record(data["model_id"], "", "{}", "{}", False, time, "", time, "")  # noqa: FBT003  columns in order
            return self._put(blank, data)

        return self._rows.shown(await self._write(insert))

    async def update(self, where: Mapping[str, Any], data: Mapping[str, Any], **_: object) -> Any:
        """Change columns of a row; `None` where there is none."""

        def change() -> Record | None:
            self._answers()
            found = self._store.row(where["model_id"])
            return None if found is None else self._put(found._replace(updated_at=self._client.time()), data)

        changed = await self._write(change)
        return None if changed is None else self._rows.shown(changed)

    async def delete(self, where: Mapping[str, Any], **_: object) -> Any:
        """Remove a row, and return it; `None` where there was none."""

        def remove() -> Record | None:
            self._answers()
            found = self._store.row(where["model_id"])
            if found is not None:
                self._store.remove(found.model_id)
                self._made()
            return found

        removed = await self._write(remove)
        return None if removed is None else self._rows.shown(removed)

    async def _read(self, where: Mapping[str, Any] | None) -> list[Record]:
        def read() -> list[Record]:
            self._answers()
            return [record for record in self._store.read(self._client.reading) if self._meets(record, where)]

        return await access("read", read)

    async def _write(self, carry_out: Callable[[], Any]) -> Any:
        return await access("write", carry_out)

    def _answers(self) -> None:
        """Raise what the real client raises where its database cannot be reached."""
        if self._client.reading.fails:
            if (operation := current()) is not None:
                operation.failed = True
            raise importlib.import_module("httpx").ConnectError("All connection attempts failed")

    def _put(self, record: Record, data: Mapping[str, Any]) -> Record:
        columns = {name: value for name, value in data.items() if name in Record._fields}
        for name in ("created_at", "updated_at"):
            if isinstance(at := columns.get(name), datetime):
                columns[name] = at.isoformat()
        changed = record._replace(**columns)
        self._store.put(changed)
        self._made()
        return changed

    def _made(self) -> None:
        if (operation := current()) is not None:
            operation.wrote = True

    def _meets(self, record: Record, where: Mapping[str, Any] | None) -> bool:
        for name, wanted in (where or {}).items():
            if name == "AND":
                met = all(self._meets(record, each) for each in wanted)
            elif name in Record._fields and isinstance(wanted, dict) and len(wanted) == 1:
                met = self._compares(getattr(record, name), *next(iter(wanted.items())))
            elif name in Record._fields:
                met = self._compares(getattr(record, name), "equals", wanted)
            else:
                met = self._compares(None, name, wanted)
            if not met:
                return False
        return True

    def _compares(self, value: Any, how: str, wanted: Any) -> bool:
        if how == "equals":
            return bool(value == wanted)
        if how == "not":
            return bool(value != wanted)
        if how == "in":
            return value in wanted
        if how == "startswith":
            return str(value).startswith(wanted)
        self._client.missing.append(f"the condition `{how}`")
        raise NotImplementedError(how)
