"""Operators are made by the command line."""

import pyotp

from support.commands import Commands
from support.web import PASSWORD, Web


async def test_who_was_added_logs_in_with_password_and_second_factor(kontor: Commands, web: Web) -> None:
    made = await kontor.run(
        "operators", "add", "olga@kontor.example", "--password-stdin", "--json", stdin=f"{PASSWORD}\n"
    )

    async with web.client() as olga:
        before = await olga.get("/api/v1/ops/tenants")
        login = await olga.post("/api/v1/sessions", json={"email": "olga@kontor.example", "password": PASSWORD})
        code = pyotp.TOTP(made.json["totp_secret"]).at(web.container.clock.now())
        proven = await olga.post("/api/v1/sessions/current/second-factor", json={"code": code})
        after = await olga.get("/api/v1/ops/tenants")

    assert made.code == 0
    assert (before.status_code, login.status_code, proven.status_code, after.status_code) == (401, 200, 204, 200)


async def test_people_get_the_secret_the_uri_and_a_qr_code(kontor: Commands) -> None:
    made = await kontor.run(
        "operators", "add", "fred@kontor.example", "--role", "finance", stdin=f"{PASSWORD}\n{PASSWORD}\n"
    )

    assert made.code == 0, made.out
    assert "otpauth://totp/Kontor:fred%40kontor.example?secret=" in made.out.replace("\n", "")
    assert "▄" in made.out


async def test_a_short_password_and_an_odd_address_are_refused(kontor: Commands) -> None:
    short = await kontor.run("operators", "add", "olga@kontor.example", "--password-stdin", stdin="short\n")
    odd = await kontor.run("operators", "add", "olga", "--password-stdin", stdin=f"{PASSWORD}\n")

    assert (short.code, odd.code) == (1, 1)
