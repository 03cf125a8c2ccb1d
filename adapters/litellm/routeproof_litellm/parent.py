"""The end of this process with its parent."""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

PARENT_SECONDS = 1.0
"""How often the parent is looked for."""


def end_with_the_parent(last: Callable[[], None] | None = None) -> None:
    """End when the process that started this one is gone: the end of the input is not seen within a long run.

    Before that, do what is `last`.
    """
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(PARENT_SECONDS)
        try:
            if last is not None:
                last()
        finally:
            os._exit(0)

    threading.Thread(target=watch, daemon=True).start()
