"""The log of LiteLLM: silent, but for what its router writes while it is listened to."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROUTER = "LiteLLM Router"
_OTHERS = ("LiteLLM", "LiteLLM Proxy")
_SILENT = logging.CRITICAL + 1


class Log(logging.Handler):
    """Keeps what the router complains of, which is all that a refusal leaves where it is swallowed."""

    def __init__(self) -> None:
        """Silence every log, and take the place of the handlers of the router's."""
        super().__init__()
        self._complaints: list[logging.LogRecord] = []
        for name in (None, *_OTHERS):
            logging.getLogger(name).setLevel(_SILENT)
        self._logger = logging.getLogger(_ROUTER)
        self._logger.handlers[:] = [self]
        self._logger.propagate = False
        self._logger.setLevel(_SILENT)

    @contextmanager
    def heard(self) -> Iterator[None]:
        """Listen, after forgetting what was heard before."""
        self._complaints.clear()
        self._logger.setLevel(logging.DEBUG)
        try:
            yield
        finally:
            self._logger.setLevel(_SILENT)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a complaint; the oldest releases tell of a swallowed refusal at the level of debugging."""
        if record.levelno >= logging.WARNING or _is_of_an_error(record):
            self._complaints.append(record)

    def why(self) -> str | None:
        """Return the first error that was told of, or else the first complaint: what follows is of its consequences."""
        if not self._complaints:
            return None
        record = next(filter(_is_of_an_error, self._complaints), self._complaints[0])
        error = record.exc_info[1] if record.exc_info else None
        return record.getMessage() if error is None else f"{type(error).__name__}: {error}"


def _is_of_an_error(record: logging.LogRecord) -> bool:
    return record.getMessage().startswith("Error ")
