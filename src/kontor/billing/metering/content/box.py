"""The form of a row's content: request and answer in one, compressed, and sealed for the tenant."""

import zlib
from typing import Final
from uuid import UUID

import orjson

from kontor.core.crypto import Tampered
from kontor.core.sealed_box import open_with, seal_for

MOST_BYTES: Final = 256 * 1024
"""What is kept of a request, and of an answer."""

_MOST_PLAIN: Final = 16 * MOST_BYTES  # two texts in JSON, where a byte may become six


def seal_content(public: bytes, tenant: UUID, entry: UUID, request: bytes, answer: bytes) -> bytes:
    """Both texts, cut to MOST_BYTES; bytes that are no UTF-8 become question marks."""
    texts = {"request": _text(request), "answer": _text(answer)}
    return seal_for(public, _aad(tenant, entry), zlib.compress(orjson.dumps(texts), 1))


def open_content(private: bytes, tenant: UUID, entry: UUID, sealed: bytes) -> tuple[str, str]:
    """Request and answer. Raises Tampered, also for what is no content: a gateway's rights suffice to write one."""
    aad = _aad(tenant, entry)
    try:
        texts = orjson.loads(zlib.decompressobj().decompress(open_with(private, aad, sealed), _MOST_PLAIN))
        return str(texts["request"]), str(texts["answer"])
    except (zlib.error, orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise Tampered(aad) from error


def _text(content: bytes) -> str:
    return content[:MOST_BYTES].decode("utf-8", "replace")


def _aad(tenant: UUID, entry: UUID) -> str:
    return f"{tenant}|content_entries.content:{entry}"
