"""The portal as a person meets it: in Chromium, over HTTP, with and without JavaScript."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Literal
from urllib.parse import urlsplit
from uuid import UUID

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Locator, Page, Route, expect

from kontor.app.container import Container
from kontor.app.main import create_app
from kontor.billing.metering.model import PolicyHits, UsageHour
from kontor.billing.metering.policy.meaning import MEANINGS
from kontor.core.clock import FixedClock
from kontor.core.ids import PREFIXES, TenantId, decode, encode
from kontor.tenants.talk.ask import Desk
from support.browser import (
    AXE,
    MISSING,
    PATIENCE_MS,
    Tab,
    barriers,
    chromium,
    open_browser,
    open_tab,
    open_visitor,
    set_width,
    sticking_out,
)
from support.content_log import logged
from support.databases import MASTER_KEY, in_database, roles_of, sql
from support.eventually import eventually
from support.operators import operator_login
from support.processes import free_port
from support.serving import served
from support.talking import IMPATIENT, ScriptedInstance, ready_assistant
from support.web import COMPANY, PASSWORD, Web, settings_for

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("browser")]
expect.set_options(timeout=PATIENCE_MS)

PAGES = (
    ("visitor", "/"),
    ("visitor", "/sign-up"),
    ("visitor", "/login"),
    ("visitor", "/forgot"),
    ("visitor", "/imprint"),
    ("visitor", "/privacy"),
    ("visitor", "/terms"),
    ("visitor", "/sub-processors"),
    ("newcomer", "/onboarding/company"),
    ("signer", "/onboarding/contracts"),
    ("signer", "/onboarding/contracts/avv"),
    ("owner", "/onboarding/progress"),
    ("owner", "/chat"),
    ("owner", "/usage"),
    ("owner", "/policy"),
    ("owner", "/home"),
    ("owner", "/conversations"),
    ("owner", "/conversations/{conversation}"),
    ("owner", "/availability"),
    ("owner", "/assistant"),
    ("owner", "/members"),
    ("owner", "/members/{member}/turns"),
    ("owner", "/keys"),
    ("owner", "/keys/{key}/turns"),
    ("owner", "/gateway-keys"),
    ("owner", "/contracts"),
    ("owner", "/exports"),
    ("owner", "/content-log"),
    ("owner", "/content-log/{call}"),
    ("owner", "/company"),
    ("owner", "/leave"),
    ("owner", "/audit"),
    ("owner", "/account"),
    ("staff", "/ops/tenants"),
    ("staff", "/ops/tenants/{tenant}"),
    ("staff", "/ops/instances"),
)
"""Who looks, and where. A visitor is not logged in, a newcomer has no company yet, a signer has contracts to accept,
an owner has an assistant that answers and a little of everything, staff runs all this.
"""
NAME = "Bäckerei Müller & Söhne GmbH"
MODEL = "größe-8b"


@dataclass
class Portal:
    """The portal at `url`, the people who use it, and the browser."""

    url: str
    clock: FixedClock
    web: Web
    browser: Browser
    instance: ScriptedInstance
    stack: AsyncExitStack
    ids: dict[str, str] = field(default_factory=dict)
    """Of the owner's `tenant`, of a `conversation` and a `call` in it, of the owner as `member` and of a `key`."""
    cookies: dict[str, dict[str, str]] = field(default_factory=lambda: {"visitor": {}})
    _standing: dict[tuple[str, str], Tab] = field(default_factory=dict)

    @asynccontextmanager
    async def tab(self, who: str = "visitor", *, has_script: bool = True) -> AsyncIterator[Tab]:
        """A tab in a new German browser of one of those people, a minute later than the one before."""
        self.clock.advance(timedelta(minutes=1))
        async with self._visitor(who, "de", has_script=has_script) as visitor, open_tab(visitor, self.url) as tab:
            yield tab

    async def standing_tab(self, who: str, lang: str) -> Tab:
        """A blank tab that is used again and has the portal's files already, for tests that only look."""
        if (who, lang) not in self._standing:
            visitor = await self.stack.enter_async_context(self._visitor(who, lang))
            await visitor.add_init_script(AXE)  # sent once, where `barriers` would send it for each page
            self._standing[who, lang] = await self.stack.enter_async_context(open_tab(visitor, self.url))
        tab = self._standing[who, lang]
        await tab.page.goto("about:blank")
        tab.forget()
        return tab

    @asynccontextmanager
    async def chromium(self, *, has_memory: bool) -> AsyncIterator[Browser]:
        """The browser that there is, or one that has a memory."""
        if not has_memory:
            yield self.browser
            return
        async with open_browser(has_memory=True) as browser:
            yield browser

    def _visitor(self, who: str, lang: str, *, has_script: bool = True) -> AbstractAsyncContextManager[BrowserContext]:
        return open_visitor(self.browser, self.url, lang=lang, cookies=self.cookies[who], has_script=has_script)


