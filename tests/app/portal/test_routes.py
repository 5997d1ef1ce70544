"""The portal through its pages: from the first visit to the chat, as forms and redirects."""

import re

import httpx
import pytest

from kontor.core.ids import TenantId, decode
from support.talking import ready_assistant
from support.web import COMPANY, PASSWORD, Web

FORM = {**{name: str(value) for name, value in COMPANY.items() if name != "is_business"}, "is_business": "on"}
BROWSER = {"accept": "text/html,*/*"}


async def logged_in(web: Web, client: httpx.AsyncClient) -> None:
    asked = await client.post("/sign-up", data={"email": "ada@example.org", "password": PASSWORD})
    assert asked.status_code == 200, asked.text
    shown = await client.get("/verify", params={"token": await web.last_token()})
    token = re.search(r'name="token" value="([^"]+)"', shown.text)
    assert token is not None
    done = await client.post("/verify", data={"token": token[1]})
    assert (done.status_code, done.headers["location"]) == (303, "/onboarding/company")


async def accepted(client: httpx.AsyncClient) -> httpx.Response:
    page = (await client.get("/onboarding/contracts")).text
    digests = dict(re.findall(r'name="(sha256\.[a-z_]+)" value="([0-9a-f]{64})"', page))
    marks = {name.replace("sha256", "accept"): "yes" for name in digests}
    return await client.post("/onboarding/contracts", data={**digests, **marks})


async def test_a_customer_comes_from_the_first_page_to_the_chat(web: Web) -> None:
    async with web.client(**BROWSER) as ada:
        assert "Kontor" in (await ada.get("/")).text
        await logged_in(web, ada)
        assert (await ada.get("/home")).headers["location"] == "/onboarding/company"

        made = await ada.post("/onboarding/company", data=FORM)
        assert (made.status_code, made.headers["location"]) == (303, "/onboarding/contracts")
        read = await ada.get("/onboarding/contracts/terms")
        assert "Bäckerei Müller &amp; Söhne GmbH" in read.text
        done = await accepted(ada)
        assert (done.status_code, done.headers["location"]) == (303, "/onboarding/progress")
        waiting = await ada.get("/onboarding/progress")
        assert waiting.status_code == 200
        assert (await ada.get("/home")).headers["location"] == "/onboarding/progress"

        tenant = TenantId(decode("tnt", (await ada.get("/api/v1/tenant")).json()["id"]))
        await ready_assistant(web.container.database, tenant, "http://127.0.0.1:1")
        home = await ada.get("/home")
        chat = await ada.get("/chat")
        usage = await ada.get("/usage")

    assert home.status_code == 200
    assert "Die erste Frage stellen" in home.text
    assert "Sie kommunizieren mit einem KI-gestützten Assistenten" in chat.text
    assert "default-src 'none'" in chat.headers["content-security-policy"]
    assert usage.status_code == 200


async def test_a_wrong_form_comes_back_with_what_was_typed_but_no_password(web: Web) -> None:
    async with web.client(**BROWSER) as ada:
        short = await ada.post("/sign-up", data={"email": "ada@example.org", "password": "zu-kurz"})
        await logged_in(web, ada)
        unknown = await ada.post("/onboarding/company", data={**FORM, "city": "Ulm", "plan": "gold"})

    assert short.status_code == 422
    assert "ada@example.org" in short.text
    assert "zu-kurz" not in short.text
    assert unknown.status_code == 422
    assert "Ulm" in unknown.text


async def test_a_second_submit_and_the_back_button_do_no_harm(web: Web) -> None:
    async with web.client(**BROWSER) as ada:
        await logged_in(web, ada)
        await ada.post("/onboarding/company", data=FORM)

        twice = await ada.post("/onboarding/company", data=FORM)
        me = (await ada.get("/api/v1/me")).json()
        await accepted(ada)
        again = await accepted(ada)

    assert (twice.status_code, twice.headers["location"]) == (303, "/home")
    assert len(me["memberships"]) == 1
    assert again.headers["location"] == "/onboarding/progress"


async def test_a_link_that_was_used_says_what_to_do_and_who_is_in_goes_on(web: Web) -> None:
    async with web.client(**BROWSER) as ada, web.client(**BROWSER) as elsewhere:
        await ada.post("/sign-up", data={"email": "ada@example.org", "password": PASSWORD})
        token = await web.last_token()
        await ada.post("/verify", data={"token": token})

        second = await ada.post("/verify", data={"token": token})
        stranger = await elsewhere.post("/verify", data={"token": token})

    assert (second.status_code, second.headers["location"]) == (303, "/home")
    assert stranger.status_code == 410
    assert "/login" in stranger.text


@pytest.mark.parametrize("target", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:x"])
async def test_a_login_never_leads_to_another_site(web: Web, target: str) -> None:
    async with web.client(**BROWSER) as ada:
        await web.signed_up(ada, "ada@example.org")

        done = await ada.post("/login", data={"email": "ada@example.org", "password": PASSWORD, "next": target})

    assert done.headers["location"] == "/home"


async def test_a_browser_gets_a_page_and_a_program_a_problem(web: Web) -> None:
    async with web.client() as ada:
        page = await ada.get("/nothing", headers={"accept": "text/html"})
        problem = await ada.get("/nothing", headers={"accept": "application/json"})
        api = await ada.get("/api/v1/nothing", headers={"accept": "text/html"})

    assert page.status_code == problem.status_code == api.status_code == 404
    assert page.headers["content-type"].startswith("text/html")
    assert problem.headers["content-type"] == api.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("path", ["/imprint", "/privacy", "/sub-processors", "/login", "/forgot", "/sign-up", "/"])
async def test_public_pages_stand_in_both_languages(web: Web, path: str) -> None:
    async with web.client(**BROWSER) as ada:
        german = await ada.get(path)
        english = await ada.get(path, headers={"accept-language": "en"})

    assert german.status_code == english.status_code == 200
    assert 'lang="de"' in german.text
    assert 'lang="en"' in english.text


async def test_the_side_bar_leads_only_to_pages_that_are_served(web: Web) -> None:
    async with web.client(**BROWSER) as ada:
        await web.active(ada, "ada@example.org")
        tenant = TenantId(decode("tnt", (await ada.get("/api/v1/tenant")).json()["id"]))
        await ready_assistant(web.container.database, tenant, "http://127.0.0.1:1")
        page = (await ada.get("/chat")).text
        side_bar = page[page.index("<nav") : page.index("</nav>")]

        for path in re.findall(r'href="(/[^"]*)"', side_bar):
            assert (await ada.get(path)).status_code == 200, path


async def test_everything_that_a_page_needs_is_served_by_us(web: Web) -> None:
    async with web.client(**BROWSER) as ada:
        page = (await ada.get("/")).text

        needed = re.findall(r'(?:href|src)="(/static/[^"]+)"', page)
        assert any(".css" in path for path in needed)
        for path in needed:
            assert (await ada.get(path.replace("&amp;", "&"))).status_code == 200, path
        assert not re.findall(r'(?:src|href)="https?://(?!kontor\.test)', page)
