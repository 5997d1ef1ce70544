"""Files of an instance's volume. The control plane, which may be root, writes and reads them in the instance's folders.

What the instance may have put in the way (a link, a pipe, somebody else's file) is refused, never followed: every step
goes through an open folder.
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Final

from kontor.core.errors import NotFound

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_OLD: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NOT_THERE: Final = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO, errno.EISDIR})


class Volume:
    """The folder `home`, whose parent only the control plane can change. `uid` owns it; None: we do."""

    def __init__(self, home: Path, uid: int | None) -> None:
        self._home = home
        self._uid = uid

    def make(self, *folders: str) -> None:
        """The volume and these folders in it are there, 0700, the instance's own. Raises OSError."""
        with suppress(FileExistsError):
            self._home.mkdir(mode=0o700)
        for folder in ("", *folders):
            with self._folder(_parts(folder), make=True):
                pass

    def put(self, path: str, text: str) -> None:
        """The file appears at once and whole, readable by the instance alone. Raises OSError."""
        *folders, name = _parts(path)
        draft = f".{name}.draft"
        with self._folder(folders, make=True) as folder:
            with suppress(FileNotFoundError):
                os.unlink(draft, dir_fd=folder)
            with os.fdopen(os.open(draft, _NEW, 0o600, dir_fd=folder), "w", encoding="utf-8") as file:
                file.write(text)
                self._own(file.fileno())
            os.rename(draft, name, src_dir_fd=folder, dst_dir_fd=folder)

    def set_aside(self, path: str) -> None:
        """The file is called `<path>.1`, and what was called so is gone. Raises OSError."""
        *folders, name = _parts(path)
        with self._folder(folders, make=False) as folder, suppress(FileNotFoundError):
            os.rename(name, f"{name}.1", src_dir_fd=folder, dst_dir_fd=folder)

    def open(self, path: str) -> BinaryIO:
        """The file for reading. Raises NotFound, also for what is not a file of the instance's own."""
        try:
            *folders, name = _parts(path)
            with self._folder(folders, make=False) as folder:
                file = os.fdopen(os.open(name, _OLD, dir_fd=folder), "rb")
        except ValueError as error:
            raise NotFound from error
        except OSError as error:
            if error.errno in _NOT_THERE:
                raise NotFound from error
            raise
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode) or (self._uid is not None and found.st_uid != self._uid):
            file.close()
            raise NotFound
        return file

    def paths(self) -> list[str]:
        """All files and links, relative to the volume, sorted."""
        found = []
        for folder, _, names in os.walk(self._home):
            found += [str((Path(folder) / name).relative_to(self._home)) for name in names]
        return sorted(found)

    @contextmanager
    def _folder(self, parts: list[str], *, make: bool) -> Iterator[int]:
        held = os.open(self._home, _FOLDER)
        try:
            if make:
                self._own(held)
            for part in parts:
                if make:
                    with suppress(FileExistsError):
                        os.mkdir(part, 0o700, dir_fd=held)
                below = os.open(part, _FOLDER, dir_fd=held)
                os.close(held)
                held = below
                if make:
                    self._own(held)
            yield held
        finally:
            os.close(held)

    def _own(self, held: int) -> None:
        if self._uid is not None:
            os.fchown(held, self._uid, self._uid)


def _parts(path: str) -> list[str]:
    parts = list(PurePosixPath(path).parts)
    if path.startswith("/") or ".." in parts or "\0" in path:
        raise ValueError(f"not inside the volume: {path!r}")
    return parts
