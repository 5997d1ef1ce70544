"""Alembic's entry: runs on the connection that `kontor.core.migrate` opened as `kontor_owner`."""

from alembic import context
from sqlalchemy import text

from kontor.app.schema import METADATA

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=METADATA,
    compare_type=True,
    compare_server_default=False,
    include_name=lambda name, kind, _: not (kind == "table" and (name or "").startswith(("pgqueuer", "usage_events_"))),
    transaction_per_migration=True,
)
with context.begin_transaction():
    connection.execute(text("SET LOCAL lock_timeout = '5s'"))
    connection.execute(text("SET LOCAL statement_timeout = '10min'"))
    context.run_migrations()
