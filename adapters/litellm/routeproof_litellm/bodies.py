"""Writes of a trace as the admin endpoints of the proxy take them, and those that no endpoint can carry out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from routeproof_litellm.dialect import parts
from routeproof_litellm.fleet_wire import Patch, Put

if TYPE_CHECKING:
    from collections.abc import Mapping

    from routeproof_litellm.fields import Json
    from routeproof_litellm.wire import Add, Row


class Refused(Exception):  # noqa: N818  it is an answer
    """A write that no endpoint can carry out."""


class Asked(NamedTuple):
    """The request to an endpoint: to patch the row of an id, or to add one where there is none."""

    id: str | None
    body: Json


class Bodies:
    """Says writes in the words of the endpoints of one release."""

    def __init__(self, *, can_block: bool) -> None:
        """With `can_block`, the table has a column for rows that are paused."""
        self._can_block = can_block

    def of(self, write: Add | Put | Patch, stored: Row | None) -> Asked:
        """Return what carries out the write; `stored` is the row of that id for a `Put`, which may be an update."""
        if isinstance(write, Patch):
            self._check_fields(write.fields)
            return self._patch(write.id, write.fields)
        if not isinstance(write, Put) or stored is None:
            return self._new(write.row)
        self._check_fields(write.row._asdict())
        self._check_clears(write.row, stored)
        return self._patch(write.row.id, write.row._asdict())

    def _new(self, row: Row) -> Asked:
        if row.team is not None:
            raise Refused("POST /model/new gives the row of a team a name of its own; write it straight into the store")
        params, info = parts(row._asdict())
        del info["blocked"]
        body: Json = {"model_name": row.model_name, "litellm_params": params, "model_info": info}
        if row.blocked:
            self._check_fields({"blocked": True})
            body["blocked"] = True
        return Asked(None, body)

    def _patch(self, number: str, changed: Mapping[str, Any]) -> Asked:
        params, info = parts(changed)
        info.pop("blocked", None)
        body: Json = {}
        if (name := changed.get("model_name")) is not None:
            body["model_name"] = name
        if params:
            body["litellm_params"] = params
        if info:
            # Without its id the model info is given another one.
            body["model_info"] = {**info, "id": number}
        if self._can_block and changed.get("blocked") is not None:
            body["blocked"] = changed["blocked"]
        return Asked(number, body)

    def _check_fields(self, changed: Mapping[str, Any]) -> None:
        """Refuse fields that no endpoint sets as they are."""
        if changed.get("team") is not None:
            raise Refused("PATCH gives the row of a team a name of its own; write it straight into the store")
        if changed.get("blocked") and not self._can_block:
            raise Refused("this release has no endpoint that blocks a row; write it straight into the store")

    def _check_clears(self, row: Row, stored: Row) -> None:
        """Refuse a row without a field that the stored one has: PATCH clears nothing."""
        gone = [name for name, value in stored._asdict().items() if value is not None and getattr(row, name) is None]
        if gone:
            raise Refused(f"PATCH cannot clear `{gone[0]}`; write it straight into the store")
