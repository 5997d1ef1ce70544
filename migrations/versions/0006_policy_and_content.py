"""The operator is told of tenants whose requests the acceptable-use policy refuses often.

Revision 0006, after 0004. Expand: the code before it does not know the table.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
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
    for statement in ACCESS:
        op.execute(sa.text(statement))
