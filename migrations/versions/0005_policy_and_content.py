"""The operator is told of tenants whose requests are refused often; tenants may have a content log.

Revision 0005, after 0004. Expand: the code before it knows neither the tables nor the column.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

ACCESS = (
    "ALTER TABLE policy_alerts ENABLE ROW LEVEL SECURITY",
    "ALTER TABLE policy_alerts FORCE ROW LEVEL SECURITY",
    "CREATE POLICY owner_migrates ON policy_alerts TO kontor_owner USING (true) WITH CHECK (true)",
    "CREATE POLICY system_sees ON policy_alerts TO kontor_system USING (true) WITH CHECK (true)",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON policy_alerts TO kontor_system",
    "CREATE POLICY app_sees_own ON policy_alerts TO kontor_app USING (tenant_id = nullif(current_setting('kontor.tenant_id', true), '')::uuid)",
    "GRANT SELECT, DELETE ON policy_alerts TO kontor_app",
    "ALTER TABLE content_logs ENABLE ROW LEVEL SECURITY",
    "ALTER TABLE content_logs FORCE ROW LEVEL SECURITY",
    "CREATE POLICY owner_migrates ON content_logs TO kontor_owner USING (true) WITH CHECK (true)",
    "CREATE POLICY system_sees ON content_logs TO kontor_system USING (true) WITH CHECK (true)",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON content_logs TO kontor_system",
    "CREATE POLICY app_sees_own ON content_logs TO kontor_app USING (tenant_id = nullif(current_setting('kontor.tenant_id', true), '')::uuid)",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON content_logs TO kontor_app",
    "ALTER TABLE content_entries ENABLE ROW LEVEL SECURITY",
    "ALTER TABLE content_entries FORCE ROW LEVEL SECURITY",
    "CREATE POLICY owner_migrates ON content_entries TO kontor_owner USING (true) WITH CHECK (true)",
    "CREATE POLICY system_sees ON content_entries TO kontor_system USING (true) WITH CHECK (true)",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON content_entries TO kontor_system",
    "CREATE POLICY app_sees_own ON content_entries TO kontor_app USING (tenant_id = nullif(current_setting('kontor.tenant_id', true), '')::uuid)",
    "GRANT SELECT, DELETE ON content_entries TO kontor_app",
    "CREATE POLICY gateway_meters ON content_entries TO kontor_gateway USING (true) WITH CHECK (true)",
    "GRANT INSERT ON content_entries TO kontor_gateway",
)


def upgrade() -> None:
    op.create_index("ix_policy_hits_day", "policy_hits", ["day"], unique=False)
    op.create_table(
        "policy_alerts",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("hits", sa.BigInteger(), nullable=False),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", name=op.f("pk_policy_alerts")),
    )
    op.add_column("gateway_keys", sa.Column("content_key", sa.LargeBinary(), nullable=True))
    op.create_table(
        "content_logs",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("is_on", sa.Boolean(), nullable=False),
        sa.Column("retention_days", sa.Integer(), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("private_key", sa.LargeBinary(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("retention_days BETWEEN 1 AND 30", name=op.f("ck_content_logs_retention")),
        sa.PrimaryKeyConstraint("tenant_id", name=op.f("pk_content_logs")),
    )
    op.create_table(
        "content_entries",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("key_id", sa.Uuid(), nullable=False),
        sa.Column("instance_id", sa.Uuid(), nullable=True),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("dialect", sa.String(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("request_bytes", sa.BigInteger(), nullable=False),
        sa.Column("answer_bytes", sa.BigInteger(), nullable=False),
        sa.Column("is_truncated", sa.Boolean(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_content_entries")),
    )
    op.create_index("ix_content_entries_tenant_id_at", "content_entries", ["tenant_id", "at"], unique=False)
    for statement in ACCESS:
        op.execute(sa.text(statement))
