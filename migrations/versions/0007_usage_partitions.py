"""Usage events stand in one partition a month; those that are there become the first one, in place.

Revision 0007, after 0006. What was the table holds everything up to the end of the running month and is not copied.
Later months are made ahead by `make_usage_partitions`, which the worker calls: it is the owner's, since no process may
build tables. An event for which no month was made stands in `usage_events_rest` and moves when its month is made.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

SET_ASIDE = (
    "ALTER TABLE usage_events RENAME TO usage_events_first",
    "ALTER INDEX pk_usage_events RENAME TO pk_usage_events_first",
    "ALTER INDEX ix_usage_events_tenant_id_at RENAME TO ix_usage_events_first_tenant_id_at",
    "DROP POLICY system_sees ON usage_events_first",
    "DROP POLICY app_sees_own ON usage_events_first",
    "DROP POLICY gateway_meters ON usage_events_first",
    "REVOKE ALL ON usage_events_first FROM kontor_system, kontor_app, kontor_gateway",
)
ACCESS = (
    "ALTER TABLE usage_events ENABLE ROW LEVEL SECURITY",
    "ALTER TABLE usage_events FORCE ROW LEVEL SECURITY",
    "CREATE POLICY owner_migrates ON usage_events TO kontor_owner USING (true) WITH CHECK (true)",
    "CREATE POLICY system_sees ON usage_events TO kontor_system USING (true) WITH CHECK (true)",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON usage_events TO kontor_system",
    "CREATE POLICY app_sees_own ON usage_events TO kontor_app USING (tenant_id = nullif(current_setting('kontor.tenant_id', true), '')::uuid)",
    "GRANT SELECT, DELETE ON usage_events TO kontor_app",
    "CREATE POLICY gateway_meters ON usage_events TO kontor_gateway USING (true) WITH CHECK (true)",
    "GRANT SELECT, INSERT ON usage_events TO kontor_gateway",
)
PARTITIONS = (
    """
    DO $$ BEGIN
      EXECUTE format('ALTER TABLE usage_events ATTACH PARTITION usage_events_first FOR VALUES FROM (MINVALUE) TO (%L)', (
        SELECT (date_trunc('month', greatest(max(day), (now() AT TIME ZONE 'UTC')::date)) + interval '1 month')::date
        FROM usage_events_first));
    END $$
    """,
    "CREATE TABLE usage_events_rest PARTITION OF usage_events DEFAULT",
    "ALTER TABLE usage_events_rest ENABLE ROW LEVEL SECURITY",
    "ALTER TABLE usage_events_rest FORCE ROW LEVEL SECURITY",
    "CREATE POLICY owner_migrates ON usage_events_rest TO kontor_owner USING (true) WITH CHECK (true)",
    """
    CREATE FUNCTION make_usage_partitions(upto date) RETURNS integer LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = public, pg_temp SET datestyle = 'ISO' AS $$
    DECLARE
      begins date;
      ends date;
      name text;
      made integer := 0;
    BEGIN
      PERFORM pg_advisory_xact_lock(hashtext('make_usage_partitions'));
      SELECT max((regexp_match(pg_get_expr(c.relpartbound, c.oid), 'TO \\(''(\\d{4}-\\d\\d-\\d\\d)''\\)'))[1]::date)
        INTO STRICT begins
        FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'usage_events'::regclass;
      WHILE begins <= upto LOOP
        ends := begins + interval '1 month';
        name := 'usage_events_' || to_char(begins, 'YYYY_MM');
        EXECUTE format('CREATE TABLE %I (LIKE usage_events INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', name);
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY owner_migrates ON %I TO kontor_owner USING (true) WITH CHECK (true)', name);
        EXECUTE 'LOCK TABLE usage_events_rest IN ACCESS EXCLUSIVE MODE';
        EXECUTE format('WITH moved AS (DELETE FROM usage_events_rest WHERE day >= %L AND day < %L RETURNING *) '
          'INSERT INTO %I SELECT * FROM moved', begins, ends, name);
        EXECUTE format('ALTER TABLE usage_events ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', name, begins, ends);
        made := made + 1;
        begins := ends;
      END LOOP;
      RETURN made;
    END $$
    """,
    "REVOKE ALL ON FUNCTION make_usage_partitions(date) FROM PUBLIC",
    "GRANT EXECUTE ON FUNCTION make_usage_partitions(date) TO kontor_system",
    "SELECT make_usage_partitions((now() AT TIME ZONE 'UTC' + interval '3 months')::date)",
)


def upgrade() -> None:
    for statement in SET_ASIDE:
        op.execute(sa.text(statement))
    op.create_table(
        "usage_events",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("instance_id", sa.Uuid(), nullable=True),
        sa.Column("key_id", sa.Uuid(), nullable=False),
        sa.Column("model_asked", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("input_tokens", sa.BigInteger(), nullable=False),
        sa.Column("cached_tokens", sa.BigInteger(), nullable=False),
        sa.Column("cache_write_tokens", sa.BigInteger(), nullable=False),
        sa.Column("output_tokens", sa.BigInteger(), nullable=False),
        sa.Column("reasoning_tokens", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(), nullable=True),
        sa.Column("amount_nano", sa.BigInteger(), nullable=True),
        sa.Column("price_id", sa.Uuid(), nullable=True),
        sa.Column("rate_id", sa.Uuid(), nullable=True),
        sa.Column("cost_nano", sa.BigInteger(), nullable=True),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("latency_ms", sa.BigInteger(), nullable=False),
        sa.Column("first_token_ms", sa.BigInteger(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("source IN ('reported', 'estimated')", name=op.f("ck_usage_events_source")),
        sa.CheckConstraint("(cost_nano IS NULL) = (amount_nano IS NULL)", name=op.f("ck_usage_events_priced")),
        sa.PrimaryKeyConstraint("day", "tenant_id", "id", name=op.f("pk_usage_events")),
        postgresql_partition_by="RANGE (day)",
    )
    op.create_index("ix_usage_events_tenant_id_at", "usage_events", ["tenant_id", "at"], unique=False)
    op.create_index(
        "ix_usage_events_unpriced",
        "usage_events",
        ["provider", "model"],
        unique=False,
        postgresql_where=sa.text("cost_nano IS NULL"),
    )
    for statement in (*ACCESS, *PARTITIONS):
        op.execute(sa.text(statement))
