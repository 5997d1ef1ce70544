"""Mail: once committed it is sent, by a real SMTP conversation, and then its content is gone."""

import email
from collections.abc import Iterator
from email.message import EmailMessage
from email.policy import default
from uuid import uuid4

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from sqlalchemy import select

from kontor.core.db import Database
from kontor.core.ids import MailId
from kontor.core.jobs import Work, Worker
from kontor.core.mail import SEND_JOB, Button, Letter, Mail, MailServer, compose, erase, send, sender_job
from support.places import free_port

LETTER = Letter(
    "Grüße & <b>mehr</b>",
    ("Guten Tag,", "ein Satz mit <script>."),
    Button("Öffnen", "https://x.example/?a=1&b=2"),
    "Fuß",
)


class Inbox:
    """An SMTP server's handler that keeps what it gets, or refuses for a while."""

    def __init__(self) -> None:
        self.got: list[EmailMessage] = []
        self.refuses = 0

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        del server, session
        if self.refuses:
            self.refuses -= 1
            return "451 try again later"
        message = email.message_from_bytes(envelope.content or b"", policy=default)
        assert isinstance(message, EmailMessage)
        self.got.append(message)
        return "250 OK"


@pytest.fixture
def inbox() -> Iterator[tuple[Inbox, MailServer]]:
    handler = Inbox()
    port = free_port()
    controller = Controller(handler, hostname="127.0.0.1", port=port)
    controller.start()
    yield handler, MailServer(f"smtp://127.0.0.1:{port}", "Kontor <noreply@kontor.example>")
    controller.stop()


async def queued(database: Database) -> MailId:
    owner = uuid4()
    await database.vault.create_key(owner)
    async with database.system_uow() as tx:
        return await send(tx, owner=owner, to="jürgen@müller.example", template="t", lang="de", letter=LETTER)


async def test_a_mail_goes_out_in_two_forms_and_its_content_is_wiped(
    database: Database, inbox: tuple[Inbox, MailServer]
) -> None:
    handler, server = inbox
    mail = await queued(database)

    await Worker(database, Work({SEND_JOB: sender_job(database, server)})).drain()

    (message,) = handler.got
    assert message["subject"] == "Grüße & <b>mehr</b>"
    assert str(mail) in message["message-id"]
    plain, html = (part.get_content() for part in message.iter_parts())
    assert "https://x.example/?a=1&b=2" in plain
    assert "ein Satz mit <script>." in plain
    assert "&lt;script&gt;" in html
    assert "<script>" not in html
    async with database.system_uow() as tx:
        row = (await tx.scalars(select(Mail))).one()
        assert row.content is None
        assert row.sent_at == tx.now


async def test_a_server_that_refuses_is_tried_again_and_one_mail_arrives(
    database: Database, inbox: tuple[Inbox, MailServer]
) -> None:
    handler, server = inbox
    handler.refuses = 1
    await queued(database)

    await Worker(database, Work({SEND_JOB: sender_job(database, server)})).drain()

    assert len(handler.got) == 1


async def test_a_mail_whose_owner_was_erased_is_not_sent(database: Database, inbox: tuple[Inbox, MailServer]) -> None:
    handler, server = inbox
    await queued(database)
    async with database.system_uow() as tx:
        owner = (await tx.scalars(select(Mail.owner))).one()
    await database.vault.destroy_key(owner)

    await Worker(database, Work({SEND_JOB: sender_job(database, server)})).drain()
    async with database.system_uow() as tx:
        await erase(tx, owner)
        assert (await tx.scalars(select(Mail))).all() == []

    assert handler.got == []


def test_a_line_break_in_a_subject_is_no_header(database: Database) -> None:
    content: dict[str, object] = {
        "to": "a@b.example",
        "subject": "x\nBcc: eve@x",
        "paragraphs": [],
        "button": None,
        "footer": "",
    }

    with pytest.raises(ValueError, match="linefeed or carriage return"):
        compose(MailId(uuid4()), "k@x.example", content, "de", database.clock.now())
