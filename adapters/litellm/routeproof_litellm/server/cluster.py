"""A PostgreSQL of a trial's own: a cluster in a temporary directory, reached by a socket there and by nothing else."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

from routeproof_litellm.fields import WireError
from routeproof_litellm.server.processes import end_with_this_process

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

START_SECONDS_MAX = 60.0
"""The longest that the server may take to accept connections."""
END_SECONDS_MAX = 5.0
"""The longest that it may take to end."""
SQL_SECONDS_MAX = 60.0
"""The longest that statements may take."""

_USER = "postgres"
_INSTALLED = Path("/usr/lib/postgresql")
_HOW_TO_INSTALL = "install it, on Debian by `apt-get install postgresql`"


class Cluster:
    """A running server."""

    def __init__(self, directory: Path) -> None:
        """Make the cluster in this directory, which is made for it, and start its server."""
        self._programs = programs()
        self._directory = directory
        directory.mkdir()
        # The server refuses to be run by root.
        self._user = _USER if os.geteuid() == 0 else None
        if self._user is not None:
            owner = pwd.getpwnam(self._user)
            os.chown(directory, owner.pw_uid, owner.pw_gid)
        self._run("initdb", "--pgdata", str(directory / "data"), "--auth", "trust", "--username", _USER, "--no-sync")
        options = {
            "listen_addresses": "",
            "unix_socket_directories": str(directory),
            "fsync": "off",
            "full_page_writes": "off",
            "synchronous_commit": "off",
            "max_connections": "200",
        }
        words = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        self._log = (directory / "log").open("wb")
        self._server = subprocess.Popen(  # noqa: S603  a program of the installation
            [self._programs / "postgres", "-D", str(directory / "data"), *words],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            cwd="/",
            user=self._user,
            # It ends its own children, and cleans up, when it is told to, and not when it is killed.
            preexec_fn=lambda: end_with_this_process(signal.SIGQUIT),  # noqa: PLW1509  there is one thread here
        )
        self._wait()

    def url(self, database: str) -> str:
        """Return the address of a database."""
        return f"postgresql://{_USER}@localhost/{database}?host={self._directory}"

    def sql(self, database: str, text: str, values: Mapping[str, str] | None = None) -> str:
        """Carry out statements, in which `:'name'` stands for a value, and return what they print, one row a line."""
        given = [word for name, value in (values or {}).items() for word in ("-v", f"{name}={value}")]
        told = subprocess.run(  # noqa: S603  a program of the installation
            [
                self._programs / "psql",
                *("--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "-v", "ON_ERROR_STOP=1"),
                *("--host", str(self._directory), "--username", _USER, "--dbname", database),
                *given,
            ],
            input=text,
            capture_output=True,
            text=True,
            check=False,
            timeout=SQL_SECONDS_MAX,
        )
        if told.returncode != 0:
            raise WireError("internal", f"PostgreSQL refused what the adapter asked of it: {told.stderr.strip()}")
        return told.stdout

    def end(self) -> None:
        """End the server and remove the cluster."""
        if self._server.poll() is None:
            self._server.send_signal(signal.SIGQUIT)
            try:
                self._server.wait(END_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                self._server.kill()
                self._server.wait()
        self._log.close()
        # Some thousand files: `rm` is several times as quick as Python, and the gate waits a second at the end.
        subprocess.run(["rm", "-rf", str(self._directory)], check=False)  # noqa: S603, S607  the directory is our own

    def _run(self, program: str, *words: str) -> None:
        told = subprocess.run(  # noqa: S603  a program of the installation
            [self._programs / program, *words], capture_output=True, text=True, check=False, cwd="/", user=self._user
        )
        if told.returncode != 0:
            raise WireError("internal", f"PostgreSQL's `{program}` failed: {told.stderr.strip()}")

    def _wait(self) -> None:
        until = time.monotonic() + START_SECONDS_MAX
        while True:
            try:
                self.sql(_USER, "SELECT 1")
            except WireError as error:
                if self._server.poll() is None and time.monotonic() < until:
                    time.sleep(0.1)
                    continue
                log = (self._directory / "log").read_text(encoding="utf-8", errors="replace")
                self.end()
                raise WireError("internal", f"PostgreSQL did not come up: {log[-1_000:]}") from error
            return


def programs(installed: Path = _INSTALLED, found: Callable[[str], str | None] = shutil.which) -> Path:
    """Return the directory of PostgreSQL's programs, of the newest version that is installed."""
    versions = [path for path in installed.glob("*/bin") if (path / "postgres").exists()]
    if versions:
        return max(versions, key=lambda path: [int(part) for part in re.findall(r"\d+", path.parent.name)])
    if (server := found("postgres")) is not None:
        return Path(server).resolve().parent
    raise WireError("internal", f"there is no PostgreSQL server here; {_HOW_TO_INSTALL}")
