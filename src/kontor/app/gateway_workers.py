"""Several gateway processes behind one socket: started, replaced when they die, ended together.

Each has a journal segment, leases and connections of its own; metrics are summed over all in a folder that is emptied
at the start. A worker whose parent is gone ends itself, or it would hold the port.
"""

import asyncio
import os
import shutil
import signal
from pathlib import Path
from typing import Final

import uvicorn
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from uvicorn.supervisors import Multiprocess

from kontor.core.settings import Settings

METRICS: Final = "PROMETHEUS_MULTIPROC_DIR"
PARENT: Final = "KONTOR_GATEWAY_PARENT"
WORKER_STARTS_S: Final = 60
_PARENT_EVERY_S: Final = 1.0


def serve(config: uvicorn.Config, settings: Settings) -> None:
    """Until SIGTERM or SIGINT. `config` names an application that each worker makes for itself."""
    folder = settings.state_dir / "gateway-metrics"
    _empty(folder)
    os.environ |= {METRICS: str(folder), PARENT: str(os.getpid())}
    config.workers = settings.gateway_workers
    config.timeout_worker_healthcheck = WORKER_STARTS_S
    Multiprocess(config, [config.bind_socket()]).run()


def metrics() -> bytes:
    """Prometheus text: of this process, or of all workers together."""
    if METRICS not in os.environ:
        return generate_latest()
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)


async def end_with_parent() -> None:
    """Until cancelled: a worker whose parent has gone, also before the worker began, gets SIGTERM."""
    parent = os.environ.get(PARENT)
    while True:
        if parent is not None and os.getppid() != int(parent):
            os.kill(os.getpid(), signal.SIGTERM)
            return
        await asyncio.sleep(_PARENT_EVERY_S)


def _empty(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True)
