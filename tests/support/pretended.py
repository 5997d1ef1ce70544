"""A program that stands where OpenClaw would: it starts at once, and the test says what it does."""

import stat
from pathlib import Path

from kontor.tenants.provisioning import install

SLEEPS = "exec sleep 600"
RELUCTANT = "trap '' TERM; echo reluctant > $HOME/tmp/up; while :; do sleep 1; done"


def pretended_openclaw(cache: Path, script: str) -> Path:
    """A cache folder with an installation whose Node is this shell script."""
    made = install._installation(install._target(cache))
    made.entry.parent.mkdir(parents=True)
    made.entry.touch()
    made.node.write_text(f"#!/bin/sh\n{script}\n")
    made.node.chmod(0o755)
    for folder in (made.entry.parent, *made.entry.parent.parents):
        if folder.is_relative_to(cache):
            folder.chmod(folder.stat().st_mode | stat.S_IXOTH | stat.S_IROTH)
    return cache
