"""Sealing for a public key."""

import pytest

from kontor.core.crypto import Tampered
from kontor.core.sealed_box import new_pair, open_with, seal_for

PLACE = "content_entries.content:1"


def test_only_the_private_key_opens_what_was_sealed_and_only_in_its_place() -> None:
    private, public = new_pair()
    other, _ = new_pair()
    sealed = seal_for(public, PLACE, "größe".encode())

    assert open_with(private, PLACE, sealed).decode() == "größe"
    assert sealed != seal_for(public, PLACE, "größe".encode())
    for key, place, what in (
        (other, PLACE, sealed),
        (private, "content_entries.content:2", sealed),
        (private, PLACE, sealed[:-1] + bytes([sealed[-1] ^ 1])),
        (private, PLACE, sealed[:20]),
        (private, PLACE, b"\x02" + sealed[1:]),
        (private, PLACE, b""),
        (public, PLACE, sealed),
    ):
        with pytest.raises(Tampered):
            open_with(key, place, what)
