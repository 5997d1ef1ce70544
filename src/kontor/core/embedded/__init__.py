"""Postgres for a machine without a database: one server per state folder, found again after any crash."""

from kontor.core.embedded.postgres import EmbeddedPostgres

__all__ = ["EmbeddedPostgres"]
