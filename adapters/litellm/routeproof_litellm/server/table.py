"""The table of deployments in PostgreSQL, as the adapter reads and writes it beside the replicas."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from routeproof_litellm.rows import DEPLOYMENTS
from routeproof_litellm.store import Record, shuffled

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from typing_extensions import Self

    from routeproof_litellm.server.cluster import Cluster
    from routeproof_litellm.store import Reading

_ORDERS = {"insertion": "created_at, model_id", "last_update": "xmin::text::bigint"}
"""The columns of each order of rows. A write is a transaction of its own, whose number is that of the row's version."""


class Table:
    """The table of one database."""

    def __init__(self, cluster: Cluster, database: str, *, can_block: bool) -> None:
        """Take the database; with `can_block`, the table has a column for rows that are paused."""
        self._cluster = cluster
        self._database = database
        self._can_block = can_block

    def __enter__(self) -> Self:
        """Return the table."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Nothing is open."""

    def remember(self) -> None:
        """Keep the state before each write from now on, for reads that are to show it."""
        self._cluster.sql(self._database, _REMEMBER)

    def rows(self) -> list[Record]:
        """Return the rows, in the order of their ids."""
        return self._select('ORDER BY model_id COLLATE "C"', {})

    def row(self, number: str) -> Record | None:
        """Return the row of that id."""
        found = self._select("WHERE model_id = :'number'", {"number": number})
        return found[0] if found else None

    def put(self, record: Record) -> None:
        """Insert the row, or put it in the place of the row of that id."""
        names = ["model_id", "model_name", "litellm_params", "model_info"]
        names += ["blocked"] if self._can_block else []
        values = {name: str(getattr(record, name)) for name in names}
        given = ", ".join(f":'{name}'" for name in names)
        changed = ", ".join(f"{name} = EXCLUDED.{name}" for name in (*names[1:], "updated_at"))
        self._cluster.sql(
            self._database,
            f'INSERT INTO "{DEPLOYMENTS}" ({", ".join(names)}, created_at, created_by, updated_at, updated_by) '  # noqa: S608
            f"VALUES ({given}, clock_timestamp(), 'admin', clock_timestamp(), 'admin') "
            f"ON CONFLICT (model_id) DO UPDATE SET {changed};",
            values,
        )

    def remove(self, number: str) -> None:
        """Remove the row of that id, which is there."""
        text = f"DELETE FROM \"{DEPLOYMENTS}\" WHERE model_id = :'number';"  # noqa: S608  the name is our own
        self._cluster.sql(self._database, text, {"number": number})

    def seen(self, reading: Reading, ids: Sequence[str]) -> list[str]:
        """Return those of these rows that a read shows, in the order in which it shows them."""
        if reading.view == "nothing":
            return []
        if reading.view == "first_row":
            first = self._ids('ORDER BY model_id COLLATE "C" LIMIT 1')
            return [number for number in ids if number in first]
        if isinstance(reading.order, int):
            return sorted(ids, key=lambda number: shuffled(int(reading.order), number))
        order = self._ids(f"ORDER BY {_ORDERS[reading.order]}")
        # A row that was removed since it was read comes last.
        places = {number: place for place, number in enumerate(order)}
        return sorted(ids, key=lambda number: places.get(number, len(places)))

    def _ids(self, which: str) -> list[str]:
        text = f'SELECT to_json(model_id) FROM "{DEPLOYMENTS}" {which};'  # noqa: S608  the conditions are our own
        return [json.loads(line) for line in self._cluster.sql(self._database, text).splitlines()]

    def _select(self, which: str, values: dict[str, str]) -> list[Record]:
        text = f'SELECT to_json(found) FROM (SELECT * FROM "{DEPLOYMENTS}" {which}) AS found;'  # noqa: S608  likewise
        lines = self._cluster.sql(self._database, text, values).splitlines()
        return [self._record(json.loads(line)) for line in lines]

    def _record(self, found: dict[str, object]) -> Record:
        columns = {name: str(found.get(name)) for name in Record._fields}
        columns["litellm_params"] = json.dumps(found["litellm_params"])
        columns["model_info"] = json.dumps(found["model_info"] or {})
        return Record(**{**columns, "blocked": bool(found.get("blocked", False))})  # type: ignore[arg-type]  # one is a flag


_TABLE = f'"{DEPLOYMENTS}"'
_REMEMBER = f"""
CREATE SCHEMA before;
CREATE TABLE before.{_TABLE} (LIKE public.{_TABLE} INCLUDING ALL);
INSERT INTO before.{_TABLE} SELECT * FROM public.{_TABLE};
CREATE FUNCTION before.remember() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
    DELETE FROM before.{_TABLE};
    INSERT INTO before.{_TABLE} SELECT * FROM public.{_TABLE};
    RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
END $body$;
CREATE TRIGGER remember BEFORE INSERT OR UPDATE OR DELETE ON public.{_TABLE}
    FOR EACH ROW EXECUTE FUNCTION before.remember();
"""  # noqa: S608  the name is our own
