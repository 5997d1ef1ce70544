"""Whether an answer has the shape that a vendor's official client documents with its types."""

from typing import TypeVar

from pydantic import BaseModel

M = TypeVar("M", bound=BaseModel)


def in_shape(received: M) -> M:
    """The same. The clients take what comes; this raises for a field that is missing or of another type."""
    type(received).model_validate_json(received.model_dump_json(by_alias=True, exclude_unset=True))
    return received
