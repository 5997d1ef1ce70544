"""Catalogues of models in which assistants speak what a test says."""

from kontor.app.assistant_dialects import AssistantDialects
from kontor.billing.metering.catalogue import ASSISTANT, Catalogue, Deployment, Model
from kontor.tenants.contracts.catalogue import packaged
from kontor.tenants.provisioning.spec import Dialect


def speaking(**dialects: Dialect) -> AssistantDialects:
    """By data residency."""
    return AssistantDialects(serving(**dialects), packaged())


def serving(**dialects: Dialect) -> Catalogue:
    """One deployment for each data residency."""
    made = (
        Deployment(f"{place}/m", place, "m", "http://127.0.0.1:9/v1", (dialect,), frozenset({place}))
        for place, dialect in dialects.items()
    )
    return Catalogue([Model(ASSISTANT, tuple(made))])
