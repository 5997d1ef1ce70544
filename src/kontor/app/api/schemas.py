"""Base of every body and answer of the JSON API."""

from pydantic import BaseModel, ConfigDict


class Body(BaseModel):
    """What a caller sends: an unknown name is refused, not ignored."""

    model_config = ConfigDict(extra="forbid", str_max_length=100_000)


class Answer(BaseModel):
    """What we send."""

    model_config = ConfigDict(from_attributes=True)


class Accepted(Answer):
    """It is on its way; nothing else is said."""

    message: str
