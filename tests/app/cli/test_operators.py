"""Operators are made by the command line."""

import httpx
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


async def _logged_in(kontor: Commands, web: Web, olga: httpx.AsyncClient) -> None:
    made = await kontor.run(
        "operators", "add", "olga@kontor.example", "--password-stdin", "--json", stdin=f"{PASSWORD}\n"
    )
    await olga.post("/api/v1/sessions", json={"email": "olga@kontor.example", "password": PASSWORD})
    code = pyotp.TOTP(made.json["totp_secret"]).at(web.container.clock.now())
    assert (await olga.post("/api/v1/sessions/current/second-factor", json={"code": code})).status_code == 204


async def test_a_renewed_second_factor_ends_the_sessions_of_the_old_one(kontor: Commands, web: Web) -> None:
    async with web.client() as olga:
        await _logged_in(kontor, web, olga)

        await kontor.run("operators", "add", "olga@kontor.example", "--password-stdin", stdin=f"{PASSWORD}\n")

        assert (await olga.get("/api/v1/me")).status_code == 401


async def test_who_was_removed_is_out_at_once_and_nobody_of_the_staff_any_more(kontor: Commands, web: Web) -> None:
    async with web.client() as olga:
        await _logged_in(kontor, web, olga)

        removed = await kontor.run("operators", "remove", "olga@kontor.example", "--json")
        again = await kontor.run("operators", "remove", "olga@kontor.example")
        unknown = await kontor.run("operators", "remove", "nobody@kontor.example")
        out = await olga.get("/api/v1/me")
        login = await olga.post("/api/v1/sessions", json={"email": "olga@kontor.example", "password": PASSWORD})
        console = await olga.get("/api/v1/ops/tenants")

    assert (removed.code, again.code, unknown.code) == (0, 0, 1)
    assert removed.json["email"] == "olga@kontor.example"
    assert (out.status_code, login.json()["operator_role"], console.status_code) == (401, None, 404)
