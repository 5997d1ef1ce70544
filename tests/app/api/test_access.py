"""Signing up, logging in and resetting: for people with bad luck and for strangers with bad intentions."""

from datetime import timedelta

import pytest

from kontor.core.clock import FixedClock
from kontor.tenants.people import operators
from kontor.tenants.people.model import OperatorRole
from support.web import BASE_URL, PASSWORD, Web


async def test_who_signs_up_and_follows_the_link_is_logged_in(web: Web) -> None:
    async with web.client() as ada:
        me = await web.signed_up(ada, "Ada.Müller@example.org")

        again = (await ada.get("/api/v1/me")).json()

    assert me["email"] == "Ada.Müller@example.org"
    assert again == me
    assert me["memberships"] == []


async def test_the_session_cookie_is_host_bound_http_only_and_secure(web: Web) -> None:
    async with web.client() as ada:
        await ada.post("/api/v1/signups", json={"email": "ada@example.org", "password": PASSWORD})
        confirmed = await ada.post("/api/v1/signups/confirmation", json={"token": await web.last_token()})

    cookie = confirmed.headers["set-cookie"]
    assert cookie.startswith("__Host-kontor=")
    assert {"HttpOnly", "Secure", "Path=/", "SameSite=lax"} <= {part.strip() for part in cookie.split(";")}
    assert "Domain" not in cookie


async def test_a_link_works_once_and_the_second_click_says_what_to_do(web: Web) -> None:
    async with web.client() as ada:
        await ada.post("/api/v1/signups", json={"email": "ada@example.org", "password": PASSWORD})
        token = await web.last_token()
        assert (await ada.post("/api/v1/signups/confirmation", json={"token": token})).status_code == 200

        second = await ada.post("/api/v1/signups/confirmation", json={"token": token})

    assert second.status_code == 410
    assert second.headers["content-type"] == "application/problem+json"
    assert second.json()["code"] == "link.used"
    assert "Melden Sie sich an" in second.json()["detail"]


async def test_a_link_expires_after_a_day(web: Web, clock: FixedClock) -> None:
    async with web.client() as ada:
        await ada.post("/api/v1/signups", json={"email": "ada@example.org", "password": PASSWORD})
        token = await web.last_token()
        clock.advance(timedelta(hours=24))

        late = await ada.post("/api/v1/signups/confirmation", json={"token": token})

    assert (late.status_code, late.json()["code"]) == (410, "link.expired")


async def test_two_sign_ups_at_once_with_one_address_make_one_person_by_the_first_link_used(web: Web) -> None:
    async with web.client() as owner, web.client() as thief:
        await thief.post("/api/v1/signups", json={"email": "ada@example.org", "password": "thief's own password"})
        thiefs = await web.last_token()
        await owner.post("/api/v1/signups", json={"email": "ADA@example.org", "password": PASSWORD})
        owners = await web.last_token()

        confirmed = await owner.post("/api/v1/signups/confirmation", json={"token": owners})
        stolen = await thief.post("/api/v1/signups/confirmation", json={"token": thiefs})

    assert confirmed.status_code == 200
    assert stolen.json()["code"] == "link.used"


async def test_a_known_address_gets_the_same_answer_and_its_owner_a_mail(web: Web) -> None:
    async with web.client() as ada, web.client() as stranger:
        first = await ada.post("/api/v1/signups", json={"email": "ada@example.org", "password": PASSWORD})
        await ada.post("/api/v1/signups/confirmation", json={"token": await web.last_token()})

        second = await stranger.post("/api/v1/signups", json={"email": "ada@example.org", "password": "another one 1"})

    assert (second.status_code, second.json()) == (first.status_code, first.json())
    assert "schon ein Konto" in (await web.mails())[-1]
    assert "token=" not in (await web.mails())[-1]


async def test_wrong_password_and_unknown_address_are_told_apart_by_nothing(web: Web) -> None:
    async with web.client() as ada, web.client() as stranger:
        await web.signed_up(ada, "ada@example.org")

        wrong = await stranger.post("/api/v1/sessions", json={"email": "ada@example.org", "password": "not this one"})
        unknown = await stranger.post("/api/v1/sessions", json={"email": "eve@example.org", "password": "not this one"})

    assert wrong.status_code == unknown.status_code == 401
    assert {k: v for k, v in wrong.json().items() if k != "instance"} == {
        k: v for k, v in unknown.json().items() if k != "instance"
    }


