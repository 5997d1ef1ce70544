"""Sealed values open only for their owner, in their place, and never again once the key is destroyed."""

import base64
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest

from kontor.core.crypto import FolderKeyStore, KeyDestroyed, Tampered, Vault, derive, hash_secret, new_secret
from kontor.core.errors import NotFound, Unavailable
from kontor.core.files import Files

PLAIN = "Bäckerei Müller 🥐"


async def test_a_sealed_value_opens_for_its_owner_in_its_place(vault: Vault) -> None:
    owner = uuid4()
    await vault.create_key(owner)

    sealed = await vault.seal(owner, "t.c:1", PLAIN)

    assert PLAIN.encode() not in sealed
    assert await vault.open_text(owner, "t.c:1", sealed) == PLAIN


async def test_a_sealed_value_is_refused_elsewhere_for_others_and_when_changed(vault: Vault) -> None:
    owner, other = uuid4(), uuid4()
    await vault.create_key(owner)
    await vault.create_key(other)
    sealed = await vault.seal(owner, "t.c:1", PLAIN)

    for who, aad, value in (
        (owner, "t.c:2", sealed),
        (other, "t.c:1", sealed),
        (owner, "t.c:1", sealed[:-1] + bytes([sealed[-1] ^ 1])),
        (owner, "t.c:1", b"\x02" + sealed[1:]),
        (owner, "t.c:1", b""),
    ):
        with pytest.raises(Tampered):
            await vault.open(who, aad, value)


async def test_what_was_sealed_is_gone_with_the_key_and_a_new_key_does_not_bring_it_back(vault: Vault) -> None:
    owner = uuid4()
    await vault.create_key(owner)
    sealed = await vault.seal(owner, "t.c:1", PLAIN)

    await vault.destroy_key(owner)
    await vault.destroy_key(owner)

    assert not await vault.has_key(owner)
    with pytest.raises(KeyDestroyed):
        await vault.open(owner, "t.c:1", sealed)
    await vault.create_key(owner)
    with pytest.raises(Tampered):
        await vault.open(owner, "t.c:1", sealed)


async def test_a_second_creation_keeps_the_first_key(vault: Vault) -> None:
    owner = uuid4()
    await vault.create_key(owner)
    sealed = await vault.seal(owner, "t.c:1", PLAIN)

    await vault.create_key(owner)

    assert await vault.open_text(owner, "t.c:1", sealed) == PLAIN


async def test_keys_lie_wrapped_in_files_that_only_we_can_read(tmp_path: Path) -> None:
    master, owner = bytes(32), uuid4()
    vault = Vault(FolderKeyStore(tmp_path / "keys"), master)
    await vault.create_key(owner)
    sealed = await vault.seal(owner, "t.c:1", PLAIN)

    (file,) = (tmp_path / "keys").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700
    assert list(await vault.owners()) == [owner]
    stranger = Vault(FolderKeyStore(tmp_path / "keys"), b"\x01" * 32)
    with pytest.raises(Tampered):
        await stranger.open(owner, "t.c:1", sealed)


async def test_a_key_store_that_is_away_says_so(tmp_path: Path) -> None:
    store = FolderKeyStore(tmp_path / "keys")
    (tmp_path / "keys").rmdir()

    with pytest.raises(Unavailable):
        await store.put(uuid4(), b"x")


async def pieces(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def collected(stream: AsyncIterator[bytes]) -> list[bytes]:
    return [part async for part in stream]


@pytest.mark.parametrize("parts", [(), (b"",), (b"a",), (b"a" * 100_000, b"b", b"c" * 5)])
async def test_a_sealed_stream_opens_to_what_it_was(vault: Vault, parts: tuple[bytes, ...]) -> None:
    owner = uuid4()
    await vault.create_key(owner)

    sealed = b"".join(await collected(vault.seal_stream(owner, "f", pieces(*parts))))
    opened = b"".join(await collected(vault.open_stream(owner, "f", pieces(sealed[:7], sealed[7:]))))

    assert opened == b"".join(parts)


async def test_a_sealed_stream_that_is_cut_or_reordered_is_refused(vault: Vault) -> None:
    owner = uuid4()
    await vault.create_key(owner)
    frames = await collected(vault.seal_stream(owner, "f", pieces(b"one", b"two", b"three")))

    for damaged in (frames[:-1], frames[1:], [frames[1], frames[0], frames[2]], [*frames[:-1], frames[-1][:-3]], []):
        with pytest.raises(Tampered):
            await collected(vault.open_stream(owner, "f", pieces(*damaged)))


def test_secrets_are_long_prefixed_and_kept_as_hashes() -> None:
    first, second = new_secret("kontor"), new_secret("kontor")

    assert first != second
    assert first.startswith("kontor_")
    assert len(base64.urlsafe_b64decode(first.removeprefix("kontor_") + "=")) == 32
    assert len(hash_secret(first)) == 32
    assert derive(b"m" * 32, "a") != derive(b"m" * 32, "b")


async def test_files_are_sealed_found_counted_and_deleted(tmp_path: Path, vault: Vault) -> None:
    files, owner = Files((tmp_path / "store").as_uri(), vault), uuid4()
    await vault.create_key(owner)

    await files.write(owner, "exports/a b ü.zip", pieces(b"one", b"two" * 1_000_000))

    assert b"".join(await collected(files.read(owner, "exports/a b ü.zip"))) == b"one" + b"two" * 1_000_000
    assert await files.count(owner) == 1
    stored = [path for path in (tmp_path / "store").rglob("*") if path.is_file()]
    assert all(b"twotwo" not in path.read_bytes() for path in stored)
    await files.delete(owner, "exports/a b ü.zip")
    await files.delete(owner, "exports/a b ü.zip")
    with pytest.raises(NotFound):
        await collected(files.read(owner, "exports/a b ü.zip"))
    await files.write(owner, "x", pieces(b"1"))
    assert await files.delete_all(owner) == 1
    assert await files.count(owner) == 0
    with pytest.raises(ValueError, match="inside"):
        await files.write(owner, "../x", pieces(b"1"))
