"""Sealing for somebody whose private key one does not have: HPKE (RFC 9180), one message a time.

X25519, HKDF-SHA256 and AES-256-GCM. Whoever has the public key can seal and cannot open, not even what it has sealed
itself. Says nothing about who sealed. Where keys lie and who may have them: the callers.
"""

from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from kontor.core.crypto import Tampered

_SUITE: Final = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
_VERSION: Final = b"\x01"


def new_pair() -> tuple[bytes, bytes]:
    """A private key and its public key, 32 bytes each."""
    private = X25519PrivateKey.generate()
    return private.private_bytes_raw(), private.public_key().public_bytes_raw()


def seal_for(public: bytes, aad: str, plain: bytes) -> bytes:
    """Only the private key of `public` opens it, and only under the same `aad`, `table.column:row`."""
    return _VERSION + _SUITE.encrypt(plain, X25519PublicKey.from_public_bytes(public), info=aad.encode())


def open_with(private: bytes, aad: str, sealed: bytes) -> bytes:
    """The plain bytes. Raises Tampered."""
    if sealed[:1] != _VERSION:
        raise Tampered(aad)
    try:
        return _SUITE.decrypt(sealed[1:], X25519PrivateKey.from_private_bytes(private), info=aad.encode())
    except (InvalidTag, ValueError) as error:
        raise Tampered(aad) from error
