"""The tables of transitions, whole, and their drawing in the documentation."""

from itertools import product
from pathlib import Path

import pytest

from kontor.tenants.errors import STATE_NAMES, NotPossible
from kontor.tenants.model import TenantState
from kontor.tenants.states import FOLLOWS, TENANT_FOLLOWS, Phase, drawing, step, tenant_step

PAGE = Path(__file__).parents[2] / "docs/architecture/states.md"
POSSIBLE = {
    "provisioning": "ready failed suspended ending",
    "ready": "hibernated suspended ending",
    "hibernated": "ready suspended ending",
    "suspended": "ready provisioning ending",
    "failed": "provisioning suspended ending",
    "ending": "",
}
POSSIBLE_FOR_TENANTS = {
    "onboarding": "active erasing",
    "active": "suspended erasing",
    "suspended": "active erasing",
    "erasing": "",
}


@pytest.mark.parametrize(("now", "wanted"), list(product(Phase, Phase)))
def test_an_assistant_goes_from_one_phase_to_the_next_as_the_table_says_and_no_other_way(
    now: Phase, wanted: Phase
) -> None:
    if wanted == now or wanted in POSSIBLE[now].split():
        assert step(now, wanted) is wanted
    else:
        with pytest.raises(NotPossible):
            step(now, wanted)


@pytest.mark.parametrize(("now", "wanted"), list(product(TenantState, TenantState)))
def test_a_tenant_goes_from_one_state_to_the_next_as_the_table_says_and_no_other_way(
    now: TenantState, wanted: TenantState
) -> None:
    if wanted == now or wanted in POSSIBLE_FOR_TENANTS[now].split():
        assert tenant_step(now, wanted) is wanted
    else:
        with pytest.raises(NotPossible):
            tenant_step(now, wanted)


def test_a_refusal_names_both_states_in_the_words_of_the_customer() -> None:
    with pytest.raises(NotPossible) as refusal:
        step(Phase.ENDING, Phase.READY)

    assert refusal.value.code == "tenant.not_possible"
    assert "in Löschung" in refusal.value.sentence("de")
    assert "being erased" in refusal.value.sentence("en")


def test_every_state_has_a_name_for_customers() -> None:
    assert {*Phase, *TenantState} <= set(STATE_NAMES)


@pytest.mark.parametrize("table", [FOLLOWS, TENANT_FOLLOWS])
def test_from_every_state_a_way_leads_to_the_end(table: dict[str, frozenset[str]]) -> None:
    ends = {state for state, after in table.items() if not after}

    assert len(ends) == 1
    assert all(after & ends for state, after in table.items() if state not in ends)


@pytest.mark.parametrize(("mark", "table"), [("tenant", TENANT_FOLLOWS), ("phase", FOLLOWS)])
def test_the_drawing_in_the_documentation_is_the_table(mark: str, table: dict[Phase, frozenset[Phase]]) -> None:
    page = PAGE.read_text(encoding="utf-8")

    assert f"<!-- {mark} -->\n```mermaid\n{drawing(table)}\n```" in page
