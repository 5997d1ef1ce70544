"""ETags where two admins can meet: a revision goes out, and must come back with a change (RFC 9110, 13.1.1)."""

from typing import Annotated

from fastapi import Header

from kontor.core.errors import DomainError, Kind
from kontor.core.i18n import Text


class PreconditionRequired(DomainError):
    """A change without If-Match."""

    def __init__(self) -> None:
        super().__init__(
            Kind.PRECONDITION_REQUIRED,
            "etag.required",
            Text(
                de="Senden Sie den ETag, den Sie gelesen haben, im Kopf „If-Match“ mit.",
                en="Send the ETag that you have read in the 'If-Match' header.",
            ),
        )


class PreconditionFailed(DomainError):
    """Somebody else was faster."""

    def __init__(self) -> None:
        super().__init__(
            Kind.PRECONDITION_FAILED,
            "etag.changed",
            Text(
                de=(
                    "Jemand anderes hat das inzwischen geändert. Laden Sie neu und tragen Sie Ihre "
                    "Änderung noch einmal ein."
                ),
                en="Somebody else has changed this meanwhile. Reload and enter your change again.",
            ),
        )


def etag(revision: int) -> str:
    """The header's value for a revision."""
    return f'"{revision}"'


def expected_revision(if_match: Annotated[str | None, Header()] = None) -> int:
    """The revision that the caller has seen. Raises PreconditionRequired, PreconditionFailed for an unknown form."""
    if if_match is None:
        raise PreconditionRequired
    text = if_match.strip().removeprefix("W/").strip('"')
    if not (text.isascii() and text.isdecimal() and len(text) < 10):  # noqa: PLR2004 - fits an integer column
        raise PreconditionFailed
    return int(text)
