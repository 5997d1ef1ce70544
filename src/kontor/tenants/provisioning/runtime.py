"""What runs instances, as a protocol: Kubernetes, one machine, or a fake. One contract suite holds for all.

A runtime knows no tenant and decides nothing: it makes what it is told so, and shows what is.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from kontor.core.ids import InstanceId
from kontor.tenants.provisioning.spec import InstanceSpec


class Observed(StrEnum):
    """What the runtime shows of an instance."""

    ABSENT = "absent"
    """Nothing of it is there: no process, no volume."""
    STOPPED = "stopped"
    """Its volume is there, and nobody wants it to run."""
    STARTING = "starting"
    """Its process runs and does not answer yet, or not just now."""
    READY = "ready"
    """It answers."""
    FAILED = "failed"
    """It should run and has ended; `code` says why (see failures)."""


@dataclass(frozen=True, slots=True)
class Observation:
    """One look at one instance. `endpoint` is where a ready one answers; `memory_mb` what it holds."""

    state: Observed
    code: str | None = None
    detail: str | None = None
    endpoint: str | None = None
    memory_mb: int | None = None


class RuntimeFailure(Exception):
    """The runtime could not do what it was told; `code` is one of failures' codes, `detail` is for operators."""

    def __init__(self, code: str, detail: str | None = None) -> None:
        super().__init__(f"{code}: {detail or ''}")
        self.code = code
        self.detail = detail


class Runtime(Protocol):
    """Every call may be repeated, and cut off at any point: the next one completes it. Raises RuntimeFailure."""

    async def ensure(self, spec: InstanceSpec) -> None:
        """A process runs for the instance, with the files of the spec; one that runs already is left alone.

        Returns before it is ready.
        """
        ...

    async def observe(self, instance: InstanceId) -> Observation:
        """What is."""
        ...

    async def observe_all(self) -> Mapping[InstanceId, Observation]:
        """Everything that is not absent, also what nobody asked for."""
        ...

    async def write_files(self, spec: InstanceSpec) -> None:
        """The volume holds the spec's files (each appears at once), running or not; the next turn uses them.

        A new dialect is used a second or two later.
        """
        ...

    async def stop(self, instance: InstanceId) -> None:
        """No process runs; the volume stays."""
        ...

    async def delete(self, instance: InstanceId) -> None:
        """Nothing of the instance is left."""
        ...

    async def list_files(self, instance: InstanceId) -> list[str]:
        """Paths of the volume, also of a stopped instance; empty when there is none."""
        ...

    def read_file(self, instance: InstanceId, path: str) -> AsyncIterator[bytes]:
        """A file's bytes in chunks, also of a stopped instance. Raises NotFound."""
        ...
