"""The whole product as `kontor up` starts it, on ports and a folder of its own, and what a test does to it."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import psutil

from kontor.core.embedded import EmbeddedPostgres
from kontor.core.settings import default_cache_dir
from support.eventually import eventually_sync
from support.processes import CONTROL_TOKEN, ModelControl, free_port

READY_WITHIN_S = 180.0
STOPPED_WITHIN_S = 120.0
PROGRAMS = ("model", "outbox", "gateway", "api", "worker")
_FOREIGN = ("KONTOR_", "DATABASE_URL", "OPENAI_", "ANTHROPIC_", "MISTRAL_", "OLLAMA_", "TRUSTED_PROXIES")


class Stack:
    """One `kontor up`, started again as often as a test likes, with the same data."""

    def __init__(self, state: Path, output: Path, **settings: str) -> None:
        self.state = state
        self._output = output
        self._launcher: subprocess.Popen[bytes] | None = None
        ports = {name: str(free_port()) for name in ("api", "gateway", "model", "outbox", "worker", "smtp")}
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)},
            **{f"KONTOR_{name.upper()}_PORT": port for name, port in ports.items()},
            "KONTOR_STATE_DIR": str(state),
            "KONTOR_CACHE_DIR": os.environ.get("KONTOR_CACHE_DIR") or str(default_cache_dir()),
            "KONTOR_POOL_SIZE": "1",
            "KONTOR_DEMO": "off",
            "KONTOR_MODEL_CONTROL_TOKEN": CONTROL_TOKEN,
            **settings,
        }
        self.url = f"http://127.0.0.1:{ports['api']}"
        self.outbox_url = f"http://127.0.0.1:{ports['outbox']}"
        self.model = ModelControl(f"http://127.0.0.1:{ports['model']}")

    def start(self) -> str:
        """Everything runs; what this launcher said."""
        began = self._output.stat().st_size if self._output.exists() else 0
        with self._output.open("ab") as out:
            self._launcher = launcher = subprocess.Popen(
                [sys.executable, "-m", "kontor.app.cli", "up"],
                env=self.environment,
                stdout=out,
                stderr=subprocess.STDOUT,
                cwd=self.state,
                start_new_session=True,
            )

        def said() -> str:
            return self._output.read_bytes()[began:].decode()

        def runs() -> bool:
            assert launcher.poll() is None or self._fail(said())
            return "Kontor is running" in said()

        eventually_sync(runs, within_s=READY_WITHIN_S, what="everything runs")
        return said()

    def interrupt(self) -> int:
        """Ctrl-C; the launcher's exit code."""
        return self._end(signal.SIGINT)

    def kill_launcher(self) -> None:
        """kill -9 of the launcher alone."""
        self._end(signal.SIGKILL)

    def clear(self) -> None:
        """Whatever still runs is killed; for the end of a test that failed."""
        if self._launcher is not None:
            self._launcher.kill()
            self._launcher.wait()
        for process in self.processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """A `kontor` command in a second shell beside this `up`."""
        return subprocess.run(
            [sys.executable, "-m", "kontor.app.cli", *command],
            env=self.environment,
            cwd=self.state,
            capture_output=True,
            text=True,
            check=False,
        )

    def pid(self, name: str) -> int:
        """Of one of the PROGRAMS, or of `postgres`."""
        if name == "postgres":
            pid = self._postgres.pid
            assert pid is not None
            return pid
        return int(json.loads((self.state / "processes" / f"{name}.json").read_text())["pid"])

    def kill(self, name: str) -> None:
        """kill -9 of one process; afterwards it does not run, and sooner or later another one does."""
        kill(psutil.Process(self.pid(name)))

    def is_well(self) -> bool:
        """Every process runs and says that it can do its work."""
        for name in ("api", "gateway", "worker"):
            url = f"http://127.0.0.1:{self.environment[f'KONTOR_{name.upper()}_PORT']}/readyz"
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(url, timeout=5).status_code == 200:
                    continue
            return False
        return True

    def assistants(self) -> dict[str, psutil.Process]:
        """The running assistants by the name of their folder."""
        folder = self.state / "instances"
        found = {}
        for process in self.processes():
            with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                home = Path(process.environ().get("OPENCLAW_STATE_DIR", "/"))
                if home.is_relative_to(folder):
                    found[home.relative_to(folder).parts[0]] = process
        return found

    def processes(self) -> list[psutil.Process]:
        """Everything on this machine that was started for this folder, whoever is its parent now."""
        mark, found = str(self.state), []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                if process.pid == os.getpid() or process.status() == psutil.STATUS_ZOMBIE:
                    continue
                if any(mark in part for part in (*process.cmdline(), *process.environ().values())):
                    found.append(process)
        return found

    async def rows(self, sql: str, *values: object) -> list[Mapping[str, Any]]:
        """A question to the database as its superuser."""
        connection = await asyncpg.connect(self._postgres.url)
        try:
            return list(await connection.fetch(sql, *values))
        finally:
            await connection.close()

    @property
    def _postgres(self) -> EmbeddedPostgres:
        return EmbeddedPostgres(self.state)

    def _end(self, how: signal.Signals) -> int:
        assert self._launcher is not None
        self._launcher.send_signal(how)
        return self._launcher.wait(timeout=STOPPED_WITHIN_S)

    def _fail(self, said: str) -> bool:
        raise RuntimeError(f"kontor up ended: {said}")


def kill(process: psutil.Process) -> None:
    """kill -9, and it is gone."""
    process.kill()
    eventually_sync(
        lambda: not process.is_running() or process.status() == psutil.STATUS_ZOMBIE, what=f"{process.pid} is gone"
    )
