"""Files: an object store (a folder or S3) in which every object is sealed under its owner's data key."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit
from uuid import UUID

import obstore
from obstore.store import LocalStore, from_url

from kontor.core.crypto import Vault
from kontor.core.errors import NotFound, Unavailable
from kontor.core.i18n import Text

CHUNK_BYTES: Final = 1024 * 1024


class Files:
    """Streams in and out; a path is relative to its owner's folder."""

    def __init__(self, url: str, vault: Vault) -> None:
        parts = urlsplit(url)
        self._folder: Path | None = None
        if parts.scheme == "file":
            self._folder = Path(unquote(parts.path))
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._store: obstore.store.ObjectStore = LocalStore(self._folder)
        else:
            self._store = from_url(url)
        self._vault = vault

    async def write(self, owner: UUID, path: str, chunks: AsyncIterator[bytes]) -> None:
        """The whole object is there afterwards, or nothing is. Raises Unavailable (store away, disk full)."""
        try:
            await obstore.put_async(
                self._store, _key(owner, path), self._vault.seal_stream(owner, path, chunks), use_multipart=True
            )
        except (obstore.exceptions.BaseError, OSError) as error:
            raise _unavailable() from error

    async def read(self, owner: UUID, path: str) -> AsyncIterator[bytes]:
        """The plain chunks. Raises NotFound, KeyDestroyed, Tampered, Unavailable."""
        try:
            response = await obstore.get_async(self._store, _key(owner, path))
        except (FileNotFoundError, obstore.exceptions.NotFoundError) as error:
            raise NotFound from error
        except (obstore.exceptions.BaseError, OSError) as error:
            raise _unavailable() from error
        async for chunk in self._vault.open_stream(owner, path, _bytes(response)):
            yield chunk

    async def count(self, owner: UUID) -> int:
        """How many objects the owner has; in a folder also those of writes that were cut off by a kill."""
        if self._folder is not None:
            return await asyncio.to_thread(_files_below, self._folder / str(owner))
        return len(await self._keys(owner))

    async def delete(self, owner: UUID, path: str) -> None:
        """The object is gone. A second call changes nothing."""
        try:
            await obstore.delete_async(self._store, _key(owner, path))
        except (FileNotFoundError, obstore.exceptions.NotFoundError):
            return
        except (obstore.exceptions.BaseError, OSError) as error:
            raise _unavailable() from error

    async def delete_all(self, owner: UUID) -> int:
        """Everything of the owner is gone; returns how many objects that were."""
        keys = await self._keys(owner)
        for key in keys:
            await self.delete(owner, key.removeprefix(f"{owner}/"))
        if self._folder is not None:
            # The store does not list what a killed write has left.
            await asyncio.to_thread(shutil.rmtree, self._folder / str(owner), ignore_errors=True)
        return len(keys)

    async def _keys(self, owner: UUID) -> list[str]:
        try:
            return [meta["path"] async for batch in obstore.list(self._store, prefix=str(owner)) for meta in batch]
        except (obstore.exceptions.BaseError, OSError) as error:
            raise _unavailable() from error


def _files_below(folder: Path) -> int:
    return sum(1 for path in folder.rglob("*") if path.is_file())


def _key(owner: UUID, path: str) -> str:
    if ".." in path.split("/"):
        raise ValueError(f"not a path inside the owner's folder: {path!r}")
    return f"{owner}/{path}"


async def _bytes(response: "obstore.GetResult") -> AsyncIterator[bytes]:
    async for chunk in response.stream(min_chunk_size=CHUNK_BYTES):
        yield bytes(chunk)


def _unavailable() -> Unavailable:
    return Unavailable(
        "files.unavailable",
        Text(
            de="Der Dateispeicher ist gerade nicht erreichbar. Versuchen Sie es gleich noch einmal.",
            en="The file store cannot be reached just now. Please try again in a moment.",
        ),
    )
