"""Rows of a trace as the deployments table of LiteLLM has them: encrypted parameters, model info, and a few columns."""

from __future__ import annotations

import importlib
import json
import re
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from routeproof_litellm.dialect import fields, parts
from routeproof_litellm.store import Record
from routeproof_litellm.wire import Row

if TYPE_CHECKING:
    from collections.abc import Mapping

    from routeproof_litellm.fields import Json

DEPLOYMENTS = "LiteLLM_ProxyModelTable"
"""The table of deployments as SQL names it."""

_WRITER = "admin"
_NEVER = "2026-01-01T00:00:00+00:00"


class Rows:
    """Writes and reads rows as one release does."""

    def __init__(self) -> None:
        """Read the release's schema, and import its encryption."""
        cipher = importlib.import_module("litellm.proxy.common_utils.encrypt_decrypt_utils")
        self._encrypt = cipher.encrypt_value_helper
        self._decrypt = cipher.decrypt_value_helper
        proxy = importlib.import_module("litellm.proxy")
        schema = Path(next(iter(proxy.__path__)), "schema.prisma").read_text(encoding="utf-8")
        table = re.search(rf"^model {DEPLOYMENTS} {{(.*?)^}}", schema, re.MULTILINE | re.DOTALL)
        if table is None:
            raise ImportError("its schema has no table of deployments")
        self.can_block = re.search(r"^\s*blocked\s", table[1], re.MULTILINE) is not None
        """True if the table has a column for rows that are paused."""
        pydantic = importlib.import_module("pydantic")
        self._columns = [name for name in Record._fields if name != "blocked" or self.can_block]
        columns: dict[str, Any] = dict.fromkeys(self._columns, (Any, None))
        config = pydantic.ConfigDict(protected_namespaces=())
        self._model = pydantic.create_model(DEPLOYMENTS, __config__=config, **columns)

    def record(self, row: Row) -> Record:
        """Return the row as an instance of the proxy would have stored it."""
        params, info = parts(row._asdict())
        blocked = self.can_block and row.blocked
        if self.can_block or not row.blocked:
            del info["blocked"]
        return Record(
            row.id,
            row.model_name,
            json.dumps(self.encrypted(params)),
            json.dumps(info),
            blocked,
            _NEVER,
            _WRITER,
            _NEVER,
            _WRITER,
        )

    def row(self, record: Record) -> Row:
        """Return the row that is stored there."""
        params = {key: self._plain(key, value) for key, value in json.loads(record.litellm_params).items()}
        found = fields(params, json.loads(record.model_info))
        # A row that lost a field shows an empty one.
        whole = {"model": "", "tag": "", **found, "id": record.model_id, "model_name": record.model_name}
        return Row(**{**whole, "blocked": record.blocked or bool(found.get("blocked"))})

    def patched(self, record: Record, changed: Mapping[str, Any]) -> Record:
        """Return the row with these fields changed and everything else as it was."""
        params, info = parts(changed)
        blocked = info.pop("blocked", None)
        if blocked is not None and not self.can_block:
            info["blocked"] = blocked
        return record._replace(
            model_name=changed.get("model_name", record.model_name),
            litellm_params=json.dumps({**json.loads(record.litellm_params), **self.encrypted(params)}),
            model_info=json.dumps({**json.loads(record.model_info), **info}),
            blocked=record.blocked if blocked is None or not self.can_block else blocked,
        )

    def shown(self, record: Record) -> Any:
        """Return the row as the database client shows it."""
        columns: Json = {
            **record._asdict(),
            "litellm_params": json.loads(record.litellm_params),
            "model_info": json.loads(record.model_info),
            "created_at": datetime.fromisoformat(record.created_at),
            "updated_at": datetime.fromisoformat(record.updated_at),
        }
        return self._model(**{name: columns[name] for name in self._columns})

    def encrypted(self, params: Json) -> Json:
        """Return parameters as they are stored."""
        return {key: self._encrypt(value) if isinstance(value, str) else value for key, value in params.items()}

    def _plain(self, key: str, value: Any) -> Any:
        return self._decrypt(value=value, key=key, return_original_value=True) if isinstance(value, str) else value


def reply(row: Row) -> Json:
    """Return a row as a reply has it."""
    return {
        name: value
        for name, value in row._asdict().items()
        if value is not None and not (name == "blocked" and not value)
    }
