"""OpenClaw is installed whole or not at all, from whatever registry the machine uses."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from kontor.core.settings import default_cache_dir
from kontor.tenants.provisioning import install
from kontor.tenants.provisioning.runtime import RuntimeFailure
from support.places import open_folder

CACHE = Path(os.environ.get("KONTOR_CACHE_DIR") or default_cache_dir())


def run_installer(cache: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "kontor.tenants.provisioning.install"],
        env={**os.environ, "KONTOR_CACHE_DIR": str(cache), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_package_is_pinned_by_digest_and_none_names_a_registry() -> None:
    packages = json.loads(install.LOCK.read_text())["packages"]

    installed = {path: package for path, package in packages.items() if path and not package.get("link")}
    assert installed["node_modules/openclaw"]["version"] == install.RELEASE
    assert [path for path, package in installed.items() if not package.get("integrity", "").startswith("sha512-")] == []
    assert [path for path, package in installed.items() if "resolved" in package] == []


def test_without_a_registry_the_installation_says_so_and_leaves_nothing() -> None:
    with open_folder() as folder:
        cache = folder / "cache"
        (cache / "openclaw" / ".openclaw-killed").mkdir(parents=True)

        done = run_installer(
            cache,
            npm_config_registry="http://127.0.0.1:9/",
            npm_config_fetch_retries="0",
            npm_config_cache=str(folder / "npm"),
        )

        assert [path.name for path in (cache / "openclaw").iterdir()] == [".lock"]
    assert done.returncode == 1
    assert "npm ci failed. The package registry that npm is configured for cannot be reached." in done.stderr
    assert "ECONNREFUSED" in done.stderr


def test_what_is_not_installed_is_told_with_the_command_that_does_it(tmp_path: Path) -> None:
    with pytest.raises(RuntimeFailure) as missing:
        install.find(tmp_path)

    assert missing.value.code == "install_missing"
    assert install.COMMAND in (missing.value.detail or "")


def test_scripts_of_packages_see_none_of_our_secrets_and_write_what_others_can_read() -> None:
    with open_folder() as folder:
        node = folder / "wheel" / "bin" / "node"
        node.parent.mkdir(parents=True)
        node.write_text("#!/bin/sh\nenv > environment\n")
        node.chmod(0o755)
        made = folder / "made"
        made.mkdir()
        secrets = {"KONTOR_MASTER_KEY": "s3cret", "OPENAI_API_KEY": "s3cret", "DATABASE_URL": "s3cret"}

        code = f"""
import os; os.umask(0o077)
from pathlib import Path
from kontor.tenants.provisioning import install
install._npm(Path("{folder}/wheel"), Path("npm-cli.js"), Path("{made}"), "ci")
"""
        subprocess.run([sys.executable, "-c", code], env={**os.environ, **secrets, "NPM_TOKEN": "kept"}, check=True)

        seen = (made / "environment").read_text()
        assert "s3cret" not in seen
        assert "NPM_TOKEN=kept" in seen
        assert stat.S_IMODE((made / "environment").stat().st_mode) == 0o644


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives assistants users of their own")
def test_a_cache_that_the_assistants_cannot_reach_is_refused_before_anything_is_downloaded(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)

    done = run_installer(tmp_path / "cache")

    assert done.returncode == 1
    assert "set KONTOR_CACHE_DIR" in done.stderr
    assert done.stdout == ""


@pytest.mark.openclaw
def test_an_installation_that_is_there_is_found_at_once() -> None:
    installation = install.find(CACHE)
    version = subprocess.run([installation.node, "--version"], capture_output=True, text=True, check=True)

    assert version.stdout.startswith("v24.")
    assert run_installer(CACHE).stdout.splitlines() == [str(installation.entry)]
