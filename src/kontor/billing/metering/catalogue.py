"""Which models there are, who serves them, and which of those a tenant may use. Pure.

A model of ours has deployments in the order in which they are tried. A deployment is a model at a provider in a place;
it serves the choices of data residency that it fits, and no failure ever leads outside them. Where the data come
from: catalogue_file. Source: product page, "Data residency"; gateway page.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from kontor.billing.metering.credentials import Credential, Nobody

ASSISTANT: Final = "assistant"
"""The model name that instances ask for; what serves it is the operator's choice."""

MOST_OUTPUT_TOKENS: Final = 4_096
"""What an answer may have at most when neither the caller nor the catalogue says it."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """A provider's model that may be called. `provider` and `model` are its price's key.

    `speaks` names dialects, `serves` choices of data residency, `refuses` fields that it answers with 4xx.
    `sub_processor` is the contracts' key of who processes there; empty for the operator's own machine.
    """

    name: str
    provider: str
    model: str
    base_url: str
    speaks: frozenset[str]
    serves: frozenset[str]
    credential: Credential = field(default_factory=Nobody, repr=False, compare=False)
    refuses: frozenset[str] = frozenset()
    sub_processor: str = ""


@dataclass(frozen=True, slots=True)
class Model:
    """A model under our name."""

    name: str
    deployments: tuple[Deployment, ...]
    most_output_tokens: int = MOST_OUTPUT_TOKENS


class Catalogue:
    """All models. Looking up a route costs one dictionary."""

    def __init__(self, models: Iterable[Model]) -> None:
        self.models: Mapping[str, Model] = {model.name: model for model in models}
        self._routes: dict[tuple[str, str, str], tuple[Deployment, ...]] = {}
        self._deployments = {one.name: one for model in self.models.values() for one in model.deployments}
        for model in self.models.values():
            for one in model.deployments:
                for dialect in one.speaks:
                    for residency in one.serves:
                        key = model.name, dialect, residency
                        self._routes[key] = (*self._routes.get(key, ()), one)

    @property
    def deployments(self) -> tuple[Deployment, ...]:
        """Every deployment once."""
        return tuple(self._deployments.values())

    def route(self, model: str, dialect: str, residency: str) -> tuple[Deployment, ...]:
        """The deployments that may serve the call, in the order in which they are tried; empty: none may."""
        return self._routes.get((model, dialect, residency), ())

    @property
    def routes(self) -> Mapping[tuple[str, str, str], tuple[Deployment, ...]]:
        """By model, dialect and data residency."""
        return self._routes

    def names(self, residency: str) -> list[str]:
        """The models that a tenant with this choice may use."""
        found = {model for model, _, of in self._routes if of == residency}
        return [name for name in self.models if name in found]
