"""Change notifications: what a replica publishes of its writes, and what it does about the writes of others.

The real channel is one of Redis. A message names the rows that were written, which the hearer reads and applies at
once; the full poll with which it follows some seconds later is left to the schedule. A message of a delete names no
row. Releases before that, whose messages name no rows at all, are taken to have no notifications.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from routeproof_litellm.fleet_wire import Patch
from routeproof_litellm.wire import Delete

if TYPE_CHECKING:
    from routeproof_litellm.fleet_wire import Write

_TABLE = "litellm_proxymodeltable"
_CHANNEL = "litellm.proxy.common_utils.config_sync_pubsub"
_HEARER = "litellm.proxy.common_utils.registry_read_through"
_PUBLISHERS = (_CHANNEL, "litellm.proxy.management_endpoints.model_management_endpoints")
"""The modules that know the channel by this name of theirs."""
_CACHE = "coordination_redis_cache"


def are_offered() -> bool:
    """Return true if replicas of this release, whose proxy has been imported, tell each other which rows they wrote."""
    hearer = sys.modules.get(_HEARER)
    return _CHANNEL in sys.modules and hasattr(hearer, "resync_model_deployments_by_ids")


def of_write(write: Write) -> str:
    """Return the message of a write that was not made by a replica of this fleet."""
    ids = [] if isinstance(write, Delete) else [write.id if isinstance(write, Patch) else write.row.id]
    return json.dumps({"object_type": _TABLE, "model_ids": ids})


class News:
    """The channel of one replica."""

    namespace = None
    """The prefix of the channel's name."""

    def __init__(self) -> None:
        """Take the place of the Redis of this process."""
        self._published: list[str] = []
        self._replaced: list[tuple[Any, Any]] = []
        for name in _PUBLISHERS if are_offered() else ():
            module: Any = sys.modules[name]
            if hasattr(module, _CACHE):
                self._replaced.append((module, getattr(module, _CACHE)))
                setattr(module, _CACHE, lambda: self)

    def leave(self) -> None:
        """Put the Redis of this process back in its place."""
        for module, former in self._replaced:
            setattr(module, _CACHE, former)

    def init_pubsub_client(self) -> News:
        """Return the client of the channel."""
        return self

    async def publish(self, channel: str, message: str) -> int:
        """Publish a message; those about other tables are for nobody here."""
        del channel
        if json.loads(message)["object_type"] == _TABLE:
            self._published.append(message)
        return 1

    def published(self) -> list[str]:
        """Return what was published since it was last asked for."""
        published, self._published = self._published, []
        return published

    async def hear(self, message: str) -> None:
        """Do what a replica does at once about a message."""
        change = sys.modules[_CHANNEL].parse_config_change(message)
        if change is not None and change.model_ids:
            await sys.modules[_HEARER].resync_model_deployments_by_ids(change.model_ids)
