"""Directories of runs whose processes are no more."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING

from routeproof_litellm.abandoned import PREFIX, remove_abandoned

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_the_directories_of_processes_that_are_no_more_are_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path))
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    names = [f"{PREFIX}{gone.pid}-a", f"{PREFIX}{os.getpid()}-b", f"{PREFIX}x-c", "others"]
    for name in names:
        (tmp_path / name).mkdir()
    (tmp_path / names[0] / "store").write_text("")
    remove_abandoned()
    assert sorted(place.name for place in tmp_path.iterdir()) == sorted(names[1:])
