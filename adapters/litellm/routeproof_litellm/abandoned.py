"""The directories of runs, and what becomes of them where no process was left to remove its own."""

import shutil
import tempfile
from pathlib import Path

PREFIX = "routeproof-litellm-"
"""The beginning of their names; the number of the process that made one follows."""


def remove_abandoned() -> None:
    """Remove those of processes that are no more: what kills all of them at once leaves theirs behind."""
    processes = Path("/proc")
    if not (processes / "self").exists():
        return
    for directory in Path(tempfile.gettempdir()).glob(f"{PREFIX}*-*"):
        owner = directory.name.removeprefix(PREFIX).split("-")[0]
        if owner.isdigit() and not (processes / owner).exists():
            shutil.rmtree(directory, ignore_errors=True)
