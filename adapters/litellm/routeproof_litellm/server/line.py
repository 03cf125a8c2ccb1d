"""A line from a replica, or from its query engine, to the adapter: JSON, one message a line."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from routeproof_litellm.fields import Json


class Line:
    """One end of a line."""

    def __init__(self, lines: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take both directions."""
        self._lines = lines
        self._writer = writer
        self._asked = 0
        self._settled: dict[int, asyncio.Future[None]] = {}
        self.is_replica = False
        """True if a replica is at the other end, and not its query engine."""

    async def next(self) -> Json | None:
        """Return the next message; `None` once the other end is closed."""
        try:
            while text := await self._lines.readline():
                message: Json = json.loads(text)
                if "still" not in message:
                    return message
                self._settled.pop(message["still"]).set_result(None)
        except ConnectionError:
            pass
        for waiting in self._settled.values():
            waiting.set_result(None)
        self._settled.clear()
        return None

    def say(self, message: Json | int) -> None:
        """Send a message, unless the other end is closed."""
        if not self._writer.is_closing():
            self._writer.write(json.dumps(message).encode() + b"\n")

    async def settle(self) -> None:
        """Wait until the replica at the other end has done all that was ready."""
        self._asked += 1
        settled = self._settled[self._asked] = asyncio.get_running_loop().create_future()
        self.say(self._asked)
        await settled

    def close(self) -> None:
        """Close it."""
        self._writer.close()
