"""The portal's static files and their versions. What builds the style sheet among them: stylesheet."""

import hashlib
import sys
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
STATIC: Final = HERE / "static"
BUILT: Final = STATIC / "app.css"
_VERSION_LENGTH: Final = 12


class NotBuilt(RuntimeError):
    """The style sheet is missing; the message is the command that makes it."""

    def __init__(self) -> None:
        super().__init__(f"{BUILT} is missing. Build it with: {sys.executable} -m kontor.app.portal.stylesheet")


def versions() -> dict[str, str]:
    """Each static file's path below static/ with a digest of its content, for addresses that may be cached for ever.

    Raises NotBuilt.
    """
    if not BUILT.exists():
        raise NotBuilt
    return {
        str(path.relative_to(STATIC)): hashlib.sha256(path.read_bytes()).hexdigest()[:_VERSION_LENGTH]
        for path in STATIC.rglob("*")
        if path.is_file() and not path.name.startswith(".")
    }
