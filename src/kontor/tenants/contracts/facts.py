"""What fills the texts: the seller, the customer, the plan, the sub-processors and the day.

The caller brings them; a fact that is None or blank counts as not given, and a text that needs it refuses to render.
"""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from kontor.core.i18n import Text
from kontor.core.money import Money
from kontor.tenants.contracts.catalogue import Deployment


@dataclass(frozen=True, slots=True)
class Address:
    """A postal address; `country` is a code of countries.toml; a seller's may be another, shown as it is."""

    street: str
    postal_code: str
    city: str
    country: str


@dataclass(frozen=True, slots=True)
class TaxRegistration:
    """Where the seller is registered for VAT, and its number there."""

    country: str
    number: str


@dataclass(frozen=True, slots=True)
class Insurance:
    """The seller's liability insurance, as the certificate states it. `cover` is per claim."""

    insurer: str
    policy_number: str
    cover: Money
    valid_until: date


@dataclass(frozen=True, slots=True)
class Seller:
    """The operator or a partner, from whom contracts, disclosure and invoices take their names.

    `jurisdiction` is the place of the courts (default Stuttgart); the law is German law.
    """

    legal_name: str
    brand: str
    address: Address
    represented_by: str
    register_entry: str
    email: str
    phone: str
    dpo_name: str | None
    dpo_email: str | None
    tax_registrations: tuple[TaxRegistration, ...]
    imprint_url: str
    sub_processors_url: str
    status_url: str
    jurisdiction: str = "Stuttgart"
    insurance: Insurance | None = None


@dataclass(frozen=True, slots=True)
class Customer:
    """The tenant as it signed up; `industry` and `residency` are keys of the data files."""

    company: str
    address: Address
    industry: str
    use_case: str
    residency: str


@dataclass(frozen=True, slots=True)
class Pilot:
    """A trial: `weeks` long, `cap` is the hard limit of model cost."""

    weeks: int
    channels: int
    cap: Money


@dataclass(frozen=True, slots=True)
class PlanTerms:
    """What the plan promises and costs. `price` is net, `ai_budget` is model cost, both per seat and month.

    `availability_pct` is the target of a month, `p1_reaction_h`, `rto_h` and `rpo_h` are clock hours.
    """

    key: str
    name: str
    seats: int
    is_annual: bool
    price: Money
    ai_budget: Money
    overage_factor: Decimal
    availability_pct: Decimal
    p1_reaction_h: int
    rto_h: int
    rpo_h: int
    hibernates: bool
    pilot: Pilot | None = None


@dataclass(frozen=True, slots=True)
class SubProcessor:
    """A line of the annex of the data-processing agreement."""

    legal_entity: str
    seat: Text
    region: Text
    purpose: Text
    transfer_basis: Text
    contract: Text


@dataclass(frozen=True, slots=True)
class ContractFacts:
    """All facts of one contract. `sub_processors` are exactly those that this customer can reach, maybe none."""

    seller: Seller
    customer: Customer
    plan: PlanTerms
    sub_processors: tuple[SubProcessor, ...]
    date: date


def sub_processor(deployment: Deployment) -> SubProcessor:
    """The annex's line for a deployment."""
    return SubProcessor(
        legal_entity=deployment.legal_entity,
        seat=deployment.seat,
        region=deployment.region,
        purpose=deployment.purpose,
        transfer_basis=deployment.transfer_basis,
        contract=deployment.contract,
    )
