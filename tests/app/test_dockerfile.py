"""The image's recipe, read as text: nothing here can build it, but what a build would stumble over is found."""

import json
import subprocess
import sys
from fnmatch import fnmatch
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).parents[2]


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions in order, continued lines joined and comments gone."""
    lines = [line for line in (ROOT / "Dockerfile").read_text().splitlines() if not line.lstrip().startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    return [(line.split()[0], line.split(maxsplit=1)[1].strip()) for line in joined.splitlines() if line.strip()]


def last_stage() -> list[tuple[str, str]]:
    found = instructions()
    starts = [index for index, (name, _) in enumerate(found) if name == "FROM"]
    return found[starts[-1] :]


def test_the_image_runs_as_an_unprivileged_user_by_number() -> None:
    users = [value for name, value in last_stage() if name == "USER"]

    assert users[-1] == "1000:1000"  # Kubernetes' runAsNonRoot cannot judge a name


def test_signals_reach_the_process_itself() -> None:
    commands = {name: value for name, value in last_stage() if name in {"ENTRYPOINT", "CMD"}}

    assert json.loads(commands["ENTRYPOINT"]) == ["kontor"]
    assert json.loads(commands["CMD"]) == ["api"]


def test_everything_that_is_copied_exists_and_is_let_in() -> None:
    patterns = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]
    let_in = [pattern[1:] for pattern in patterns if pattern.startswith("!")]
    copies = [value.split()[:-1] for name, value in instructions() if name == "COPY" and "--from=" not in value]
    sources = [source for group in copies for source in group]

    assert sources
    for source in sources:
        assert (ROOT / source).exists(), source
        assert any(fnmatch(source, pattern) for pattern in let_in), source


def test_no_process_needs_what_the_image_leaves_out() -> None:
    removed = {json.loads(value)[-1] for name, value in instructions() if name == "RUN" and '"uninstall"' in value}
    modules = [module for module, of in packages_distributions().items() if removed.intersection(of)]
    entries = "import kontor.app.main, kontor.app.gateway, kontor.app.worker, kontor.app.cli.main"

    code = f"import sys; sys.modules.update(dict.fromkeys({modules!r})); {entries}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert modules
    assert done.returncode == 0, done.stderr


def test_every_package_is_checked_against_a_hash() -> None:
    installs = [value for name, value in instructions() if name == "RUN" and '"install"' in value]

    assert installs
    for install in installs:
        assert "--require-hashes" in install or "--no-index" in install, install


def test_the_lock_files_name_no_registry_and_a_hash_for_every_package() -> None:
    for name in ("requirements.lock", "requirements-dev.lock"):
        packages = (ROOT / name).read_text().replace("\\\n", " ").splitlines()

        assert len(packages) > 50
        for package in packages:
            assert "--hash=sha256:" in package, package
            assert "://" not in package, package
