"""Facts of a contract as tests need them: complete, with umlauts, and one argument away from any other."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from decimal import Decimal

from kontor.core.money import Money
from kontor.tenants.contracts.catalogue import packaged
from kontor.tenants.contracts.facts import (
    Address,
    ContractFacts,
    Customer,
    Insurance,
    Pilot,
    PlanTerms,
    Seller,
    TaxRegistration,
    sub_processor,
)

SELLER = Seller(
    legal_name="NextGen IT Solutions GmbH",
    brand="Kontor",
    address=Address("Königstraße 1", "70173", "Stuttgart", "DE"),
    represented_by="Änne Öztürk",
    register_entry="Amtsgericht Stuttgart, HRB 4711",
    email="hallo@nextgen.example",
    phone="+49 711 123",
    dpo_name="Dr. Jörg Weiß",
    dpo_email="dsb@nextgen.example",
    tax_registrations=(TaxRegistration("DE", "DE811111111"), TaxRegistration("AT", "ATU11111111")),
    imprint_url="https://nextgen.example/impressum",
    sub_processors_url="https://nextgen.example/unterauftragsverarbeiter",
    status_url="https://status.nextgen.example",
    insurance=Insurance("Württembergische AG", "C-99", Money(500_000_000), date(2027, 12, 31)),
)

_PROFESSIONAL = PlanTerms(
    key="professional",
    name="Professional",
    seats=5,
    is_annual=False,
    price=Money(9900),
    ai_budget=Money(1200),
    overage_factor=Decimal("1.4"),
    availability_pct=Decimal("99.5"),
    p1_reaction_h=8,
    rto_h=2,
    rpo_h=6,
    hibernates=False,
)
_STARTER = replace(
    _PROFESSIONAL,
    key="starter",
    name="Starter",
    price=Money(4900),
    ai_budget=Money(500),
    overage_factor=Decimal("1.5"),
    availability_pct=Decimal("99.0"),
    p1_reaction_h=48,
    rto_h=4,
    rpo_h=24,
    hibernates=True,
)
_ENTERPRISE = replace(
    _PROFESSIONAL,
    key="enterprise",
    name="Enterprise",
    price=Money(19900),
    ai_budget=Money(3000),
    overage_factor=Decimal("1.3"),
    availability_pct=Decimal("99.9"),
    p1_reaction_h=4,
    rto_h=1,
    rpo_h=1,
)
PLANS = {plan.key: plan for plan in (_STARTER, _PROFESSIONAL, _ENTERPRISE)}
PILOT = replace(PLANS["starter"], price=Money(0), pilot=Pilot(4, 1, Money(2500)))
ANNUAL = replace(PLANS["professional"], is_annual=True)


def offers() -> Iterator[PlanTerms]:
    """Every plan by month, one by year, and the pilot."""
    yield from PLANS.values()
    yield ANNUAL
    yield PILOT


def customer(company: str = "Bäckerei Müller GmbH", *, country: str = "DE", industry: str = "general") -> Customer:
    """A customer that chose the European Union."""
    return Customer(
        company, Address("Hauptstraße 2", "10115", "Überlingen", country), industry, "Fragen der Kundschaft", "eu"
    )


def contract_facts(
    who: Customer | None = None, plan: PlanTerms | None = None, seller: Seller = SELLER
) -> ContractFacts:
    """Complete facts, with the sub-processors that fit."""
    chosen = who or customer()
    reachable = tuple(sub_processor(one) for one in packaged().fitting(chosen.residency))
    return ContractFacts(seller, chosen, plan or PLANS["professional"], reachable, date(2026, 11, 22))
