"""The outbox of one machine, through its two doors: mail in by SMTP, out by HTTP."""

from collections.abc import AsyncIterator
from email.message import EmailMessage
from pathlib import Path

import aiosmtplib
import httpx
import pytest

from kontor.app.outbox import Outbox
from kontor.app.outbox.store import KEPT, MailFolder
from kontor.core.clock import FixedClock


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "outbox"


@pytest.fixture
def outbox(folder: Path, clock: FixedClock) -> Outbox:
    return Outbox(MailFolder(folder, clock))


@pytest.fixture
async def smtp_port(outbox: Outbox) -> AsyncIterator[int]:
    async with outbox.receiving(0) as port:
        yield port


@pytest.fixture
async def web(outbox: Outbox) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(outbox.web)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8083") as client:
        yield client


def letter(to: str = "jörg@müller.example", subject: str = "Grüße 🎉") -> EmailMessage:
    message = EmailMessage()
    message["From"] = "Kontor <noreply@kontor.example>"
    message["To"] = to
    message["Subject"] = subject
    message.set_content("Bitte bestätigen:\nhttp://127.0.0.1:8080/verify?token=abc\n\n-- \nKontor")
    message.add_alternative("<p>Bitte <b>bestätigen</b> & <script>alert(1)</script></p>", subtype="html")
    return message


def only_file(folder: Path) -> tuple[str, int, bytes]:
    (file,) = folder.iterdir()
    return file.stem, file.stat().st_mode & 0o777, file.read_bytes()


async def deliver(port: int, message: EmailMessage, *, recipients: list[str] | None = None) -> None:
    await aiosmtplib.send(message, hostname="127.0.0.1", port=port, recipients=recipients)


async def test_a_delivered_mail_is_listed_and_read_with_its_link(smtp_port: int, web: httpx.AsyncClient) -> None:
    await deliver(smtp_port, letter())

    listed = (await web.get("/api/mails")).json()["mails"]
    mail = (await web.get(f"/api/mails/{listed[0]['id']}")).json()

    assert len(listed) == 1
    assert listed[0]["subject"] == "Grüße 🎉"
    assert listed[0]["to"] == ["jörg@müller.example"]
    assert listed[0]["received_at"] == "2026-11-23T09:00:00.000+00:00"
    assert mail["links"] == ["http://127.0.0.1:8080/verify?token=abc"]
    assert mail["text"].startswith("Bitte bestätigen:")
    assert "<b>bestätigen</b>" in mail["html"]


async def test_each_mail_is_a_file_that_only_its_owner_reads(
    smtp_port: int, web: httpx.AsyncClient, folder: Path
) -> None:
    await deliver(smtp_port, letter())

    name, mode, content = only_file(folder)
    downloaded = await web.get(f"/mails/{name}/file")

    assert mode == 0o600
    assert downloaded.content == content
    assert downloaded.headers["content-type"] == "message/rfc822"


async def test_mails_survive_the_process(smtp_port: int, folder: Path, clock: FixedClock) -> None:
    await deliver(smtp_port, letter())

    again = MailFolder(folder, clock)

    assert [entry.subject for entry in again.entries(None, 10)] == ["Grüße 🎉"]


async def test_the_list_can_be_for_one_address_with_the_newest_first(smtp_port: int, web: httpx.AsyncClient) -> None:
    await deliver(smtp_port, letter("a@example.org", "first"))
    await deliver(smtp_port, letter("b@example.org", "other"))
    await deliver(smtp_port, letter("A@example.org", "second"))

    found = (await web.get("/api/mails", params={"to": "a@example.org"})).json()["mails"]

    assert [mail["subject"] for mail in found] == ["second", "first"]


async def test_a_hidden_recipient_is_found_by_the_envelope(smtp_port: int, web: httpx.AsyncClient) -> None:
    await deliver(smtp_port, letter("shown@example.org"), recipients=["hidden@example.org"])

    found = (await web.get("/api/mails", params={"to": "hidden@example.org"})).json()["mails"]

    assert len(found) == 1


async def test_the_pages_show_a_mail_without_running_it(smtp_port: int, web: httpx.AsyncClient) -> None:
    await deliver(smtp_port, letter())
    mail = (await web.get("/api/mails")).json()["mails"][0]["id"]

    listing = await web.get("/", headers={"Accept-Language": "en"})
    page = await web.get(f"/mails/{mail}")

    assert "Mail outbox" in listing.text
    assert f'href="/mails/{mail}"' in listing.text
    assert "<script>alert(1)" not in page.text
    assert "&lt;script&gt;alert(1)" in page.text
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert 'href="http://127.0.0.1:8080/verify?token=abc"' in page.text


async def test_the_page_speaks_german_first_and_says_when_it_is_empty(web: httpx.AsyncClient) -> None:
    page = await web.get("/")

    assert '<html lang="de">' in page.text
    assert "Noch keine E-Mail." in page.text


@pytest.mark.parametrize("mail", ["mal_01h455vb4pex5vsknk084sn02q", "nothing", "..%2F..%2Fmaster"])
async def test_a_mail_that_does_not_exist_is_not_found(web: httpx.AsyncClient, mail: str) -> None:
    assert (await web.get(f"/api/mails/{mail}")).status_code == 404
    assert (await web.get(f"/mails/{mail}")).status_code == 404
    assert (await web.get(f"/mails/{mail}/file")).status_code == 404


async def test_a_name_of_the_internet_that_points_to_this_machine_gets_nothing(
    smtp_port: int, web: httpx.AsyncClient
) -> None:
    await deliver(smtp_port, letter())

    stranger = await web.get("/api/mails", headers={"Host": "evil.example"})
    own = await web.get("/api/mails", headers={"Host": "localhost:8083"})

    assert stranger.status_code == 400
    assert own.status_code == 200


async def test_only_its_own_page_empties_it(smtp_port: int, web: httpx.AsyncClient) -> None:
    await deliver(smtp_port, letter())

    foreign = await web.post("/clear", headers={"Sec-Fetch-Site": "cross-site"})
    left = (await web.get("/api/mails")).json()["mails"]
    own = await web.post("/clear", headers={"Sec-Fetch-Site": "same-origin"})

    assert foreign.status_code == 403
    assert len(left) == 1
    assert own.status_code == 303
    assert (await web.get("/api/mails")).json() == {"mails": []}


async def test_a_mail_without_subject_or_sense_is_kept_all_the_same(
    folder: Path, clock: FixedClock, web: httpx.AsyncClient
) -> None:
    mail = MailFolder(folder, clock).keep("", [], b"\xff\xfe no header at all\r\n\x00")

    assert (await web.get(f"/api/mails/{mail}")).status_code == 200
    assert (await web.get(f"/mails/{mail}")).status_code == 200


def test_the_oldest_mails_go_when_there_are_too_many(folder: Path, clock: FixedClock) -> None:
    mails = MailFolder(folder, clock)
    ids = [mails.keep("", ["a@example.org"], b"Subject: x\r\n\r\nx") for _ in range(KEPT + 2)]

    kept = mails.entries(None, KEPT + 10)

    assert [entry.id for entry in kept] == ids[:1:-1]
