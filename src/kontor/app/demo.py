"""The demo login of `kontor up`: a bakery that has signed up, made as a customer makes it, over public HTTP.

Only where the mail outbox runs on this machine and all addresses are this machine's own: the password is no secret.
"""

import asyncio
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

import structlog

from kontor.app.journey import STEPS, Story, play
from kontor.app.journey.answers import Person
from kontor.app.journey.customer import Customer, expected, read, send, status_of
from kontor.app.journey.failed import StepFailed
from kontor.app.journey.screen import Unwatched
from kontor.app.up.command import DemoLogin

log = structlog.get_logger(__name__)

LOGIN: Final = DemoLogin("demo@kontor.example", "demo-demo-demo")
COMPANY: Final = "Bäckerei Müller Demo GmbH"
WITHIN_S: Final = 60.0
STEPS_TO_COMPANY: Final = ("sign_up", "mail", "verification", "company", "contracts")
OFF: Final = "off"
_OWN: Final = frozenset({"127.0.0.1", "localhost", "::1"})


def seed(environment: Mapping[str, str]) -> DemoLogin | None:
    """There is a company to look around in; None where there is none. A second call finds it and does nothing.

    `environment` is that of the processes, which are ready. KONTOR_DEMO=off leaves it out.
    """
    url, outbox = environment["KONTOR_BASE_URL"], environment.get("KONTOR_OUTBOX_URL", "")
    api_host = environment.get("KONTOR_API_HOST") or "127.0.0.1"
    if environment.get("KONTOR_DEMO") == OFF or not _is_own(url, outbox, api_host):
        return None
    return LOGIN if asyncio.run(_make(url, outbox)) else None


def _is_own(url: str, outbox: str, api_host: str) -> bool:
    return all(host in _OWN for host in (urlsplit(url).hostname, urlsplit(outbox).hostname, api_host))


async def _make(url: str, outbox: str) -> bool:
    """What is missing is played; the assistant comes by itself. False when it did not work."""
    try:
        async with asyncio.timeout(WITHIN_S), Customer(url, outbox, "de") as customer:
            begin = await _missing_from(customer)
            steps = STEPS_TO_COMPANY[STEPS_TO_COMPANY.index(begin) :] if begin else ()
            story = Story(customer, email=LOGIN.email, password=LOGIN.password, company=COMPANY)
            report = await play(story, [step for step in STEPS if step.name in steps], Unwatched())
            if begin is None or begin != STEPS_TO_COMPANY[0]:
                await send(customer.browser, "DELETE", "/api/v1/sessions/current")
    except TimeoutError:
        log.warning("demo.not_made", why=f"it took longer than {WITHIN_S:g} s")
        return False
    except StepFailed as failure:
        log.warning("demo.not_made", why=str(failure))
        return False
    if report.failed is not None:
        log.warning("demo.not_made", step=report.failed.name, why=report.failed.error)
    return report.failed is None


async def _missing_from(customer: Customer) -> str | None:
    """The first step that is still to be played; None when the company is there. Logs in when that is possible."""
    login = {"email": LOGIN.email, "password": LOGIN.password}
    response = await status_of(customer.browser, "POST", "/api/v1/sessions", json=login)
    if response.status_code == HTTPStatus.UNAUTHORIZED:
        return "sign_up"
    me = read(expected(response), Person)
    if not me.memberships:
        return "company"
    return "contracts" if me.memberships[0].state == "onboarding" else None
