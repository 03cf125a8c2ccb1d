"""The public members of `litellm.Router` that a trial calls, and the replacements where a release has dropped one.

Up to 1.109 the router has one method for each operation. From 1.109 on it also has a few entry points (`apply`,
`registry`, `select`, `retire`), and 1.110 announces that most of the older methods will go. An older method is called
while it is there, so that one code path serves every release that has it. The router is inspected for it, since the
version does not tell.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from routeproof_litellm.fields import Json

_PICKS = {"sync": ("get_available_deployment",), "async": ("async_get_available_deployment", "select")}
"""The code paths of a lookup, each with the methods that walk it, the one to prefer first."""

_OPERATIONS = {
    "upsert": ("upsert_deployment", "apply"),
    "add": ("add_deployment",),
    "delete": ("delete_deployment", "apply"),
    "replace": ("set_model_list",),
    "listing": ("get_model_names", "registry"),
    "claims": ("get_model_ids", "registry"),
}
"""The capabilities that hang on a method, each with the methods that give it."""

_REGISTRY: dict[str, Callable[[Any], Any]] = {
    "model_list": lambda registry: registry.all(),
    "model_names": lambda registry: registry.names(kind="group_set"),
    "team_public_model_names": lambda registry: registry.names(kind="team_public"),
    "deployment_names": lambda registry: registry.names(kind="deployment_names"),
    "model_name_to_deployment_indices": lambda registry: registry.index("model_name"),
    "team_model_to_deployment_indices": lambda registry: registry.index("team_model"),
    "pattern_router": lambda registry: registry.patterns(),
    "team_pattern_routers": lambda registry: registry.patterns(team=True),
    "auto_routers": lambda registry: registry.plugins("auto"),
    "complexity_routers": lambda registry: registry.plugins("complexity"),
    "quality_routers": lambda registry: registry.plugins("quality"),
    "adaptive_routers": lambda registry: registry.plugins("adaptive"),
}
"""The derived structures that a registry shows, by the names that they have as members of a router."""


class Surface:
    """Calls the operations of any router of one release."""

    def __init__(self, methods: Iterable[str]) -> None:
        """Take the names of the methods that routers of the release have."""
        self._names = frozenset(methods)

    @classmethod
    def of(cls, router: Any) -> Surface:
        """See which methods this router has."""
        names = {name for names in (*_OPERATIONS.values(), *_PICKS.values()) for name in names}
        names.update(("get_deployment", "discard", "registry", "retire", "async_get_healthy_deployments"))
        return cls(name for name in names if callable(getattr(router, name, None)))

    def methods(self) -> list[str]:
        """Return the names of the methods that are used."""
        return sorted(self._names)

    def has(self, name: str) -> bool:
        """Return true if routers of this release have a method of that name."""
        return name in self._names

    def lacks(self) -> frozenset[str]:
        """Return the capabilities that this release has no method for."""
        return frozenset(word for word, names in _OPERATIONS.items() if not any(map(self.has, names)))

    def paths(self) -> tuple[str, ...]:
        """Return the code paths that a lookup can take."""
        return tuple(path for path, names in _PICKS.items() if any(map(self.has, names)))

    def upsert(self, router: Any, deployment: Any) -> Any:
        """Insert or replace a deployment; `None` where the router says that nothing changed."""
        if self.has("upsert_deployment"):
            return router.upsert_deployment(deployment)
        return router.apply(_changes(upsert=[deployment])).upserted[0]

    def add(self, router: Any, deployment: Any) -> Any:
        """Insert a deployment; `None` where the router did not insert it."""
        return router.add_deployment(deployment)

    def delete(self, router: Any, number: str) -> Any:
        """Remove a deployment; `None` where there was none."""
        if self.has("delete_deployment"):
            return router.delete_deployment(id=number)
        return router.apply(_changes(delete=[number])).deleted[0]

    def replace(self, router: Any, model_list: list[Json]) -> None:
        """Load a list in place of all deployments."""
        router.set_model_list(model_list)

    def deployment(self, router: Any, number: str) -> Any:
        """Return the deployment of that id as the router holds it, or `None`."""
        if self.has("get_deployment"):
            return router.get_deployment(model_id=number)
        return router.registry().deployment(number)

    def ids(self, router: Any) -> list[str]:
        """Return the ids that the router says it holds."""
        if self.has("get_model_ids"):
            return list(router.get_model_ids())
        return list(router.registry().names(kind="ids"))

    def names(self, router: Any, team: str | None) -> list[str]:
        """Return the names that callers of that team are shown."""
        if self.has("get_model_names"):
            return list(router.get_model_names(team_id=team))
        return list(router.registry().names(team_id=team))

    async def pick(self, router: Any, path: str, model: str, **request: Any) -> Any:
        """Ask for one deployment, by that code path."""
        if path == "sync":
            return router.get_available_deployment(model=model, **request)
        if self.has("async_get_available_deployment"):
            return await router.async_get_available_deployment(model=model, **request)
        return await router.select(model, **request)

    async def healthy(self, router: Any, model: str, **request: Any) -> Any:
        """Ask for the deployments that the async path would pick from."""
        if self.has("async_get_healthy_deployments"):
            return await router.async_get_healthy_deployments(model=model, **request)
        return await router.select(model, kind="healthy", **request)

    def structure(self, router: Any, name: str) -> Any:
        """Return a derived structure of the router, or `None` where this release shows none of that name."""
        read = _REGISTRY.get(name)
        if read is not None and self.has("registry"):
            try:
                return read(router.registry())
            # What a registry shows differs between the releases that have one.
            except (AttributeError, TypeError, ValueError):
                pass
        # In 1.109 the core of the router holds its members under a prefix, and the router shows only some of them.
        members = vars(vars(router).get("_core", router))
        for held in (f"_core_{name}", name):
            if held in members:
                return members[held]
        return getattr(router, name, None)

    def retire(self, router: Any) -> None:
        """Take the router's callbacks out of the process."""
        if self.has("discard"):
            router.discard()
        elif self.has("retire"):
            router.retire()


def _changes(**changes: Any) -> Any:
    return importlib.import_module("litellm.router_api").ChangeSet(**changes)
