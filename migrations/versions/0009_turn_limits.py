"""Turns with the assistant are counted per member and API key, and may be limited.

Revision 0009, after 0008. Expand: the code before it does not know the table and counts nothing.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

ACCESS = (
    "ALTER TABLE turn_limits ENABLE ROW LEVEL SECURITY",
    "ALTER TABLE turn_limits FORCE ROW LEVEL SECURITY",
    "CREATE POLICY owner_migrates ON turn_limits TO kontor_owner USING (true) WITH CHECK (true)",
    "CREATE POLICY system_sees ON turn_limits TO kontor_system USING (true) WITH CHECK (true)",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON turn_limits TO kontor_system",
    "CREATE POLICY app_sees_own ON turn_limits TO kontor_app USING (tenant_id = nullif(current_setting('kontor.tenant_id', true), '')::uuid)",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON turn_limits TO kontor_app",
)


def upgrade() -> None:
    op.create_table(
        "turn_limits",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("source", sa.Uuid(), nullable=False),
        sa.Column("per_day", sa.Integer(), nullable=True),
        sa.Column("per_month", sa.Integer(), nullable=True),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("turns_of_day", sa.Integer(), nullable=False),
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("turns_of_month", sa.Integer(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.CheckConstraint("per_day >= 0 AND per_month >= 0", name=op.f("ck_turn_limits_limits")),
        sa.CheckConstraint("turns_of_day >= 0 AND turns_of_month >= 0", name=op.f("ck_turn_limits_counts")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_turn_limits_tenant_id_tenants")),
        sa.PrimaryKeyConstraint("tenant_id", "channel", "source", name=op.f("pk_turn_limits")),
    )
    for statement in ACCESS:
        op.execute(sa.text(statement))
