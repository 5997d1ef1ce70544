"""Cursor pagination: opaque, stable while rows are added, never an offset."""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Generic, TypeVar
from uuid import UUID

from fastapi import Query
from pydantic import BaseModel, Field

from kontor.core.errors import DomainError, Kind
from kontor.core.i18n import Text

T = TypeVar("T")
R = TypeVar("R")


class InvalidCursor(DomainError):
    """The cursor did not come from us."""

    def __init__(self) -> None:
        super().__init__(
            Kind.INVALID,
            "page.cursor",
            Text(
                de="Diese Seitenmarke ist ungültig. Beginnen Sie ohne „cursor“ von vorn.",
                en="This cursor is invalid. Start again without 'cursor'.",
            ),
        )


class Page(BaseModel, Generic[T]):
    """Some items, and how to get the next ones."""

    items: list[T]
    next_cursor: str | None = Field(None, description="Send it as `cursor` for the next page; null on the last.")


@dataclass(frozen=True, slots=True)
class PageQuery:
    """`after` is the id of the last item of the page before; `limit` its size."""

    after: UUID | None
    limit: int


def page_query(
    cursor: Annotated[str | None, Query(max_length=64)] = None, limit: Annotated[int, Query(ge=1, le=100)] = 50
) -> PageQuery:
    """From the query string. Raises InvalidCursor."""
    return PageQuery(decode_cursor(cursor) if cursor else None, limit)


def encode_cursor(last: UUID) -> str:
    """Opaque text for the id of a page's last item."""
    return base64.urlsafe_b64encode(last.bytes).decode().rstrip("=")


def decode_cursor(cursor: str) -> UUID:
    """The id behind it. Raises InvalidCursor."""
    try:
        return UUID(bytes=base64.b64decode(cursor + "==", altchars=b"-_", validate=True))
    except (ValueError, binascii.Error) as error:
        raise InvalidCursor from error


def cut(rows: Sequence[R], limit: int) -> tuple[Sequence[R], bool]:
    """From `limit + 1` rows the page and whether more follow."""
    return rows[:limit], len(rows) > limit