@pytest.fixture(scope="module")
def own_database(postgres: str, template: str) -> Iterator[str]:
    name = "in_a_browser"
    asyncio.run(sql(postgres, f"CREATE DATABASE {name} TEMPLATE {template}"))
    yield in_database(postgres, name)
    asyncio.run(sql(postgres, f"DROP DATABASE {name} WITH (FORCE)"))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def portal(own_database: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Portal]:
    """The portal is served by a container of its own, as by another process; the test's own prepares and looks."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    folder = tmp_path_factory.mktemp("portal")
    made = settings_for(roles_of(own_database), folder, MASTER_KEY, sub_processors="hetzner-de")
    settings = made.model_copy(update={"base_url": url})
    clock = FixedClock(datetime(2026, 11, 23, 9, tzinfo=UTC))
    web = Web(settings, clock)
    container = Container(settings, clock)
    container.desk = Desk(container.database, container.sellers, container.desk.http, IMPATIENT)
    instance = ScriptedInstance()
    async with AsyncExitStack() as stack:
        browser = await stack.enter_async_context(open_browser())
        stack.push_async_callback(web.container.close)
        servers = stack.enter_context(ExitStack())
        instance_url = servers.enter_context(served(instance.app))
        servers.enter_context(served(create_app(container), port))
        portal = Portal(url, clock, web, browser, instance, stack)
        for who in ("newcomer", "signer", "owner", "staff"):
            portal.cookies[who] = await log_in_as(portal, who, instance_url)
        yield portal


async def log_in_as(portal: Portal, who: str, instance_url: str) -> dict[str, str]:
    """The cookies of somebody who has come as far as `who` says."""
    web, email = portal.web, f"{who}@example.org"
    async with httpx.AsyncClient(base_url=portal.url, headers={"origin": portal.url}, timeout=30) as client:
        match who:
            case "newcomer":
                await web.signed_up(client, email)
            case "signer":
                await web.with_company(client, email, language="de")
            case "owner":
                company = await web.active(client, email)
                tenant = TenantId(decode(PREFIXES["tenant"], str(company["id"])))
                await ready_assistant(web.container.database, tenant, instance_url)
                await used(web, tenant)
                await spends(client)
                call = await logged(
                    web.container.database, TenantId(tenant), '{"messages": []}' * 40, "data: [DONE]\n\n"
                )
                portal.ids = {
                    "tenant": str(company["id"]),
                    "conversation": await busy(client),
                    "call": encode(PREFIXES["usage_event"], call),
                }
                portal.ids |= await limited(client)
            case _:
                await operator_login(web, client)
        return dict(client.cookies)


async def spends(client: httpx.AsyncClient) -> None:
    """The company has caps and a key for a program."""
    capped = {"name": "Angebote", "day_cap_eur": "2"}
    assert (await client.post("/api/v1/gateway-keys", json=capped)).status_code == 201
    caps = {"cap_eur": "20", "day_cap_eur": "2"}
    assert (await client.put("/api/v1/budget", json=caps, headers={"if-match": '"1"'})).status_code == 200


async def limited(client: httpx.AsyncClient) -> dict[str, str]:
    """The company's key has a limit of messages; the ids of the key and of the owner as a member."""
    key = (await client.get("/api/v1/api-keys")).json()["items"][0]["id"]
    limits = {"per_day": 5, "per_month": 100}
    path = f"/api/v1/api-keys/{key}/turn-limits"
    assert (await client.put(path, json=limits, headers={"if-match": '"1"'})).status_code == 200
    return {"key": key, "member": (await client.get("/api/v1/members")).json()["items"][0]["id"]}


