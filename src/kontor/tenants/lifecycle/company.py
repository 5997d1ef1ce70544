"""A company as it signed up: what may be said about it, and its name and address sealed in the tenant's row.

Owns the rules of the form. Countries, industries and data residencies are the catalogue's; prices are the plans'.
"""

from dataclasses import asdict, dataclass, replace
from typing import Final
from uuid import UUID

from pydantic import TypeAdapter

from kontor.core.crypto import Vault
from kontor.core.i18n import LANGS, Lang, Text
from kontor.tenants.contracts import facts
from kontor.tenants.contracts.catalogue import Catalogue
from kontor.tenants.errors import FieldInvalid, NotABusiness
from kontor.tenants.lifecycle import fields
from kontor.tenants.model import Tenant

PLANS: Final = ("starter", "professional", "enterprise")
# Source: product page, "Plans" (pilot).
PILOT_PLAN: Final = "starter"
PILOT_SEATS: Final = 5
MOST_SEATS: Final = 10_000
# Source: product page, "Conversations": the tenant's own retention, in days.
RETENTIONS: Final = (30, 60, 90)


@dataclass(frozen=True, slots=True)
class Profile:
    """What names the company; personal, because a company may be a person."""

    legal_name: str
    street: str
    postcode: str
    city: str
    use_case: str


@dataclass(frozen=True, slots=True)
class Company:
    """The form of the sign-up. `country` is ISO 3166-1 alpha-2; a pilot's plan and seats are the pilot's.

    Conversations older than `retention_days` are erased.
    """

    legal_name: str
    street: str
    postcode: str
    city: str
    country: str
    is_business: bool
    industry: str
    use_case: str
    residency: str
    plan: str
    is_pilot: bool
    seats: int
    language: Lang
    retention_days: int = RETENTIONS[-1]

    @property
    def profile(self) -> Profile:
        """The part that is sealed."""
        return Profile(self.legal_name, self.street, self.postcode, self.city, self.use_case)


_PROFILE: Final = TypeAdapter(Profile)


def checked(company: Company, catalogue: Catalogue) -> Company:
    """The form as it can be stored. Raises NotABusiness, FieldInvalid, UnknownChoice."""
    if not company.is_business:
        raise NotABusiness
    catalogue.country(company.country)
    catalogue.industry(company.industry)
    catalogue.residency(company.residency)
    if company.language not in LANGS:
        raise FieldInvalid("language", Text(de="Wählen Sie de oder en.", en="Choose de or en."))
    if company.is_pilot:
        company = replace(company, plan=PILOT_PLAN, seats=PILOT_SEATS)
    if company.plan not in PLANS:
        choices = ", ".join(PLANS)
        raise FieldInvalid(
            "plan", Text(de=f"Wählen Sie einen der Tarife {choices}.", en=f"Choose one of the plans {choices}.")
        )
    if not 1 <= company.seats <= MOST_SEATS:
        raise FieldInvalid(
            "seats",
            Text(
                de=f"Wählen Sie 1 bis {MOST_SEATS} Plätze; für mehr sprechen Sie uns bitte an.",
                en=f"Choose 1 to {MOST_SEATS} seats; for more please contact us.",
            ),
        )
    if company.retention_days not in RETENTIONS:
        raise FieldInvalid("retention_days", Text(de="Wählen Sie 30, 60 oder 90 Tage.", en="Choose 30, 60 or 90 days."))
    return replace(
        company,
        legal_name=fields.line("legal_name", company.legal_name, longest=fields.NAME_LENGTH),
        street=fields.line("street", company.street, longest=fields.LINE_LENGTH),
        postcode=fields.line("postcode", company.postcode, longest=fields.POSTCODE_LENGTH),
        city=fields.line("city", company.city, longest=fields.LINE_LENGTH),
        use_case=fields.paragraphs("use_case", company.use_case, longest=fields.USE_CASE_LENGTH),
    )


async def seal_profile(vault: Vault, tenant: UUID, profile: Profile) -> bytes:
    """For `tenants.profile`. Raises KeyDestroyed."""
    return await vault.seal(tenant, _aad(tenant), _PROFILE.dump_json(profile))


async def profile_of(vault: Vault, tenant: Tenant) -> Profile:
    """Name, address and use case. Raises KeyDestroyed."""
    return _PROFILE.validate_json(await vault.open(tenant.id, _aad(tenant.id), tenant.profile))


async def customer_of(vault: Vault, tenant: Tenant) -> facts.Customer:
    """The company as the contracts name it. Raises KeyDestroyed."""
    profile = await profile_of(vault, tenant)
    return facts.Customer(
        company=profile.legal_name,
        address=facts.Address(profile.street, profile.postcode, profile.city, tenant.country),
        industry=tenant.industry,
        use_case=profile.use_case,
        residency=tenant.residency,
    )


async def company_of(vault: Vault, tenant: Tenant) -> Company:
    """The form as it is stored, to be changed and checked again. Raises KeyDestroyed."""
    return Company(
        **asdict(await profile_of(vault, tenant)),
        country=tenant.country,
        is_business=True,
        industry=tenant.industry,
        residency=tenant.residency,
        plan=tenant.plan,
        is_pilot=tenant.is_pilot,
        seats=tenant.seats,
        language="en" if tenant.language == "en" else "de",
        retention_days=tenant.retention_days,
    )


def _aad(tenant: UUID) -> str:
    return f"tenants.profile:{tenant}"
