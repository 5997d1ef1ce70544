"""Mail: written as an intent in the transaction, sent by a job, its content gone once it was sent.

Owns the letter's form (text and HTML from one description) and the SMTP call. What a letter says belongs to the
domain that sends it. The Message-ID comes from the intent, so that a repeated send can be recognised.
"""

from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from html import escape
from typing import Final
from urllib.parse import unquote, urlsplit
from uuid import UUID

import aiosmtplib
import mrml
import orjson
from sqlalchemy import delete
from sqlalchemy.orm import Mapped, mapped_column

from kontor.core.db import Base, Database, Tx
from kontor.core.errors import Unavailable
from kontor.core.i18n import Lang, Text
from kontor.core.ids import MailId, new_id
from kontor.core.jobs import Handler, Job, enqueue
from kontor.core.tenancy import personal, shared_table

SEND_JOB: Final = "mail.send"


class Mail(Base):
    """A mail that is to be sent or was; recipient and content are wiped once it is out."""

    __tablename__ = "mails"
    __table_args__ = (
        shared_table(why="mail goes to persons, who may have no tenant yet", app="INSERT", visible="true"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    owner: Mapped[UUID] = mapped_column(index=True)
    template: Mapped[str]
    language: Mapped[str]
    content: Mapped[bytes | None] = mapped_column(info=personal(sealed=True))
    created_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]


@dataclass(frozen=True, slots=True)
class Button:
    """The one thing to do."""

    label: str
    url: str


@dataclass(frozen=True, slots=True)
class Letter:
    """What a mail says, in one language."""

    subject: str
    paragraphs: tuple[str, ...]
    button: Button | None = None
    footer: str = ""


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where mail is handed over: `smtp://user:password@host:587` (STARTTLS when offered) or `smtps://`."""

    url: str
    sender: str


async def send(tx: Tx, *, owner: UUID, to: str, template: str, lang: Lang, letter: Letter) -> MailId:
    """The letter goes out after this transaction commits. `owner`'s data key seals it until then."""
    mail = MailId(new_id())
    content = orjson.dumps(
        {
            "to": to,
            "subject": letter.subject,
            "paragraphs": letter.paragraphs,
            "button": [letter.button.label, letter.button.url] if letter.button else None,
            "footer": letter.footer,
        }
    )
    sealed = await tx.vault.seal(owner, f"mails.content:{mail}", content)
    tx.add(Mail(id=mail, owner=owner, template=template, language=lang, content=sealed, created_at=tx.now))
    await tx.flush()
    await enqueue(tx, SEND_JOB, {"mail": str(mail)})
    return mail


async def erase(tx: Tx, owner: UUID) -> None:
    """No mail sealed under this owner is left."""
    await tx.execute(delete(Mail).where(Mail.owner == owner))


def sender_job(database: Database, server: MailServer) -> Handler:
    """The handler of SEND_JOB. A mail that is out, or whose owner was erased, is left alone."""

    async def run(job: Job) -> None:
        mail_id = MailId(UUID(job.args["mail"]))
        async with database.system_uow() as tx:
            mail = await tx.get(Mail, mail_id)
            if mail is None or mail.content is None or not await tx.vault.has_key(mail.owner):
                return
            plain = await tx.vault.open(mail.owner, f"mails.content:{mail_id}", mail.content)
            message = compose(mail_id, server.sender, orjson.loads(plain), mail.language, mail.created_at)
        await _deliver(server, message)
        async with database.system_uow() as tx:
            sent = await tx.get(Mail, mail_id)
            if sent is not None:
                sent.content, sent.sent_at = None, tx.now

    return run


def compose(mail: MailId, sender: str, content: dict[str, object], language: str, created_at: datetime) -> EmailMessage:
    """The message with a plain part and an HTML part that say the same."""
    button = content["button"]
    paragraphs = [str(paragraph) for paragraph in content["paragraphs"]]  # type: ignore[attr-defined]
    label, url = (str(part) for part in button) if isinstance(button, list) else ("", "")
    footer = str(content["footer"])
    message = EmailMessage()
    message["From"] = sender
    message["To"] = str(content["to"])
    message["Subject"] = str(content["subject"])
    message["Date"] = format_datetime(created_at)
    message["Message-ID"] = f"<{mail}@{parseaddr(sender)[1].partition('@')[2] or 'kontor'}>"
    message["Content-Language"] = language
    message["Auto-Submitted"] = "auto-generated"
    text = [*paragraphs, *([f"{label}:\n{url}"] if url else []), *([f"-- \n{footer}"] if footer else [])]
    message.set_content("\n\n".join(text) + "\n")
    message.add_alternative(
        _html(str(content["subject"]), paragraphs, label=label, url=url, footer=footer, language=language),
        subtype="html",
    )
    return message


def _html(subject: str, paragraphs: list[str], *, label: str, url: str, footer: str, language: str) -> str:
    body = "".join(f"<mj-text>{escape(paragraph)}</mj-text>" for paragraph in paragraphs)
    if url:
        body += f'<mj-button href="{escape(url)}" align="left">{escape(label)}</mj-button>'
        body += f'<mj-text font-size="12px" color="#5b6472">{escape(url)}</mj-text>'
    if footer:
        body += '<mj-divider border-width="1px" border-color="#d9dee5" />'
        body += f'<mj-text font-size="12px" color="#5b6472">{escape(footer)}</mj-text>'
    document = (
        f'<mjml lang="{language}"><mj-head><mj-title>{escape(subject)}</mj-title><mj-attributes>'
        '<mj-all font-family="system-ui, Segoe UI, Helvetica, Arial, sans-serif" />'
        '<mj-text font-size="16px" line-height="1.55" color="#18212e" />'
        '<mj-button background-color="#174ea6" border-radius="8px" font-size="16px" />'
        f'</mj-attributes></mj-head><mj-body background-color="#f4f6f9"><mj-section background-color="#ffffff">'
        f"<mj-column>{body}</mj-column></mj-section></mj-body></mjml>"
    )
    return str(mrml.to_html(document).content)


async def _deliver(server: MailServer, message: EmailMessage) -> None:
    parts = urlsplit(server.url)
    secure = parts.scheme == "smtps"
    try:
        await aiosmtplib.send(
            message,
            hostname=parts.hostname,
            port=parts.port or (465 if secure else 25),
            username=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password) if parts.password else None,
            use_tls=secure,
            timeout=20,
        )
    except (aiosmtplib.SMTPException, OSError) as error:
        raise Unavailable(
            "mail.unavailable",
            Text(de="Der Mailserver antwortet nicht.", en="The mail server does not answer."),
        ) from error
