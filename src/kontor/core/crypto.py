"""Envelope encryption: one data key per owner, wrapped by the master key, kept outside the database.

Owns the KeyStore and the Vault. An owner is a tenant, a person or an unassigned instance, known here only by its
UUID. Destroying the owner's key makes everything sealed under it unreadable, in the database and in its backups
(architecture page, "Secrets and erasure"). Ciphers: AES-256-GCM (NIST SP 800-38D), key wrap RFC 3394.
"""

import asyncio
import hashlib
import hmac
import os
import secrets
import time
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Final, Protocol
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

from kontor.core.errors import DomainError, Kind, Unavailable
from kontor.core.i18n import Text

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
CACHE_S: Final = 5.0
_VERSION: Final = b"\x01"


class KeyDestroyed(DomainError):
    """The owner's data key is gone: what it sealed is erased."""

    def __init__(self, owner: UUID) -> None:
        super().__init__(
            Kind.GONE,
            "key.destroyed",
            Text(
                de="Diese Daten wurden gelöscht; ihr Schlüssel ist vernichtet.",
                en="This data has been erased; its key is destroyed.",
            ),
        )
        self.owner = owner


class Tampered(DomainError):
    """A sealed value does not open under its owner, place and row: it was moved or changed."""

    def __init__(self, aad: str) -> None:
        super().__init__(
            Kind.UNAVAILABLE,
            "sealed.tampered",
            Text(
                de="Ein gespeicherter Wert ist beschädigt. Bitte wenden Sie sich an uns.",
                en="A stored value is damaged. Please contact us.",
            ),
        )
        self.aad = aad


class KeyStore(Protocol):
    """Wrapped data keys, outside the database and outside its backups."""

    async def put(self, owner: UUID, wrapped: bytes) -> bool:
        """Store a new key; False, and nothing changed, when the owner has one."""
        ...

    async def get(self, owner: UUID) -> bytes | None:
        """The wrapped key, or None."""
        ...

    async def destroy(self, owner: UUID) -> None:
        """The key is gone. A second call changes nothing."""
        ...

    async def owners(self) -> list[UUID]:
        """All owners that have a key."""
        ...


