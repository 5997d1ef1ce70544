"""Without prices nothing is held, and so nothing is called."""

from typing import cast

import pytest

from kontor.billing.metering.budgets.purses import BudgetsUnavailable, Purses
from kontor.billing.metering.budgets.spending import Spending
from kontor.billing.metering.keys import Key
from kontor.billing.metering.live_prices import LivePrices
from kontor.core.clock import SystemClock
from kontor.core.ids import GatewayKeyId, TenantId, new_id


async def test_until_prices_are_known_no_call_is_made() -> None:
    spending = Spending(cast("Purses", None), LivePrices(), SystemClock())
    tenant = TenantId(new_id())
    key = Key(GatewayKeyId(new_id()), "direct", None, tenant, "active", "de", is_revoked=False)

    with pytest.raises(BudgetsUnavailable):
        await spending.hold(key, tenant, (), 100, 100)
