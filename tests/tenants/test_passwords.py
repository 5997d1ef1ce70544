"""What is kept of a password, and what it costs to try one."""

import pytest

from kontor.tenants.people.passwords import Passwords


async def test_a_password_is_kept_with_the_cost_that_owasp_asks_for() -> None:
    kept = await Passwords().hash("Drei Äpfel und ein Boot")

    assert kept.startswith("$argon2id$v=19$m=19456,t=2,p=1$")


@pytest.mark.parametrize(("typed", "is_right"), [("Drei Äpfel und ein Boot", True), ("Drei Äpfel", False)])
async def test_only_the_right_password_opens_and_nobody_has_one(typed: str, is_right: bool) -> None:  # noqa: FBT001 - a table
    passwords = Passwords(memory_kib=64, time_cost=1)
    kept = await passwords.hash("Drei Äpfel und ein Boot")

    assert await passwords.check(typed, kept) is is_right
    assert await passwords.check(typed, None) is False


async def test_the_same_password_is_kept_differently_each_time() -> None:
    passwords = Passwords(memory_kib=64, time_cost=1)

    assert await passwords.hash("gleich") != await passwords.hash("gleich")