async def test_every_login_gets_a_new_session_and_logout_ends_it(web: Web) -> None:
    async with web.client() as ada:
        await web.signed_up(ada, "ada@example.org")
        before = ada.cookies["__Host-kontor"]

        await ada.post("/api/v1/sessions", json={"email": "ada@example.org", "password": PASSWORD})

        after = ada.cookies["__Host-kontor"]
        assert after != before
        assert (await ada.delete("/api/v1/sessions/current")).status_code == 204
        ada.cookies.set("__Host-kontor", after, domain="kontor.test")
        assert (await ada.get("/api/v1/me")).status_code == 401


async def test_a_reset_sets_the_password_ends_all_sessions_and_works_once(web: Web) -> None:
    async with web.client() as ada, web.client() as elsewhere:
        await web.signed_up(ada, "ada@example.org")
        known = await elsewhere.post("/api/v1/password-resets", json={"email": "ada@example.org"})
        unknown = await elsewhere.post("/api/v1/password-resets", json={"email": "eve@example.org"})
        await web.send_reset_links()
        token = await web.last_token()

        reset = await elsewhere.post(
            "/api/v1/password-resets/confirmation", json={"token": token, "password": "ein ganz neues Wort"}
        )
        again = await elsewhere.post(
            "/api/v1/password-resets/confirmation", json={"token": token, "password": "noch ein neues Wort"}
        )
        login = await elsewhere.post(
            "/api/v1/sessions", json={"email": "ada@example.org", "password": "ein ganz neues Wort"}
        )

        assert (await ada.get("/api/v1/me")).status_code == 401
    assert (known.status_code, known.json()) == (unknown.status_code, unknown.json())
    assert reset.status_code == 204
    assert again.json()["code"] == "link.used"
    assert login.status_code == 200


async def test_guessing_is_slowed_down_and_says_when_to_come_back(web: Web) -> None:
    async with web.client() as stranger:
        answers = [
            await stranger.post("/api/v1/sessions", json={"email": "ada@example.org", "password": f"guess {n}"})
            for n in range(11)
        ]

    assert [answer.status_code for answer in answers] == [401] * 10 + [429]
    assert answers[-1].json()["code"] == "rate.limited"
    assert int(answers[-1].headers["retry-after"]) > 0


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"origin": "https://evil.example"}, 403),
        ({"origin": BASE_URL, "sec-fetch-site": "cross-site"}, 403),
        ({"origin": BASE_URL, "sec-fetch-site": "same-site"}, 403),
        ({"origin": BASE_URL, "sec-fetch-site": "same-origin"}, 204),
        ({"origin": BASE_URL}, 204),
    ],
)
async def test_only_our_own_pages_may_act_with_the_cookie(web: Web, headers: dict[str, str], status: int) -> None:
    async with web.client() as ada:
        await web.signed_up(ada, "ada@example.org")

        answer = await ada.delete("/api/v1/sessions/current", headers=headers)

    assert answer.status_code == status


async def test_a_cookie_without_any_origin_is_refused(web: Web) -> None:
    async with web.client() as ada:
        await web.signed_up(ada, "ada@example.org")
        del ada.headers["origin"]

        answer = await ada.delete("/api/v1/sessions/current")

    assert answer.json()["code"] == "request.cross_site"


@pytest.mark.parametrize("text", ["nul\x00inside", "tab\there", "bell\x07"])
async def test_control_characters_are_refused_in_every_line(web: Web, text: str) -> None:
    async with web.client() as ada:
        await web.signed_up(ada, "ada@example.org")
        from support.web import COMPANY

        answer = await ada.post("/api/v1/tenants", json={**COMPANY, "legal_name": text})

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "body.legal_name"


async def test_an_operator_needs_the_second_factor_and_a_code_counts_once(web: Web, clock: FixedClock) -> None:
    import pyotp

    made = await operators.add(
        web.container.database,
        web.container.passwords,
        email="ops@example.org",
        password=PASSWORD,
        role=OperatorRole.OPERATOR,
    )
    code = pyotp.TOTP(made.totp_secret).at(clock.now())
    async with web.client() as ops, web.client() as second:
        await ops.post("/api/v1/sessions", json={"email": "ops@example.org", "password": PASSWORD})
        assert (await ops.get("/api/v1/me")).json()["second_factor"] is False
        wrong = await ops.post("/api/v1/sessions/current/second-factor", json={"code": "000000"})
        right = await ops.post("/api/v1/sessions/current/second-factor", json={"code": code})
        assert (await ops.get("/api/v1/me")).json()["second_factor"] is True

        await second.post("/api/v1/sessions", json={"email": "ops@example.org", "password": PASSWORD})
        replayed = await second.post("/api/v1/sessions/current/second-factor", json={"code": code})

    assert wrong.json()["code"] == "login.code_refused"
    assert right.status_code == 204
    assert replayed.json()["code"] == "login.code_refused"