async def used(web: Web, tenant: UUID) -> None:
    """The company has used a model on two days, and was refused on one."""
    async with web.container.database.system_uow() as tx:
        for category in MEANINGS:
            tx.add(PolicyHits(tenant_id=tenant, day=date(2026, 11, 20), category=category, hits=1_234))
        for day in (18, 20):
            tx.add(
                UsageHour(
                    tenant_id=tenant,
                    hour=datetime(2026, 11, day, 9, tzinfo=UTC),
                    model=MODEL,
                    events=3,
                    unpriced_events=0,
                    estimated_events=0,
                    input_tokens=12_345,
                    cached_tokens=0,
                    cache_write_tokens=0,
                    output_tokens=678,
                    reasoning_tokens=0,
                    cost_nano=2_500_000,
                )
            )


async def busy(client: httpx.AsyncClient) -> str:
    """The company has a key, an invitation, an export and a customer who waits for a person: the conversation's id."""
    made: dict[str, httpx.Response] = {}
    for path, body in {
        "api-keys": {"name": "Bestellseite unserer Filialen", "scopes": ["chat", "read"]},
        "invitations": {"email": "hannelore.schmidt-vogelsang@example.org"},
        "exports": None,
    }.items():
        made[path] = await client.post(f"/api/v1/{path}", json=body)
        assert made[path].is_success, made[path].text
    key = made["api-keys"].json()["secret"]
    async with httpx.AsyncClient(base_url=client.base_url, headers={"authorization": f"Bearer {key}"}) as shop:
        say = {"model": "assistant", "messages": [{"role": "user", "content": "MENSCH"}], "user": "kunde-4711"}
        asked = await shop.post("/api/v1/chat/completions", json=say, timeout=30)
    assert asked.is_success, asked.text
    return asked.headers["kontor-conversation"]


async def signed_up_through_the_pages(portal: Portal, tab: Tab, email: str) -> None:
    """A new person stands before the company's form."""
    page = tab.page
    await page.goto("/sign-up")
    await page.get_by_label("Geschäftliche E-Mail-Adresse").fill(email)
    await page.get_by_label("Passwort").fill(PASSWORD)
    await page.get_by_role("button", name="Konto anlegen").click()
    await expect(page.get_by_role("heading", name="Prüfen Sie Ihr Postfach")).to_be_visible()
    await page.goto(await link_in_the_newest_mail(portal))
    await page.get_by_role("button", name="Adresse bestätigen").click()
    await expect(page.get_by_role("heading", name="Ihr Unternehmen")).to_be_visible()


async def link_in_the_newest_mail(portal: Portal) -> str:
    found = re.search(re.escape(portal.url) + r"/verify\?token=[A-Za-z0-9_-]+", (await portal.web.mails())[-1])
    assert found, "the newest mail has no link"
    return found[0]


async def fill_company(page: Page) -> None:
    await page.get_by_label("Firma mit Rechtsform").fill(NAME)
    await page.get_by_label("Straße und Hausnummer").fill("Königstraße 1")
    await page.get_by_label("Postleitzahl").fill("70173")
    await page.get_by_label("Ort", exact=True).fill("Stuttgart")
    await page.get_by_label("Ich handle für ein Unternehmen").check()
    await page.get_by_label("Branche").select_option("general")
    await page.get_by_label("Wofür setzen Sie den Assistenten ein?").fill(str(COMPANY["use_case"]))


async def memberships(page: Page) -> list[str]:
    """The companies of whoever is logged in."""
    me = await (await page.request.get("/api/v1/me")).json()
    return [one["company"] for one in me["memberships"]]


def path_of(page: Page) -> str:
    return urlsplit(page.url).path


