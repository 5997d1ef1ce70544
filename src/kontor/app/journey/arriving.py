"""From nobody to a company with accepted contracts and an assistant that is ready."""

from hashlib import sha256
from typing import Final
from urllib.parse import parse_qs, urlsplit

from kontor.app.journey.answers import (
    Accepted,
    Anything,
    ApiKey,
    Assistant,
    Company,
    Document,
    Mail,
    MailLine,
    MailList,
    Me,
)
from kontor.app.journey.customer import ask, until
from kontor.app.journey.failed import StepFailed, expect
from kontor.app.journey.story import Story

KEY_SCOPES: Final = ["chat", "usage", "read"]


async def sign_up(story: Story) -> str:
    """An account is asked for."""
    body = {"email": story.email, "password": story.password, "language": story.language}
    await ask(story.customer.browser, "POST", "/api/v1/signups", Anything, json=body)
    return story.email


async def mail(story: Story) -> str:
    """The mail with the link has come."""

    async def newest() -> MailLine | None:
        found = await ask(story.customer.mailbox, "GET", "/api/mails", MailList, params={"to": story.email})
        return found.mails[0] if found.mails else None

    line = await until(
        newest,
        within_s=story.patience.mail_s,
        otherwise=lambda: f"no mail for {story.email} in {story.customer.outbox_url}. Does the worker run?",
    )
    letter = await ask(story.customer.mailbox, "GET", f"/api/mails/{line.id}", Mail)
    story.link = next((link for link in letter.links if "token=" in link), "")
    expect(holds=bool(story.link), code="mail", detail=f"the mail '{letter.subject}' holds no link with a token")
    return letter.subject


async def verification(story: Story) -> str:
    """The link is used; the customer is logged in."""
    token = parse_qs(urlsplit(story.link).query)["token"][0]
    me = await ask(story.customer.browser, "POST", "/api/v1/signups/confirmation", Me, json={"token": token})
    expect(holds=me.email == story.email, code="person", detail=f"logged in as {me.email} instead of {story.email}")
    return f"logged in as {me.id}"


async def company(story: Story) -> str:
    """The company is there, with address, country, industry, use case, data residency and plan."""
    made = await ask(story.customer.browser, "POST", "/api/v1/tenants", Company, json=story.form)
    expect(holds=made.state == "onboarding", code="company", detail=f"the new company is {made.state}")
    story.tenant, story.slug = made.id, made.slug
    return f"{made.slug}, {'pilot' if made.is_pilot else made.plan}, {made.id}"


async def contracts(story: Story) -> str:
    """Each document is read, its digest is recomputed, and all that bind are accepted."""
    browser = story.customer.browser
    listed = await ask(browser, "GET", "/api/v1/contracts", list[Document])
    for one in listed:
        shown = await ask(browser, "GET", f"/api/v1/contracts/{one.kind}", Document)
        digest = sha256(shown.text.encode()).hexdigest()
        expect(
            holds=digest == shown.sha256 == one.sha256,
            code="contract_digest",
            detail=f"the text of '{one.kind}' has the digest {digest}, {one.sha256} was said",
        )
        story.detail(one.title)
    names = ("kind", "version", "language", "sha256")
    signed = [{name: getattr(one, name) for name in names} for one in listed if one.must_accept]
    expect(holds=bool(signed), code="contracts", detail="there is no document to accept")
    accepted = await ask(browser, "POST", "/api/v1/contracts/acceptances", Accepted, json={"documents": signed})
    expect(holds=accepted.is_complete, code="contracts", detail="documents are open after all were accepted")
    return f"{len(listed)} documents read, {len(signed)} accepted: {', '.join(one.kind for one in listed)}"


async def api_key(story: Story) -> str:
    """The customer's program has a key."""
    body = {"name": "Journey", "scopes": KEY_SCOPES}
    made = await ask(story.customer.browser, "POST", "/api/v1/api-keys", ApiKey, json=body)
    story.customer.use_key(made.secret)
    return f"{made.id} for {', '.join(KEY_SCOPES)}"


async def assistant_ready(story: Story) -> str:
    """The assistant answers."""
    last = ""

    async def serving() -> Assistant | None:
        nonlocal last
        now = await ask(story.customer.browser, "GET", "/api/v1/assistant", Assistant)
        last = f"{now.progress} % {now.step}"
        story.detail(last)
        if now.phase == "failed":
            raise StepFailed(now.failure_code or "journey.assistant", now.failure or now.step)
        return now if now.is_serving else None

    found = await until(serving, within_s=story.patience.ready_s, otherwise=lambda: f"the assistant stands at: {last}")
    return f"{found.display_name}: {last}"
