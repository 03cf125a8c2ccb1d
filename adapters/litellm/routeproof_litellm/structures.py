"""The derived structures of a router: how many entries each has, and which versions of rows it still holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from routeproof_litellm.candidates import identity

if TYPE_CHECKING:
    from collections.abc import Iterable

    from routeproof_litellm.fields import Json
    from routeproof_litellm.surface import Surface

_LISTS = ("model_list", "deployment_names", "provider_default_deployment_ids")
_TABLES = (
    "model_id_to_deployment_index_map",
    "model_names",
    "team_public_model_names",
    "deployment_latency_map",
)
_INDEXES = ("model_name_to_deployment_indices", "team_model_to_deployment_indices")
_STRATEGIES = ("auto_routers", "complexity_routers", "quality_routers", "adaptive_routers")


class Structures:
    """Looks into the derived structures of routers of one release; one that a release does not show is left out."""

    def __init__(self, surface: Surface) -> None:
        """Look by way of this surface."""
        self._surface = surface

    def sizes(self, router: Any) -> dict[str, int]:
        """Count the entries of each structure."""
        sizes = {name: len(found) for name, found in self._shown(router, (*_LISTS, *_TABLES))}
        for name, table in self._shown(router, (*_INDEXES, *_STRATEGIES)):
            # Before 1.94 a strategy registry holds one router a name, and later a list of them.
            sizes[name] = sum(len(entry) if isinstance(entry, list) else 1 for entry in table.values())
        for name, tables in self._patterns(router):
            sizes[name] = sum(len(found) for table in tables for found in table.patterns.values())
        return sizes

    def holds(self, router: Any) -> dict[str, list[str]]:
        """Name the versions of rows, by their tags, that each structure still holds."""
        rows = self._surface.structure(router, "model_list") or []
        held = {"model_list": _tags(rows)}
        for name, table in self._shown(router, ("model_id_to_deployment_index_map", *_INDEXES)):
            places = (place for entry in table.values() for place in (entry if isinstance(entry, list) else [entry]))
            # A place beyond the list is a fault of the index, and shows no row.
            held[name] = _tags(rows[place] for place in places if 0 <= place < len(rows))
        for name, tables in self._patterns(router):
            held[name] = _tags(row for table in tables for found in table.patterns.values() for row in found)
        return held

    def _patterns(self, router: Any) -> list[tuple[str, list[Any]]]:
        shown = dict(self._shown(router, ("pattern_router", "team_pattern_routers")))
        teams = shown.get("team_pattern_routers")
        return [
            *([("pattern_router", [shown["pattern_router"]])] if "pattern_router" in shown else []),
            *([("team_pattern_routers", list(teams.values()))] if teams is not None else []),
        ]

    def _shown(self, router: Any, names: Iterable[str]) -> list[tuple[str, Any]]:
        shown = ((name, self._surface.structure(router, name)) for name in names)
        return [(name, found) for name, found in shown if found is not None]


def _tags(rows: Iterable[Json]) -> list[str]:
    return [tag for row in rows if (tag := identity(row)[2])]
