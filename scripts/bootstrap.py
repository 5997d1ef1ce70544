"""Makes `.venv` as the lock file says; does nothing when it already is. Needs nothing but Python 3.11 itself.

    python3 scripts/bootstrap.py          what `kontor up` needs
    python3 scripts/bootstrap.py --dev    and what tests and checks need, with OpenClaw and a Chromium

Uses uv when it is there, else pip. Every download is checked against the hashes of the lock file.
"""

import argparse
import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parent.parent
VENV = Path(os.environ.get("KONTOR_VENV") or ROOT / ".venv")
PYTHON = VENV / "bin" / "python"
LOCKS = {False: ROOT / "requirements.lock", True: ROOT / "requirements-dev.lock"}
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
OLDEST = (3, 11)


def main() -> None:
    """The environment is complete; a second start says nothing and takes milliseconds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dev", action="store_true", help="also what tests and checks need")
    dev = parser.parse_args().dev
    if sys.version_info < OLDEST:
        end(f"Kontor needs Python 3.11 or newer, this is {sys.version.split()[0]}. Debian 12: apt-get install python3")
    VENV.mkdir(parents=True, exist_ok=True)
    with (VENV / ".bootstrap.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        packages(dev=dev)
        style_sheet()
        if dev:
            browser()
            assistant()


def packages(*, dev: bool) -> None:
    """`.venv` holds exactly the versions of the lock file, and Kontor itself as an editable install."""
    lock = LOCKS[dev]
    wanted = fingerprint(lock, ROOT / "pyproject.toml", Path(__file__))
    stamp = VENV / f".packages-{'dev' if dev else 'run'}"
    if PYTHON.exists() and stamp.exists() and stamp.read_text() == wanted:
        return
    uv = shutil.which("uv")
    environment(uv)
    installer: list[str | Path] = [PYTHON, "-m", "pip", "--disable-pip-version-check", "--no-input", "install", "-q"]
    offline = "--no-index"
    if uv:
        installer, offline = [uv, "pip", "install", "-q", "--python", PYTHON], "--offline"
    step(f"Python packages ({lock.name})", [*installer, "--require-hashes", "--no-deps", "-r", lock])
    own: list[str | Path] = [*installer, "--no-deps", "--no-build-isolation", offline, "-e", ROOT]
    step("Kontor", own)
    stamp.write_text(wanted)


def environment(uv: str | None) -> None:
    """`.venv` exists and its Python starts."""
    if PYTHON.exists() and run([PYTHON, "-c", "import pip" if not uv else ""]).returncode == 0:
        return
    if uv:
        step("Virtual environment (uv)", [uv, "venv", "-q", "--allow-existing", "--python", sys.executable, VENV])
        return
    if not has_ensurepip():
        package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
        system_package(package, f"Python's venv module is missing. As root: apt-get install -y {package}")
    step("Virtual environment", [sys.executable, "-m", "venv", VENV])


def has_ensurepip() -> bool:
    """Whether this Python can make environments; Debian ships that part in a package of its own."""
    try:
        return importlib.util.find_spec("ensurepip.__main__") is not None
    except ModuleNotFoundError:
        return False


def style_sheet() -> None:
    """The portal's CSS is younger than everything that it is made of."""
    portal = ROOT / "src/kontor/app/portal"
    made = portal / "static" / "app.css"
    if not (portal / "stylesheet.py").exists():
        return
    sources = (path.stat().st_mtime for path in portal.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    if not made.exists() or made.stat().st_mtime < max(sources):
        step("The portal's style sheet", [PYTHON, "-m", "kontor.app.portal.stylesheet"])
        made.touch()


def browser() -> None:
    """A Chromium for the portal's tests is there; without root those tests fail and say the same command."""
    if not any(shutil.which(name) for name in BROWSERS):
        system_package("chromium", "The portal's tests need Chromium. As root: apt-get install -y chromium", must=False)


def assistant() -> None:
    """OpenClaw is in the cache; its own installer knows when there is nothing to do."""
    step("OpenClaw", [PYTHON, "-m", "kontor.tenants.provisioning.install"], loud=True)


def system_package(name: str, otherwise: str, *, must: bool = True) -> None:
    """apt-get installed it, or the sentence told how to."""
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        if must:
            end(otherwise)
        print(otherwise, file=sys.stderr)
        return
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    step("Package lists", ["apt-get", "-q", "update"], env=env)
    step(f"Debian package {name}", ["apt-get", "-q", "install", "-y", "--no-install-recommends", name], env=env)


def step(title: str, command: list[str | Path], *, loud: bool = False, env: dict[str, str] | None = None) -> None:
    """The command succeeded; its output is shown when it fails, or always when it reports its own progress."""
    began = time.monotonic()
    print(f"  … {title}", flush=True)
    done = run(command, loud=loud, env=env)
    if done.returncode != 0:
        if not loud:
            print(done.stdout.decode(errors="replace"), file=sys.stderr)
        end(f"{title}: failed. The command was: {' '.join(map(str, command))}")
    print(f"  ✓ {title} ({time.monotonic() - began:.1f} s)", flush=True)


def run(
    command: list[str | Path], *, loud: bool = False, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    """The finished command, with standard error in its output."""
    shown = None if loud else subprocess.PIPE
    return subprocess.run(command, check=False, stdout=shown, stderr=subprocess.STDOUT if shown else None, env=env)


def fingerprint(*files: Path) -> str:
    """Changes when a file does, or the Python that runs this."""
    digest = hashlib.sha256(sys.version.encode())
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()


def end(sentence: str) -> NoReturn:
    """Ends with the sentence that says what to do."""
    sys.exit(f"\n{sentence}")


if __name__ == "__main__":
    main()
