"""The command line: `kontor`. Each command imports what it needs when it runs, so that each process starts fast."""

from kontor.app.cli.main import main

__all__ = ["main"]
