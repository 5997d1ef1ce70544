"""In which dialect assistants ask for their model: it follows from the catalogue of models and the data residency.

Instances are told by the reconciler. See docs/adr/0027.
"""

import asyncio

import structlog

from kontor.app.changed_files import EVERY_S, state_of
from kontor.app.providers import catalogue_of
from kontor.billing.metering.catalogue import ASSISTANT, Catalogue
from kontor.core.settings import Settings
from kontor.tenants.contracts.catalogue import Catalogue as Contracts
from kontor.tenants.provisioning.spec import Dialect

log = structlog.get_logger(__name__)


class AssistantDialects:
    """tenants.ports.Dialects. `models` may be replaced while it is used."""

    def __init__(self, models: Catalogue, contracts: Contracts) -> None:
        self.models = models
        self.contracts = contracts
        places = sorted(contracts.residencies.values(), key=lambda one: not one.is_default)
        self._places = [one.key for one in places]

    def dialect(self, residency: str | None) -> Dialect | None:
        """What the residency's first deployment is asked in; the pool's is the default residency's if it is served."""
        places = self._places if residency is None else [residency]
        return next(filter(None, (self.models.spoken(ASSISTANT, place) for place in places)), None)


async def follow(settings: Settings, dialects: AssistantDialects) -> None:
    """Until cancelled: a catalogue that has changed counts a second later. One that cannot be used changes nothing."""
    if settings.models_file is None:
        return
    files = [settings.models_file]
    seen = state_of(files)
    while True:
        await asyncio.sleep(EVERY_S)
        if (now := state_of(files)) == seen:
            continue
        seen = now
        try:
            dialects.models = catalogue_of(settings, dialects.contracts)
        except ValueError as error:
            log.error("worker.catalogue_broken", error=str(error))  # noqa: TRY400 - an operator's mistake
