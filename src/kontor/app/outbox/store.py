"""Mails as files: one `.eml` per mail, named by an id that sorts by time. The envelope stands in its first lines."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email import policy
from email.message import EmailMessage
from email.parser import BytesHeaderParser, BytesParser
from email.utils import getaddresses
from pathlib import Path
from typing import Final

from kontor.core.clock import Clock
from kontor.core.ids import PREFIXES, encode, new_id

KEPT: Final = 1000
ENVELOPE_FROM: Final = "X-Kontor-Envelope-From"
ENVELOPE_TO: Final = "X-Kontor-Envelope-To"
RECEIVED_AT: Final = "X-Kontor-Received-At"
_ID: Final = re.compile(rf"{PREFIXES['mail']}_[0-9a-z]{{26}}")
_LINK: Final = re.compile(r"https?://[^\s<>\"')\]]+")


@dataclass(frozen=True)
class Entry:
    """One line of the list."""

    id: str
    received_at: str
    sender: str
    to: list[str]
    subject: str


@dataclass(frozen=True)
class Mail(Entry):
    """One mail, read. `links` are those of the plain part, in order."""

    text: str
    html: str | None
    links: list[str]


class MailFolder:
    """The kept mails, the newest KEPT of them."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def keep(self, sender: str, to: Sequence[str], content: bytes) -> str:
        """The mail is in its file; returns its id."""
        mail = encode(PREFIXES["mail"], new_id())
        envelope = EmailMessage(policy.SMTPUTF8)
        envelope[RECEIVED_AT] = self._clock.now().isoformat(timespec="milliseconds")
        envelope[ENVELOPE_FROM] = sender
        envelope[ENVELOPE_TO] = ", ".join(to)
        unfinished = self._folder / f".{mail}"
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as out:
            out.write(envelope.as_bytes(policy=policy.SMTPUTF8).rstrip(b"\r\n") + b"\r\n" + content)
        unfinished.rename(self._file(mail))
        for old in self._names()[KEPT:]:
            self._file(old).unlink(missing_ok=True)
        return mail

    def entries(self, to: str | None, limit: int) -> list[Entry]:
        """The newest first; with `to` only those for that address, in any case."""
        found: list[Entry] = []
        for mail in self._names():
            entry = _entry(mail, BytesHeaderParser(policy=policy.default).parsebytes(self.raw(mail) or b""))
            if to is None or to.lower() in (address.lower() for address in entry.to):
                found.append(entry)
            if len(found) >= limit:
                break
        return found

    def mail(self, mail: str) -> Mail | None:
        """One mail; None when there is none of that id."""
        raw = self.raw(mail)
        if raw is None:
            return None
        message = BytesParser(policy=policy.default).parsebytes(raw)
        text = _part(message, "plain") or ""
        entry = _entry(mail, message)
        return Mail(
            entry.id, entry.received_at, entry.sender, entry.to, entry.subject,
            text=text, html=_part(message, "html"), links=_LINK.findall(text),
        )  # fmt: skip

    def raw(self, mail: str) -> bytes | None:
        """The file as it came, with the envelope's lines in front; None when there is none of that id."""
        if not _ID.fullmatch(mail):
            return None
        try:
            return self._file(mail).read_bytes()
        except FileNotFoundError:
            return None

    def clear(self) -> None:
        """No mail is kept."""
        for mail in self._names():
            self._file(mail).unlink(missing_ok=True)

    def _names(self) -> list[str]:
        return sorted((file.stem for file in self._folder.glob("mal_*.eml")), reverse=True)

    def _file(self, mail: str) -> Path:
        return self._folder / f"{mail}.eml"


def _entry(mail: str, message: EmailMessage) -> Entry:
    return Entry(
        id=mail,
        received_at=str(message.get(RECEIVED_AT, "")),
        sender=str(message.get("From", message.get(ENVELOPE_FROM, ""))),
        to=[address for _, address in getaddresses([str(message.get(ENVELOPE_TO, ""))]) if address],
        subject=str(message.get("Subject", "")),
    )


def _part(message: EmailMessage, kind: str) -> str | None:
    part = message.get_body(preferencelist=(kind,))
    if part is None:
        return None
    try:
        return str(part.get_content())
    except (LookupError, UnicodeError):
        return part.as_string()


def received(entry: Entry) -> datetime | None:
    """When it came, aware UTC; None when the file does not say."""
    return datetime.fromisoformat(entry.received_at) if entry.received_at else None
