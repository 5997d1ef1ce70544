"""The product's own processes as tests start them: the built-in model and the gateway, on ports of their own."""

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import httpx

from support.eventually import eventually_sync

BELOW_EPHEMERAL = range(20_000, 32_000)
CONTROL_TOKEN = "control-token-of-the-tests"


def free_port() -> int:
    """A TCP port of this machine that nobody listens on, below those that the system gives to connections.

    By lot, so that two runs that ask at one moment do not get the same; a connection made before the port is used
    cannot take it.
    """
    while True:
        port = secrets.choice(BELOW_EPHEMERAL)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


class Process:
    """A program under test; `log` is its standard error so far."""

    def __init__(self, module: str, env: Mapping[str, str], port: int, log: Path, *arguments: str) -> None:
        self._command = [sys.executable, "-m", module, *arguments]
        self._env = {**os.environ, **env}
        self._log = log
        self.url = f"http://127.0.0.1:{port}"
        self._running: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        """It answers /healthz."""
        with self._log.open("ab") as log:
            self._running = subprocess.Popen(self._command, env=self._env, stderr=log, stdout=log)
        try:
            eventually_sync(self._is_up, within_s=90, what=f"{self._command[-1]} is up")
        except BaseException:
            self.kill()
            raise
        return self

    def kill(self) -> None:
        """SIGKILL, and reaped."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        return self._end(signal.SIGTERM)

    @property
    def pid(self) -> int:
        """Of the running program."""
        assert self._running is not None
        return self._running.pid

    @property
    def memory_bytes(self) -> int:
        """Resident now."""
        return self._memory("VmRSS")

    @property
    def peak_bytes(self) -> int:
        """The most that was resident since `forget_peak`."""
        return self._memory("VmHWM")

    def forget_peak(self) -> None:
        """What is resident now is the most so far. Source: proc(5), /proc/pid/clear_refs."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    def _memory(self, name: str) -> int:
        status = Path(f"/proc/{self.pid}/status").read_text()
        return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith(f"{name}:"))

    @property
    def log(self) -> str:
        """Everything it has printed."""
        return self._log.read_text()

    def _is_up(self) -> bool:
        assert self._running is not None
        assert self._running.poll() is None or self._raise()
        try:
            return httpx.get(f"{self.url}/healthz", timeout=1).status_code == 200
        except httpx.TransportError:
            return False

    def _raise(self) -> bool:
        raise RuntimeError(f"{self._command[-1]} ended: {self.log[-2000:]}")

    def _end(self, how: signal.Signals) -> int:
        if self._running is None:
            return 0
        self._running.send_signal(how)
        code = self._running.wait(60)
        self._running = None
        return code


class ModelControl:
    """The built-in model's test controls."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._headers = {"authorization": f"Bearer {CONTROL_TOKEN}"}

    def behave(self, **behaviour: object) -> None:
        """The next matching requests are met with this."""
        answer = httpx.post(f"{self.url}/control/behaviour", json=[behaviour], headers=self._headers)
        assert answer.status_code == 204, answer.text

    def behave_as_usual(self) -> None:
        """What it was told and has not done yet is forgotten."""
        self._delete("behaviour")

    def forget_counts(self) -> None:
        """It counts from zero."""
        self._delete("counts")

    def counts_of_model(self, name: str) -> dict[str, int]:
        """What it saw under a model's name, on all days."""
        counts = httpx.get(f"{self.url}/control/counts", headers=self._headers).json()
        days = [models[name] for models in counts["days"].values() if name in models]
        return {field: sum(day[field] for day in days) for field in counts["total"]}

    def counts_of_key(self, key: str) -> dict[str, int]:
        """What it saw of callers with a key."""
        counts = httpx.get(f"{self.url}/control/counts", headers=self._headers).json()
        return dict(counts["keys"].get(key, {}))

    def requests(self, containing: str, last: int = 20) -> list[dict[str, Any]]:
        """What it received, as it came: path, headers and body of requests whose body contains this, oldest first."""
        wanted = {"containing": containing, "last": last}
        answer = httpx.get(f"{self.url}/control/requests", params=wanted, headers=self._headers)
        assert answer.status_code == 200, answer.text
        return list(answer.json())

    def forget_requests(self) -> None:
        """It keeps none that came until now."""
        self._delete("requests")

    def _delete(self, what: str) -> None:
        answer = httpx.delete(f"{self.url}/control/{what}", headers=self._headers)
        assert answer.status_code == 204, answer.text

    def counts(self, marker: str | None = None) -> dict[str, int]:
        """What the model saw, overall or in questions with a marker."""
        counts = httpx.get(f"{self.url}/control/counts", headers=self._headers).json()
        return dict(counts["markers"].get(marker, {})) if marker else dict(counts["total"])
