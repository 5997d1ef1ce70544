"""The API in the test's own process, spoken to by HTTP as a browser or a program would."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
from sqlalchemy import select

from kontor.app.container import Container
from kontor.app.main import create_app
from kontor.core.clock import Clock
from kontor.core.jobs import Work, Worker
from kontor.core.mail import Mail
from kontor.core.postgres import DatabaseUrls
from kontor.core.settings import Settings
from kontor.tenants.people import reset
from kontor.tenants.people.passwords import Passwords

BASE_URL = "https://kontor.test"
PASSWORD = "Drei Äpfel und ein Boot 🚣"
COMPANY = {
    "legal_name": "Bäckerei Müller & Söhne GmbH",
    "street": "Königstraße 1",
    "postcode": "70173",
    "city": "Stuttgart",
    "country": "DE",
    "is_business": True,
    "industry": "general",
    "use_case": "Fragen unserer Kundschaft zu Öffnungszeiten und Bestellungen",
    "residency": "eu",
    "plan": "professional",
    "seats": 10,
}


def settings_for(urls: DatabaseUrls, folder: Path, master_key: str, **more: object) -> Settings:
    """Settings of a test: its database, its folder, nothing from the environment that matters."""
    return Settings(
        state_dir=folder,
        cache_dir=folder / "cache",
        master_key=master_key,  # type: ignore[arg-type]
        database_url=urls.owner,  # type: ignore[arg-type]
        base_url=BASE_URL,
        database_pool_size=5,
        **more,  # type: ignore[arg-type]
    )


class Web:
    """A container with its API; `client()` is a new visitor."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self.container = Container(settings, clock)
        self.container.passwords = Passwords(memory_kib=64, time_cost=1)  # what they cost has a test of its own
        self.app = create_app(self.container)

    @asynccontextmanager
    async def client(self, **headers: str) -> AsyncIterator[httpx.AsyncClient]:
        """A browser of its own: cookies, and the Origin that a browser sends from our pages."""
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False, client=("192.0.2.1", 1234))
        async with httpx.AsyncClient(
            transport=transport, base_url=BASE_URL, headers={"origin": BASE_URL, "accept-language": "de", **headers}
        ) as client:
            yield client

    async def mails(self) -> list[str]:
        """The plain content of all mails that are still to be sent, oldest first, as JSON text."""
        vault = self.container.vault
        async with self.container.database.system_uow() as tx:
            rows = (await tx.scalars(select(Mail).where(Mail.content.is_not(None)).order_by(Mail.id))).all()
            return [await vault.open_text(row.owner, f"mails.content:{row.id}", row.content or b"") for row in rows]

    async def send_reset_links(self) -> None:
        """The jobs that look up who asked for a new password have run."""
        database = self.container.database
        await Worker(database, Work({reset.JOB: reset.link_job(database, self.container.links)})).drain()

    async def last_token(self) -> str:
        """The secret part of the link in the newest mail."""
        found = re.search(r"token=([A-Za-z0-9_-]+)", (await self.mails())[-1])
        assert found, "the newest mail has no link"
        return found[1]

    async def signed_up(self, client: httpx.AsyncClient, email: str) -> dict[str, object]:
        """The visitor has a verified account and is logged in."""
        sent = await client.post("/api/v1/signups", json={"email": email, "password": PASSWORD})
        assert sent.status_code == 202, sent.text
        confirmed = await client.post("/api/v1/signups/confirmation", json={"token": await self.last_token()})
        assert confirmed.status_code == 200, confirmed.text
        return confirmed.json()

    async def with_company(self, client: httpx.AsyncClient, email: str, **changes: object) -> dict[str, object]:
        """The visitor is the owner of a company whose contracts are open."""
        await self.signed_up(client, email)
        made = await client.post("/api/v1/tenants", json={**COMPANY, **changes})
        assert made.status_code == 201, made.text
        return made.json()

    async def active(self, client: httpx.AsyncClient, email: str, **changes: object) -> dict[str, object]:
        """The visitor is the owner of an active company: all contracts accepted."""
        company = await self.with_company(client, email, **changes)
        documents = (await client.get("/api/v1/contracts")).json()
        signatures = [
            {name: one[name] for name in ("kind", "version", "language", "sha256")}
            for one in documents
            if one["must_accept"]
        ]
        accepted = await client.post("/api/v1/contracts/acceptances", json={"documents": signatures})
        assert accepted.status_code == 201, accepted.text
        assert accepted.json() == {"is_complete": True}
        return company
