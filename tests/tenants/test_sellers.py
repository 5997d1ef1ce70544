"""Who sells: the shipped file, and an operator's own."""

from pathlib import Path

import pytest

from kontor.tenants.sellers import load_sellers


def test_the_shipped_seller_has_all_that_contracts_and_imprint_need() -> None:
    seller = load_sellers("https://kontor.example/").of("operator")

    assert (seller.jurisdiction, seller.address.country) == ("Stuttgart", "DE")
    assert seller.dpo_email
    assert seller.tax_registrations
    assert seller.imprint_url == "https://kontor.example/imprint"


@pytest.mark.parametrize("text", ["not = [toml", "[operator]\nlegal_name = 'X'", "[partner]"])
def test_a_file_that_does_not_fit_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "sellers.toml"
    file.write_text(text)

    with pytest.raises(ValueError, match=r".+"):
        load_sellers("https://kontor.example", file)
