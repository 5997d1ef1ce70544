"""Whether this very database was migrated by this very code: then a start need not do it again.

Only for the embedded database, whose folder tells which one it is; somebody else's may change at any time. A start that
fails forgets, so that the next one migrates whatever this file believes.
"""

import hashlib
from pathlib import Path


class MigratedMark:
    """`<state>/migrated`, and what it must say to count."""

    def __init__(self, state_dir: Path, wanted: str | None) -> None:
        self._file = state_dir / "migrated"
        self._wanted = wanted

    def is_current(self) -> bool:
        """The last migration was of this database by this code."""
        return self._wanted is not None and self._file.exists() and self._file.read_text() == self._wanted

    def set(self) -> None:
        """The migration succeeded."""
        if self._wanted is not None:
            self._file.write_text(self._wanted)

    def forget(self) -> None:
        """The next start migrates."""
        self._file.unlink(missing_ok=True)


def mark_of(data_id: str, version: str, master_key: str) -> str:
    """Equal for the same data, code and passwords (the roles' passwords follow from the master key)."""
    return hashlib.sha256(f"{data_id}\n{version}\n{master_key}".encode()).hexdigest()
