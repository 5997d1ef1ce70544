"""What the gateway reads from files, read again when a file changes: the catalogue of models and the policy packs.

A file that cannot be used is said so and changes nothing: the gateway goes on with what it had.
"""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import structlog
from prometheus_client import Gauge

from kontor.app.changed_files import EVERY_S, state_of
from kontor.app.providers import catalogue_of
from kontor.billing.metering.gateway import Gateway
from kontor.billing.metering.guard import Guard
from kontor.billing.metering.outages.watch import OutageWatch
from kontor.billing.metering.policy.packs import load_packs
from kontor.core.settings import Settings
from kontor.tenants.contracts.catalogue import packaged

log = structlog.get_logger(__name__)

BROKEN: Final = Gauge(
    "kontor_gateway_config_broken",
    "1 while a file that has changed cannot be used: alarm",
    multiprocess_mode="livemax",
)


async def follow(settings: Settings, gateway: Gateway, guard: Guard, outages: OutageWatch) -> None:
    """Until cancelled: a changed file is used a second later."""
    seen = state_of(_files(settings))
    while True:
        await asyncio.sleep(EVERY_S)
        if (now := state_of(_files(settings))) == seen:
            continue
        seen = now
        try:
            catalogue, packs = catalogue_of(settings, packaged()), load_packs(settings.policy_dir)
        except ValueError as error:
            BROKEN.set(1)
            log.error("gateway.config_broken", error=str(error))  # noqa: TRY400 - an operator's mistake
            continue
        BROKEN.set(0)
        gateway.catalogue = catalogue
        outages.use(catalogue)
        guard.replace(packs)
        log.info("gateway.config_read", models=list(catalogue.models), packs=sorted(packs))


def _files(settings: Settings) -> Iterator[Path]:
    if settings.models_file is not None:
        yield settings.models_file
    if settings.policy_dir is not None:
        yield from sorted(settings.policy_dir.glob("*.toml"))
