"""The real proxy of LiteLLM in this process, without its web server: start, poll, admin endpoints and requests.

Each is the function that the running proxy calls. The database client and the configuration file are those of a trial;
the proxy reads the deployments from both, and nothing else from the database. It has a licence, since the endpoints
refuse the rows of teams without one.
"""

from __future__ import annotations

import importlib
import inspect
import json
from typing import TYPE_CHECKING, Any

from routeproof_litellm.asking import refusal, said
from routeproof_litellm.bodies import Bodies, Refused
from routeproof_litellm.fleet_wire import Put
from routeproof_litellm.holding import current
from routeproof_litellm.surface import Surface
from routeproof_litellm.wire import Delete

if TYPE_CHECKING:
    from pathlib import Path

    from routeproof_litellm.asking import Asker
    from routeproof_litellm.client import Client
    from routeproof_litellm.dialect import Dialect
    from routeproof_litellm.fields import Json
    from routeproof_litellm.fleet_wire import Write
    from routeproof_litellm.rows import Rows
    from routeproof_litellm.wire import Query, Row

MODULES = (
    "litellm.proxy.proxy_server",
    "litellm.proxy.management_endpoints.model_management_endpoints",
    "litellm.proxy.route_llm_request",
)
"""The modules that are imported before any process is forked."""

_GLOBALS = (
    "general_settings",
    "llm_model_list",
    "llm_router",
    "master_key",
    "premium_user",
    "prisma_client",
    "store_model_in_db",
    "user_config_file_path",
)
"""What a start, or a trial, sets in the module of the proxy."""

SALT = "sk-of-a-trial-0123456789abcdef0123456789abcdef"
"""The key with which the values of the database are encrypted, and the master key of the proxy."""


def write_config(path: Path, rows: list[Row] | None, dialect: Dialect) -> None:
    """Write the configuration file, with these rows as its list, or without a list."""
    config: Json = {
        "general_settings": {"master_key": SALT, "store_model_in_db": True, "supported_db_objects": ["models"]}
    }
    if rows is not None:
        config["model_list"] = [_configured(row, dialect) for row in rows]
    # JSON is YAML.
    path.write_text(json.dumps(config), encoding="utf-8")


def _configured(row: Row, dialect: Dialect) -> Json:
    params, info = dialect.deployment(row)
    return {"model_name": row.model_name, "litellm_params": params, "model_info": {**info, "db_model": False}}


class Proxy:
    """The proxy of this process."""

    def __init__(self, client: Client, config: Path, rows: Rows) -> None:
        """Take the place of what the proxy would make of its environment."""
        self._server: Any
        self._endpoints: Any
        self._requests: Any
        self._server, self._endpoints, self._requests = map(importlib.import_module, MODULES)
        self._types: Any = importlib.import_module("litellm.proxy._types")
        self._models: Any = importlib.import_module("litellm.types.router")
        self._client = client
        self._config = str(config)
        self._rows = rows
        self._bodies = Bodies(can_block=rows.can_block)
        self._before = {name: vars(self._server).get(name) for name in _GLOBALS}
        self._server.prisma_client = client
        self._server.user_config_file_path = self._config
        self._server.premium_user = True
        self._admin = self._types.UserAPIKeyAuth(
            user_role=self._types.LitellmUserRoles.PROXY_ADMIN, user_id="admin", api_key="sk-admin"
        )

    @property
    def router(self) -> Any:
        """The router that serves requests now; `None` before the start."""
        return self._server.llm_router

    def leave(self) -> None:
        """Put back what the proxy keeps, as it was before the start."""
        if self.router is not None:
            Surface.of(self.router).retire(self.router)
        vars(self._server).update(self._before)

    async def start(self) -> str:
        """Come up: load the configuration file, and then what the database has."""
        server = self._server
        loaded = await server.proxy_config.load_config(router=None, config_file_path=self._config)
        server.llm_router, server.llm_model_list, server.general_settings = loaded
        await self.poll()
        await server.proxy_config.get_credentials(prisma_client=self._client)
        return "done"

    async def poll(self) -> str:
        """Read the database, as each proxy does on a timer."""
        server = self._server
        await server.proxy_config.add_deployment(prisma_client=self._client, proxy_logging_obj=server.proxy_logging_obj)
        return "done"

    async def write(self, write: Write, asker: Asker) -> Json:
        """Carry out a write by way of the admin endpoint for it."""
        operation = current()
        try:
            await self._write(write)
        except Refused as error:
            outcome: Json | str = {"refused": str(error)}
        except Exception as error:  # noqa: BLE001  whatever the endpoint throws is its answer
            # Behind an error a write may have been made; only where none was, and the store answered, is it a refusal.
            if operation is not None and (operation.wrote or operation.failed):
                return {"failed": said(error)}
            outcome = {"refused": said(error)}
        else:
            outcome = "applied"
        return {"changed": {"outcome": outcome, "held": asker.held(self.router)}}

    async def request(self, query: Query, asker: Asker) -> Json:
        """Route the request of a caller, and return what the router picks from for it."""
        data: Json = {
            "model": query.model,
            "messages": [{"role": "user", "content": "hello"}],
            "metadata": {} if query.team is None else {"user_api_key_team_id": query.team},
        }
        try:
            call = await self._requests.route_request(
                data=data, llm_router=self.router, user_model=None, route_type="acompletion"
            )
        except self._requests.ProxyModelNotFoundError:
            return {"answered": [{"refused": "unknown_model"}] * len(asker.paths())}
        except Exception as error:  # noqa: BLE001  whatever the proxy throws is its answer
            return {"answered": [refusal(error)] * len(asker.paths())}
        # The call itself would reach an upstream.
        if inspect.iscoroutine(call):
            call.close()
        return {"answered": await asker.answer(self.router, query._replace(model=data.get("model", query.model)))}

    async def _write(self, write: Write) -> None:
        if isinstance(write, Delete):
            await self._endpoints.delete_model(self._types.ModelInfoDelete(id=write.id), self._admin)
            return
        record = self._client.store.row(write.row.id) if isinstance(write, Put) else None
        asked = self._bodies.of(write, None if record is None else self._rows.row(record))
        if asked.id is None:
            await self._endpoints.add_new_model(self._models.Deployment.model_validate(asked.body), self._admin)
            return
        kind = getattr(self._endpoints, "PatchModelRequest", self._models.updateDeployment)
        await self._endpoints.patch_model(asked.id, kind.model_validate(asked.body), self._admin)
