"""The place of one run of a fleet: a directory with its store and its configuration file, and its processes."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from routeproof_litellm.abandoned import PREFIX
from routeproof_litellm.proxy import write_config
from routeproof_litellm.replica import Replica
from routeproof_litellm.store import Store
from routeproof_litellm.worker import Worker

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

    from routeproof_litellm.asking import Offer
    from routeproof_litellm.dialect import Dialect
    from routeproof_litellm.rows import Rows
    from routeproof_litellm.wire import Row


class Site:
    """A directory of its own and what runs there, all gone at the end of the run, whatever ends it."""

    def __init__(self, dialect: Dialect, rows: Rows, offer: Offer | None) -> None:
        """Take what is the same for every run of the release."""
        self._dialect = dialect
        self._offer = offer
        self.rows = rows
        self._directory = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))
        self._workers: list[Worker] = []
        self._store = self._directory / "store"
        self._config = self._directory / "config.yaml"

    def __enter__(self) -> Self:
        """Return the place."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """End everything."""
        self.end()

    def end(self) -> None:
        """End the processes that have not ended, and remove the directory."""
        for worker in self._workers:
            worker.end()
        self._remove()

    def set_up(self, rows: list[Row], config: list[Row] | None) -> None:
        """Make the store with these rows, and the configuration file."""
        with self.store() as store:
            store.set_up([self.rows.record(row) for row in rows])
        self.configure(config)

    def configure(self, config: list[Row] | None) -> None:
        """Write the configuration file anew."""
        write_config(self._config, config, self._dialect)

    def store(self) -> Store:
        """Open the store; to be closed before a process is forked."""
        return Store(self._store)

    def replica(self) -> Replica:
        """Make a replica of this process."""
        return Replica(self._store, self._config, self.rows, self._offer)

    def fork(self) -> Worker:
        """Fork the process of a replica, which begins with its first order."""
        replica: list[Replica] = []

        def serve(order: Any) -> Any:
            if not replica:
                replica.append(self.replica())
            return replica[0].serve(order)

        worker = Worker(serve, self._remove)
        self._workers.append(worker)
        return worker

    def _remove(self) -> None:
        shutil.rmtree(self._directory, ignore_errors=True)