async def test_a_person_comes_from_the_first_page_to_an_assistant_that_is_on_its_way(portal: Portal) -> None:
    async with portal.tab() as tab:
        page = tab.page
        await page.goto("/")
        await page.get_by_role("link", name="Professional wählen").click()
        await signed_up_through_the_pages(portal, tab, "erika@example.org")

        await fill_company(page)
        await page.get_by_role("radio", name="Professional").check()
        await expect(page.locator("#quote")).to_contain_text("netto im Monat")
        await page.get_by_role("button", name="Weiter zu den Verträgen").click()
        await expect(page.get_by_text(f"Ausgefüllt für {NAME}.")).to_be_visible()
        for box in await page.get_by_role("checkbox").all():
            await box.check()
        await page.get_by_role("button", name="Annehmen und Assistent starten").click()

        await expect(page.get_by_role("heading", name="Ihr Assistent wird vorbereitet")).to_be_visible()
        await expect(page.get_by_text("Verträge geschlossen: erledigt")).to_be_visible()
        assert path_of(page) == "/onboarding/progress"
        assert await memberships(page) == [NAME]
        assert (tab.complaints, tab.foreign) == ([], [])


async def test_contracts_that_are_not_all_marked_are_not_sent(portal: Portal) -> None:
    async with portal.tab("signer") as tab:
        page = tab.page
        await page.goto("/onboarding/contracts")
        first, *_ = await page.get_by_role("checkbox").all()
        await first.check()

        await page.get_by_role("button", name="Annehmen und Assistent starten").click()

        await expect(page.locator("input[type=checkbox]:invalid:focus")).to_be_in_viewport()
        assert tab.posts == []


async def test_an_answer_appears_while_it_is_written_and_stays(portal: Portal) -> None:
    async with portal.tab("owner") as tab:
        page, instance = tab.page, portal.instance
        instance.plan(words=["Samstags ", "ab neun ", "geöffnet."], pause_after=2)
        await page.goto("/chat?new=1")

        await page.get_by_label("Ihre Nachricht").fill("Wann haben Sie geöffnet?")
        await page.keyboard.press("Enter")
        await expect(answers(page).last).to_have_text(re.compile("Samstags ab neun $"))
        await page.get_by_label("Ihre Nachricht").fill("Noch eine Frage")
        await page.keyboard.press("Enter")
        instance.may_go_on = True
        await expect(answers(page).last).to_have_text(re.compile("Samstags ab neun geöffnet."))
        await expect(page.get_by_role("button", name="Senden")).to_be_enabled()
        asked = list(tab.posts)
        await page.goto("/chat")

        await expect(questions(page)).to_have_text(["Wann haben Sie geöffnet?"])
        await expect(answers(page).last).to_have_text(re.compile("Samstags ab neun geöffnet."))
        assert len(asked) == 1, "what is typed while an answer comes waits for the next Enter"
        assert (tab.complaints, tab.foreign) == ([], [])


async def test_a_reached_limit_is_told_in_the_chat_and_lifted_on_its_page(portal: Portal) -> None:
    async with portal.tab("owner") as tab:
        page, asked = tab.page, len(portal.instance.asked)
        await page.goto("/members")
        await page.get_by_role("link", name=re.compile("Nachrichten von owner@example.org")).click()
        await page.get_by_label("Nachrichten pro Tag").fill("0")
        await page.get_by_role("button", name="Speichern").click()
        await expect(page.get_by_role("heading", name="Mitglieder")).to_be_visible()

        await page.goto("/chat?new=1")
        await page.get_by_label("Ihre Nachricht").fill("Darf ich noch etwas fragen?")
        await page.keyboard.press("Enter")
        await expect(page.locator(".said[data-role=failed]")).to_contain_text("keine Nachrichten an den Assistenten")
        assert len(portal.instance.asked) == asked

        await page.goto(f"/members/{portal.ids['member']}/turns")
        await page.get_by_label("Nachrichten pro Tag").fill("")
        await page.get_by_role("button", name="Speichern").click()
        await expect(page.get_by_role("heading", name="Mitglieder")).to_be_visible()
        await page.goto("/chat?new=1")
        await page.get_by_label("Ihre Nachricht").fill("Und jetzt?")
        await page.keyboard.press("Enter")
        await expect(answers(page).last).to_contain_text("Echo: Und jetzt?")


async def test_markup_in_the_chat_is_text(portal: Portal) -> None:
    markup = "<img src=x onerror=alert(1)><script>alert(2)</script>"
    async with portal.tab("owner") as tab:
        page = tab.page
        await page.goto("/chat?new=1")

        await page.get_by_label("Ihre Nachricht").fill(markup)
        await page.keyboard.press("Enter")
        await expect(answers(page).last).to_contain_text(f"Echo: {markup}")
        await expect(questions(page)).to_have_text([markup])
        await page.goto("/chat")

        await expect(answers(page).last).to_contain_text(f"Echo: {markup}")
        await expect(questions(page)).to_have_text([markup])
        assert await page.locator(".said img, .said script").count() == 0
        assert (tab.dialogs, tab.complaints, tab.foreign) == ([], [], [])


