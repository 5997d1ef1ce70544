"""What this installation engages decides which choices of data residency it can serve, and what the contract lists."""

from pathlib import Path
from typing import Any

import pytest

from kontor.app.adapters import ConfiguredDeployments, PricedPlans
from kontor.app.providers import catalogue_of
from kontor.billing import plans
from kontor.core.money import Money
from kontor.core.settings import Settings
from kontor.tenants.contracts.catalogue import packaged
from support.databases import MASTER_KEY


def engaged(tmp_path: Path, **settings: Any) -> ConfiguredDeployments:
    base = Settings(master_key=MASTER_KEY, database_url="postgresql://x", state_dir=tmp_path, **settings)  # type: ignore[arg-type]
    return ConfiguredDeployments(base, packaged(), catalogue_of(base, packaged()))


@pytest.mark.parametrize(
    ("settings", "served", "listed"),
    [
        ({}, {"de", "eu", "world"}, {}),
        ({"mistral_api_key": "k"}, {"eu", "world"}, {"eu": "Mistral AI SAS"}),
        ({"anthropic_api_key": "k"}, {"world"}, {"world": "Anthropic PBC"}),
        ({"openai_api_key": "k"}, {"world"}, {"world": "OpenAI Ireland Ltd."}),
        ({"openai_base_url": "http://127.0.0.1:1/v1", "openai_api_key": "k"}, {"de", "eu", "world"}, {}),
        ({"sub_processors": "hetzner-de"}, {"de", "eu", "world"}, {"de": "Hetzner Online GmbH"}),
        (
            {"openai_base_url": "http://x/v1", "sub_processors": "openai-us"},
            {"world"},
            {"world": "OpenAI Ireland Ltd."},
        ),
    ],
)
def test_only_what_fits_is_served_and_listed(
    tmp_path: Path, settings: dict[str, str], served: set[str], listed: dict[str, str]
) -> None:
    deployments = engaged(tmp_path, **settings)

    assert {one for one in ("de", "eu", "world") if deployments.serves(one)} == served
    for residency, name in listed.items():
        assert name in {one.legal_entity for one in deployments.reachable(residency)}
    for residency in {"de", "eu", "world"} - served:
        assert listed.keys().isdisjoint({residency})


def test_an_unknown_sub_processor_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="KONTOR_SUB_PROCESSORS"):
        engaged(tmp_path, sub_processors="nobody")


@pytest.mark.parametrize(
    ("plan", "seats", "country", "price"),
    [
        ("starter", 1, "DE", Money(4900)),
        ("starter", 50, "DE", Money(4410)),
        ("starter", 100, "DE", Money(4000)),
        ("professional", 100, "AT", Money(7920)),
        ("starter", 1, "CH", Money(5880, "CHF")),
    ],
)
def test_a_seat_costs_what_the_product_page_says(plan: str, seats: int, country: str, price: Money) -> None:
    terms = PricedPlans(plans.load(), {"CH": "CHF"}).terms(plan, seats, country, is_pilot=False)

    assert terms.price == price
    assert terms.pilot is None


def test_a_pilot_has_its_terms() -> None:
    pilot = PricedPlans(plans.load(), {}).terms("starter", 5, "DE", is_pilot=True).pilot

    assert pilot is not None
    assert (pilot.weeks, pilot.cap) == (4, Money(2500))


def test_a_broken_price_list_names_its_file(tmp_path: Path) -> None:
    file = tmp_path / "plans.toml"
    file.write_text("version = '1'\n")

    with pytest.raises(ValueError, match=r"plans\.toml"):
        plans.load(file)
