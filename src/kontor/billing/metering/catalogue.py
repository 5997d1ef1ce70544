"""Which models there are, who serves them, and which of those a tenant may use. Pure.

A model of ours has deployments in the order in which they are tried. A deployment is a model at a provider in a place;
it serves the choices of data residency that it fits, and no failure ever leads outside them. Where the data come
from: catalogue_file. Source: product page, "Data residency"; gateway page.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from kontor.billing.metering.credentials import Credential, Nobody

ASSISTANT: Final = "assistant"
"""The model name that instances ask for; what serves it is the operator's choice."""

Spoken = Literal["chat", "responses", "messages"]
_TALKS: Final[Mapping[str, Spoken]] = {"chat": "chat", "responses": "responses", "messages": "messages"}
"""Dialects in which a model talks to people."""

MOST_OUTPUT_TOKENS: Final = 4_096
"""What an answer may have at most when neither the caller nor the catalogue says it."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """A provider's model that may be called. `provider` and `model` are its price's key.

    `speaks` names dialects, the one that suits it best first, `serves` choices of data residency, `refuses` fields
    that it answers with 4xx.
    `sub_processor` is the contracts' key of who processes there; empty for the operator's own machine.
    """

    name: str
    provider: str
    model: str
    base_url: str
    speaks: tuple[str, ...]
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

    def spoken(self, model: str, residency: str) -> Spoken | None:
        """The dialect in which an assistant asks for the model; None: nobody may serve it.

        One of the first deployment that may: the one in which most others could stand in for it, and of equals the
        one that suits it best. Others than the first are never asked in its place for their dialect's sake.
        """
        found = self.models.get(model)
        for one in found.deployments if found else ():
            talks = [_TALKS[dialect] for dialect in one.speaks if dialect in _TALKS]
            if talks and residency in one.serves:
                return max(talks, key=lambda dialect: len(self.route(model, dialect, residency)))
        return None

    @property
    def routes(self) -> Mapping[tuple[str, str, str], tuple[Deployment, ...]]:
        """By model, dialect and data residency."""
        return self._routes

    def names(self, residency: str) -> list[str]:
        """The models that a tenant with this choice may use."""
        found = {model for model, _, of in self._routes if of == residency}
        return [name for name in self.models if name in found]
