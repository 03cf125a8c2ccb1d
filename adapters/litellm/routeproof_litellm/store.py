"""The store of a fleet: one SQLite file with the table of deployments, which every replica reads and writes.

The table keeps the former versions of each row, so that a read can show the state before the last write. All
processes of a run use the file, but never two at once, and no transaction outlasts one call. A connection must not be
inherited by a forked process: whoever forks closes its own first.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from typing_extensions import Self

    from routeproof_litellm.fleet_wire import RowOrder, View

_FOREVER = 1 << 62
"""The end of a version that is still the current one, in revisions."""
_FNV_OFFSET, _FNV_PRIME, _U64 = 0xCBF29CE484222325, 0x00000100000001B3, (1 << 64) - 1


class Record(NamedTuple):
    """One row of the table, as the release's schema has it; parameters and model info are JSON."""

    model_id: str
    model_name: str
    litellm_params: str
    model_info: str
    blocked: bool
    created_at: str
    created_by: str
    updated_at: str
    updated_by: str


class Reading(NamedTuple):
    """The behaviour of reads of the store at a moment."""

    fails: bool = False
    view: View = "all"
    order: RowOrder = "insertion"


class Store:
    """A connection to the store of one run."""

    def __init__(self, path: Path) -> None:
        """Open the file; the first to do so makes the table."""
        self._connection = sqlite3.connect(path, isolation_level=None)
        # The file is thrown away with the run: nothing of it has to survive a crash of the machine.
        self._connection.execute("PRAGMA synchronous = OFF")
        self._connection.execute("PRAGMA journal_mode = MEMORY")

    def __enter__(self) -> Self:
        """Return the connection."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Close the connection."""
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def set_up(self, records: list[Record]) -> None:
        """Make the table, with these rows in it; before them there is no state to show."""
        columns = ", ".join(Record._fields)
        self._connection.execute(f"CREATE TABLE deployments ({columns}, inserted, since, until)")
        self._connection.execute("CREATE TABLE clock (revision, first)")
        self._connection.execute("INSERT INTO clock VALUES (0, 0)")
        for record in records:
            self.put(record)
        self._connection.execute("UPDATE clock SET first = revision")

    def rows(self) -> list[Record]:
        """Return the rows as they are, whatever reads show, in the order of their ids."""
        found = self._connection.execute(f"{_SELECT} WHERE until = ? ORDER BY model_id", (_FOREVER,))
        return [_record(columns) for columns in found]

    def row(self, number: str) -> Record | None:
        """Return the row of that id as it is."""
        found = self._connection.execute(f"{_SELECT} WHERE until = ? AND model_id = ?", (_FOREVER, number)).fetchone()
        return None if found is None else _record(found)

    def revision(self) -> int:
        """Return the number of writes that were made, those of the set-up included."""
        [(revision,)] = self._connection.execute("SELECT revision FROM clock").fetchall()
        return int(revision)

    def read(self, reading: Reading) -> list[Record]:
        """Return the rows that a read sees, in the order in which it gives them."""
        [(now, first)] = self._connection.execute("SELECT revision, first FROM clock").fetchall()
        seen = now - 1 if reading.view == "before_last_write" and now > first else now
        by = "since" if reading.order == "last_update" else "inserted"
        found = self._connection.execute(f"{_SELECT} WHERE since <= ? AND until > ? ORDER BY {by}", (seen, seen))
        records = [_record(columns) for columns in found]
        if reading.view == "nothing":
            return []
        if reading.view == "first_row":
            return sorted(records)[:1]
        if isinstance(reading.order, int):
            shuffle = reading.order
            records.sort(key=lambda record: shuffled(shuffle, record.model_id))
        return records

    def put(self, record: Record) -> None:
        """Insert the row, or put it in the place of the row of that id."""
        with _Transaction(self._connection) as revision:
            (inserted,) = self._connection.execute(
                "SELECT coalesce(min(inserted), ?) FROM deployments WHERE model_id = ? AND until = ?",
                (revision, record.model_id, _FOREVER),
            ).fetchone()
            self._end(record.model_id, revision)
            marks = ", ".join("?" * (len(record) + 3))
            self._connection.execute(
                f"INSERT INTO deployments VALUES ({marks})",  # noqa: S608  only marks are filled in
                (*record, inserted, revision, _FOREVER),
            )

    def remove(self, number: str) -> None:
        """Remove the row of that id, which is there."""
        with _Transaction(self._connection) as revision:
            self._end(number, revision)

    def _end(self, number: str, revision: int) -> None:
        self._connection.execute(
            "UPDATE deployments SET until = ? WHERE model_id = ? AND until = ?", (revision, number, _FOREVER)
        )


class _Transaction:
    """One write: the next revision, all of it or nothing."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> int:
        self._connection.execute("BEGIN IMMEDIATE")
        [(revision,)] = self._connection.execute(
            "UPDATE clock SET revision = revision + 1 RETURNING revision"
        ).fetchall()
        return int(revision)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._connection.execute("COMMIT" if kind is None else "ROLLBACK")


_SELECT = f"SELECT {', '.join(Record._fields)} FROM deployments"  # noqa: S608  the columns are our own


def _record(columns: tuple[Any, ...]) -> Record:
    record = Record(*columns)
    return record._replace(blocked=bool(record.blocked))


def shuffled(number: int, model_id: str) -> int:
    """Return the place of a row in the order of that number. Source: FNV-1a, RFC 9923."""
    value = _FNV_OFFSET
    for byte in number.to_bytes(4, "little") + model_id.encode():
        value = ((value ^ byte) * _FNV_PRIME) & _U64
    return value
