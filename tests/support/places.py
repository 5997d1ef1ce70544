"""Folders for servers that run as a user of their own: pytest's tmp_path is closed to all but its owner."""

import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def open_folder() -> Iterator[Path]:
    """An empty folder below the system's temporary one that every user may walk through; gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="kontor-test-"))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def free_port() -> int:
    """A port of 127.0.0.1 on which nothing listens now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
