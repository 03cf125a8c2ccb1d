"""The locks of asyncio in this process: which operation has which, and which one waits for it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Name = TypeVar("Name")


class Locks(Generic[Name]):
    """Knows which operation has which lock, and which waits for one."""

    def __init__(self, current: Callable[[], Name | None], changed: Callable[[Name], None] = lambda _: None) -> None:
        """Watch every lock of this process from now on, on behalf of what `current` names.

        An operation that begins or ends to wait is told to `changed`.
        """
        self._owners: dict[asyncio.Lock, Name | None] = {}
        self._awaited: dict[Name, asyncio.Lock] = {}
        acquire = asyncio.Lock.acquire
        # mypy does not know that a method can be replaced.
        self._lock: Any = vars(asyncio)["Lock"]
        self._acquire: Any = acquire

        async def watched(lock: asyncio.Lock) -> Literal[True]:
            operation = current()
            waits = operation is not None and lock.locked()
            if operation is not None and waits:
                self._awaited[operation] = lock
                changed(operation)
            try:
                await acquire(lock)
            finally:
                if operation is not None and waits:
                    self._awaited.pop(operation, None)
                    changed(operation)
            self._owners[lock] = operation
            return True

        self._lock.acquire = watched

    def leave(self) -> None:
        """Watch no more."""
        self._lock.acquire = self._acquire

    def makes_wait(self, operation: Name) -> bool:
        """Return true if the operation waits for a lock."""
        return operation in self._awaited

    def owner(self, operation: Name) -> Name | None:
        """Return the operation that has the lock for which this one waits, where both are known."""
        lock = self._awaited.get(operation)
        return None if lock is None else self._owners.get(lock)