async def test_shift_and_enter_make_a_new_line(portal: Portal) -> None:
    async with portal.tab("owner") as tab:
        page = tab.page
        await page.goto("/chat?new=1")

        await page.get_by_label("Ihre Nachricht").press_sequentially("Erstens")
        await page.keyboard.press("Shift+Enter")
        await page.keyboard.type("zweitens")

        await expect(page.get_by_label("Ihre Nachricht")).to_have_value("Erstens\nzweitens")
        assert tab.posts == []
        await page.keyboard.press("Enter")
        await expect(answers(page).last).to_contain_text("Echo: Erstens\nzweitens")
        assert portal.instance.questions[-1] == "Erstens\nzweitens"


def questions(page: Page) -> Locator:
    return page.locator(".said[data-role=user] .text")


def answers(page: Page) -> Locator:
    return page.locator(".said[data-role=assistant] .text")


@pytest.mark.parametrize(("lang", "colours"), [("de", "light"), ("en", "dark")])
@pytest.mark.parametrize(("who", "path"), PAGES)
async def test_a_page_needs_nobody_else_fits_the_screen_and_has_no_barrier(
    portal: Portal, who: str, path: str, lang: str, colours: Literal["light", "dark"]
) -> None:
    tab = await portal.standing_tab(who, lang)
    page = tab.page
    await page.emulate_media(color_scheme=colours)
    path = path.format(**portal.ids)

    answer = await page.goto(path)

    assert answer is not None
    assert (answer.status, path_of(page)) == (200, path)
    assert await page.locator("html").get_attribute("lang") == lang
    for width in (1280, 360):
        await set_width(page, width)
        assert await sticking_out(page) == [], f"at {width} px"
        assert await barriers(page) == [], f"at {width} px"
    assert (tab.complaints, tab.foreign, tab.dialogs) == ([], [], [])


async def test_a_menu_fits_a_phone_and_closes_with_escape(portal: Portal) -> None:
    async with portal.tab("owner") as tab:
        page = tab.page
        await page.goto("/usage")
        await set_width(page, 360)

        edge = 0.0
        for name in ("Menü", "Unternehmen wechseln", "Ihr Konto"):
            menu = page.locator("details").filter(has=page.get_by_label(name, exact=True))
            place = await menu.locator("summary").bounding_box()
            assert place is not None
            assert place["x"] >= edge, f"{name} lies over its neighbour"
            edge = place["x"] + place["width"]
            await menu.locator("summary").press("Enter")
            await expect(menu.locator(".panel")).to_be_in_viewport(ratio=1)
            assert await sticking_out(page) == [], name
            assert await barriers(page) == [], name
            await page.keyboard.press("Escape")
            await expect(menu.locator(".panel")).to_be_hidden()
            await expect(menu.locator("summary")).to_be_focused()


async def test_the_checks_of_a_page_see_what_they_look_for(portal: Portal) -> None:
    async with portal.tab() as tab:
        page = tab.page
        await page.goto("/imprint")
        await page.evaluate("""() => {
          const add = (tag, values) => document.body.append(Object.assign(document.createElement(tag), values));
          add("button", {});
          add("img", {src: "https://elsewhere.example/pixel.png", alt: ""});
          add("pre", {textContent: "breit".repeat(1000)});
        }""")

        await eventually(lambda: found(tab, "policy: img-src refuses https://elsewhere.example/pixel.png"))
        assert any("button-name" in one for one in await barriers(page))
        assert await sticking_out(page) != []