class FolderKeyStore:
    """One file of mode 0600 per key in a folder of mode 0700."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    async def put(self, owner: UUID, wrapped: bytes) -> bool:
        """Store a new key; False, and nothing changed, when the owner has one."""
        return await asyncio.to_thread(self._put, owner, wrapped)

    async def get(self, owner: UUID) -> bytes | None:
        """The wrapped key, or None."""
        try:
            return self._path(owner).read_bytes()
        except FileNotFoundError:
            return None

    async def destroy(self, owner: UUID) -> None:
        """Overwritten, then unlinked, then the folder synced. A second call changes nothing."""
        await asyncio.to_thread(self._destroy, owner)

    async def owners(self) -> list[UUID]:
        """All owners that have a key."""
        return [UUID(path.stem) for path in self._folder.glob("*.key")]

    def _path(self, owner: UUID) -> Path:
        return self._folder / f"{owner}.key"

    def _put(self, owner: UUID, wrapped: bytes) -> bool:
        draft = self._folder / f".{owner}.{secrets.token_hex(4)}"
        try:
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(wrapped)
                file.flush()
                os.fsync(file.fileno())
            os.link(draft, self._path(owner))
        except FileExistsError:
            return False
        except OSError as error:
            raise Unavailable(
                "keystore.unavailable",
                Text(
                    de="Der Schlüsselspeicher ist gerade nicht erreichbar. Versuchen Sie es gleich noch einmal.",
                    en="The key store cannot be reached just now. Please try again in a moment.",
                ),
            ) from error
        finally:
            draft.unlink(missing_ok=True)
        self._sync_folder()
        return True

    def _destroy(self, owner: UUID) -> None:
        path = self._path(owner)
        try:
            with path.open("r+b") as file:
                file.write(secrets.token_bytes(path.stat().st_size))
                file.flush()
                os.fsync(file.fileno())
        except FileNotFoundError:
            return
        path.unlink(missing_ok=True)
        self._sync_folder()

    def _sync_folder(self) -> None:
        handle = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


class Vault:
    """Seals and opens values under their owner's data key; unwrapped keys are kept for 5 s."""

    def __init__(self, store: KeyStore, master_key: bytes) -> None:
        self._store = store
        self._wrapping_key = derive(master_key, "wrap")
        self._index_key = derive(master_key, "blind-index")
        self._cache: dict[UUID, tuple[float, AESGCM]] = {}

    async def create_key(self, owner: UUID) -> None:
        """The owner has a data key afterwards; one that exists stays."""
        await self._store.put(owner, aes_key_wrap(self._wrapping_key, secrets.token_bytes(KEY_BYTES)))

    async def destroy_key(self, owner: UUID) -> None:
        """What was sealed under the owner can never be opened again. A second call changes nothing."""
        self._cache.pop(owner, None)
        await self._store.destroy(owner)

    async def has_key(self, owner: UUID) -> bool:
        """Whether the owner's key exists; asks the store, not the cache."""
        return await self._store.get(owner) is not None

    async def seal(self, owner: UUID, aad: str, plain: bytes | str) -> bytes:
        """Ciphertext bound to its owner and place; `aad` is `table.column:row`. Raises KeyDestroyed."""
        cipher = await self._cipher(owner)
        nonce = secrets.token_bytes(NONCE_BYTES)
        data = plain.encode() if isinstance(plain, str) else plain
        return _VERSION + nonce + cipher.encrypt(nonce, data, _bind(owner, aad))

    async def open(self, owner: UUID, aad: str, sealed: bytes) -> bytes:
        """The plain bytes. Raises KeyDestroyed, Tampered."""
        cipher = await self._cipher(owner)
        if sealed[:1] != _VERSION:
            raise Tampered(aad)
        try:
            return cipher.decrypt(sealed[1 : 1 + NONCE_BYTES], sealed[1 + NONCE_BYTES :], _bind(owner, aad))
        except InvalidTag as error:
            raise Tampered(aad) from error

    async def open_text(self, owner: UUID, aad: str, sealed: bytes) -> str:
        """The plain text. Raises KeyDestroyed, Tampered."""
        return (await self.open(owner, aad, sealed)).decode()

    async def seal_stream(self, owner: UUID, aad: str, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """Frames of `length(4) + sealed chunk`, each bound to its position and the last one marked as the last.

        So a frame can be neither moved, left out nor cut off unnoticed (the STREAM construction).
        """
        number, held = 0, b""
        async for chunk in chunks:
            if held:
                yield _frame(await self.seal(owner, f"{aad}#{number}", held))
                number += 1
            held = chunk
        yield _frame(await self.seal(owner, f"{aad}#{number}!", held))

    async def open_stream(self, owner: UUID, aad: str, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """The plain chunks of `seal_stream`. Raises Tampered when the end is missing or a frame was moved."""
        number, pending, held = 0, b"", None
        async for chunk in chunks:
            pending += chunk
            while len(pending) >= 4 and len(pending) >= 4 + int.from_bytes(pending[:4]):  # noqa: PLR2004 - frame header
                size = int.from_bytes(pending[:4])
                if held is not None:
                    yield await self.open(owner, f"{aad}#{number}", held)
                    number += 1
                held, pending = pending[4 : 4 + size], pending[4 + size :]
        if held is None or pending:
            raise Tampered(aad)
        yield await self.open(owner, f"{aad}#{number}!", held)

    def blind_index(self, text: str) -> bytes:
        """HMAC-SHA256 of a personal value, to look it up by equality without storing it."""
        return hmac.digest(self._index_key, text.encode(), "sha256")

    async def owners(self) -> Iterable[UUID]:
        """All owners that have a key."""
        return await self._store.owners()

    async def _cipher(self, owner: UUID) -> AESGCM:
        known = self._cache.get(owner)
        if known is not None and time.monotonic() - known[0] < CACHE_S:
            return known[1]
        self._cache.pop(owner, None)
        wrapped = await self._store.get(owner)
        if wrapped is None:
            raise KeyDestroyed(owner)
        try:
            cipher = AESGCM(aes_key_unwrap(self._wrapping_key, wrapped))
        except InvalidUnwrap as error:
            raise Tampered(f"key of {owner}") from error
        if len(self._cache) > 10_000:  # noqa: PLR2004 - a bound on memory, not a rule
            self._cache.clear()
        self._cache[owner] = (time.monotonic(), cipher)
        return cipher


def derive(master_key: bytes, purpose: str) -> bytes:
    """A 32-byte key for one purpose (HKDF-SHA256, RFC 5869)."""
    return HKDF(hashes.SHA256(), KEY_BYTES, salt=None, info=f"kontor/{purpose}".encode()).derive(master_key)


def new_secret(prefix: str) -> str:
    """A secret of 256 random bits, prefixed so that leaks are found by scanners: `kontor_...`."""
    return f"{prefix}_{secrets.token_urlsafe(32)}"


def hash_secret(secret: str | bytes) -> bytes:
    """SHA-256 of a random secret: enough, because 256 random bits cannot be guessed."""
    return hashlib.sha256(secret.encode() if isinstance(secret, str) else secret).digest()


def _bind(owner: UUID, aad: str) -> bytes:
    return f"{owner}|{aad}".encode()


def _frame(sealed: bytes) -> bytes:
    return len(sealed).to_bytes(4) + sealed
