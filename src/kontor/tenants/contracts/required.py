"""Which documents a customer gets, in which version, and which of them it accepts. Pure."""

from dataclasses import dataclass

from kontor.core.i18n import Text
from kontor.tenants.contracts.catalogue import Catalogue, Duty, packaged
from kontor.tenants.contracts.errors import UnknownDocument


@dataclass(frozen=True, slots=True)
class DocumentRef:
    """One version of one kind of document. `duty`: the customer accepts it, or is only given it."""

    kind: str
    version: str
    duty: Duty
    title: Text

    @property
    def is_to_be_accepted(self) -> bool:
        """Whether nothing is processed before the customer accepted it."""
        return self.duty == "accept"


def required_documents(
    country: str, industry: str, plan: str, *, catalogue: Catalogue | None = None
) -> tuple[DocumentRef, ...]:
    """The documents of a customer in the newest version each, in the order of reading. A pilot has its plan's ones.

    Raises UnknownChoice for a country or an industry that the data files do not hold.
    Source: product page, "Contracts, accepted online before any data is processed".
    """
    data = catalogue or packaged()
    where, what = data.country(country), data.industry(industry)
    return tuple(
        DocumentRef(kind.key, kind.versions[-1], kind.duty, kind.title)
        for kind in data.kinds.values()
        if kind.applies_to(where, what, plan)
    )


def document_ref(kind: str, version: str, *, catalogue: Catalogue | None = None) -> DocumentRef:
    """The reference of a stored acceptance, also for an older version. Raises UnknownDocument."""
    found = (catalogue or packaged()).kinds.get(kind)
    if found is None or version not in found.versions:
        raise UnknownDocument(kind, version)
    return DocumentRef(found.key, version, found.duty, found.title)
