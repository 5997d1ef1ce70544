"""Texts that a caller sends: bounded, normalised, without control characters."""

import unicodedata
from typing import Annotated

from pydantic import AfterValidator, EmailStr, Field, StringConstraints

MAX_EMAIL = 254


def _clean(text: str, allowed: str) -> str:
    normal = unicodedata.normalize("NFC", text)
    for character in normal:
        if character not in allowed and unicodedata.category(character) in {"Cc", "Cs"}:
            raise ValueError("must not contain control characters")
    return normal.strip()


def _line(text: str) -> str:
    cleaned = " ".join(_clean(text, "").split())
    if not cleaned:
        raise ValueError("must not be empty")
    return cleaned


def _prose(text: str) -> str:
    return _clean(text.replace("\r\n", "\n"), "\n\t")


def _short_email(text: str) -> str:
    if len(text) > MAX_EMAIL or not text.isprintable():
        raise ValueError("must be at most 254 visible characters")
    return text


Line = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(_line)]
"""One line of 1 to 200 characters, NFC, runs of white space folded."""

Prose = Annotated[str, StringConstraints(max_length=20_000), AfterValidator(_prose)]
"""Several lines of up to 20,000 characters, NFC."""

Email = Annotated[EmailStr, AfterValidator(_short_email), Field(examples=["ada@muster-gmbh.de"])]
"""An address that mail can be sent to in principle (RFC 5321, 5322; internationalised domains too)."""

Password = Annotated[str, StringConstraints(min_length=10, max_length=200), Field(examples=["Drei Äpfel und ein Boot"])]
"""10 to 200 characters of any kind, also spaces and emoji; nothing else is demanded (NIST SP 800-63B, 3.1.1)."""

Token = Annotated[
    str,
    StringConstraints(min_length=20, max_length=200, pattern=r"^[A-Za-z0-9_-]+$"),
    Field(examples=["Q0Vt9Yx2mJ7a-4LrW8sKd_1BfHn5uPzE6gTcXoAiRyM"]),
]
"""The secret part of a link or receipt."""
