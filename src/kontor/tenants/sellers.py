"""Sellers: who a tenant's contract is with. Read once from a data file; an operator can bring its own file.

Contracts, disclosure, imprint and invoices take names and addresses from here (product page, "Who uses it").
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter

from kontor.tenants.contracts.facts import Seller

DEFAULT_SELLER: Final = "operator"
_SHIPPED: Final = Path(__file__).with_name("sellers.toml")
_SHAPE: Final = TypeAdapter(dict[str, Seller])


@dataclass(frozen=True, slots=True)
class Sellers:
    """All sellers by their key; a tenant's row names one."""

    by_key: Mapping[str, Seller]

    def of(self, key: str) -> Seller:
        """The seller of a tenant. Raises KeyError: the file must keep every key that tenants use."""
        return self.by_key[key]


def load_sellers(base_url: str, file: Path | None = None) -> Sellers:
    """From `file`, else the one that is shipped; `{base_url}` in it becomes where our pages are.

    Raises ValueError for a file that is not TOML, lacks a field or has no default seller.
    """
    source = (file or _SHIPPED).read_text(encoding="utf-8").replace("{base_url}", base_url.rstrip("/"))
    by_key = _SHAPE.validate_python(tomllib.loads(source))
    if DEFAULT_SELLER not in by_key:
        raise ValueError(f"{file or _SHIPPED}: [{DEFAULT_SELLER}] is missing, to which sign-ups belong")
    return Sellers(by_key)