async def test_a_second_click_sends_nothing(portal: Portal) -> None:
    async with portal.tab() as tab:
        page = tab.page
        await signed_up_through_the_pages(portal, tab, "doppelt@example.org")
        await fill_company(page)
        sent_before = len(tab.posts)
        is_sent, may_arrive = asyncio.Event(), asyncio.Event()

        async def hold(route: Route) -> None:
            is_sent.set()
            await may_arrive.wait()
            await route.continue_()

        await page.route("**/onboarding/company", hold)
        await page.get_by_role("button", name="Weiter zu den Verträgen").hover()
        await page.mouse.down()
        await page.mouse.up()
        await asyncio.wait_for(is_sent.wait(), PATIENCE_MS / 1000)
        await page.mouse.down()
        await page.mouse.up()
        may_arrive.set()
        await expect(page.get_by_role("heading", name="Verträge lesen und annehmen")).to_be_visible()

        assert tab.posts[sent_before:] == ["/onboarding/company"]
        assert await memberships(page) == [NAME]


async def test_going_back_to_a_form_that_was_sent_leads_on(portal: Portal) -> None:
    async with portal.tab() as tab:
        page = tab.page
        await signed_up_through_the_pages(portal, tab, "zurueck@example.org")
        other = await page.context.new_page()
        await other.goto("/onboarding/company")
        await fill_company(other)
        await fill_company(page)
        await page.get_by_role("button", name="Weiter zu den Verträgen").click()
        await expect(page.get_by_role("heading", name="Verträge lesen und annehmen")).to_be_visible()

        await page.go_back()
        await expect(page.get_by_role("heading", name="Verträge lesen und annehmen")).to_be_visible()
        await other.get_by_role("button", name="Weiter zu den Verträgen").click()
        await expect(other.get_by_role("heading", name="Verträge lesen und annehmen")).to_be_visible()

        assert await memberships(page) == [NAME]


async def test_without_javascript_a_person_logs_in_and_reads_the_usage_as_a_table(portal: Portal) -> None:
    async with portal.tab(has_script=False) as tab:
        page = tab.page

        await log_in(page, "owner@example.org", "/usage")
        await expect(page.get_by_role("row").filter(has_text="20.11.2026")).to_contain_text(MODEL)
        await page.get_by_label("Monat", exact=True).select_option("2026-10")
        await page.get_by_role("button", name="Zeigen").click()

        await expect(page.get_by_text("In diesem Monat noch nichts verbraucht")).to_be_visible()


async def test_without_javascript_a_question_is_answered(portal: Portal) -> None:
    async with portal.tab("owner", has_script=False) as tab:
        page = tab.page
        await page.goto("/chat?new=1")

        await page.get_by_label("Ihre Nachricht").fill("Geht das auch so?")
        await page.get_by_role("button", name="Senden").click()

        await expect(answers(page).last).to_contain_text("Echo: Geht das auch so?")


@pytest.mark.parametrize("has_memory", [True, False])
async def test_after_the_logout_the_back_button_shows_nothing_private(portal: Portal, has_memory: bool) -> None:  # noqa: FBT001 - a parameter of the test
    async with (
        portal.chromium(has_memory=has_memory) as browser,
        open_visitor(browser, portal.url) as visitor,
        open_tab(visitor, portal.url) as tab,
    ):
        page = tab.page
        await log_in(page, "owner@example.org", "/usage")
        await expect(page.get_by_role("cell", name=MODEL).first).to_be_visible()

        await page.get_by_label("Ihr Konto").click()
        await page.get_by_role("button", name="Abmelden").click()
        await expect(page).to_have_url(f"{portal.url}/")
        await page.evaluate("history.back()")

        await expect(page.get_by_role("heading", name="Willkommen zurück")).to_be_visible()
        await expect(page.get_by_text(MODEL)).to_have_count(0)


async def log_in(page: Page, email: str, path: str) -> None:
    """Asked for `path`, a visitor proves who they are and stands there."""
    await page.goto(path)
    await page.get_by_label("E-Mail-Adresse").fill(email)
    await page.get_by_label("Passwort").fill(PASSWORD)
    await page.get_by_role("button", name="Anmelden").click()
    await expect(page).to_have_url(re.compile(re.escape(path) + "$"))


async def found(tab: Tab, complaint: str) -> bool:
    return complaint in tab.complaints


@pytest.mark.parametrize(("ci", "outcome"), [("true", pytest.fail.Exception), ("", pytest.skip.Exception)])
async def test_a_missing_browser_is_told_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch, ci: str, outcome: type[BaseException]
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("CI", ci)

    with pytest.raises(outcome, match=re.escape(MISSING)):
        chromium()
