"""Tenants set their caps and make keys for their own programs; refused requests are counted by tenant.

Revision 0006, after 0005. Expand, backfill: the code before it knows only `cap_nano`, which stays what gateways read.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

GRANTS = (
    "GRANT INSERT ON gateway_keys TO kontor_app",
    "GRANT UPDATE (last_used_at) ON gateway_keys TO kontor_gateway",
    "GRANT INSERT, UPDATE ON budget_periods TO kontor_app",
)
ACCESS = (
    "ALTER TABLE gateway_refusals ENABLE ROW LEVEL SECURITY",
    "ALTER TABLE gateway_refusals FORCE ROW LEVEL SECURITY",
    "CREATE POLICY owner_migrates ON gateway_refusals TO kontor_owner USING (true) WITH CHECK (true)",
    "CREATE POLICY system_sees ON gateway_refusals TO kontor_system USING (true) WITH CHECK (true)",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON gateway_refusals TO kontor_system",
    "CREATE POLICY app_sees_own ON gateway_refusals TO kontor_app USING (tenant_id = nullif(current_setting('kontor.tenant_id', true), '')::uuid)",
    "GRANT SELECT, DELETE ON gateway_refusals TO kontor_app",
    "CREATE POLICY gateway_meters ON gateway_refusals TO kontor_gateway USING (true) WITH CHECK (true)",
    "GRANT SELECT, INSERT, UPDATE ON gateway_refusals TO kontor_gateway",
)


def upgrade() -> None:
    op.add_column("budgets", sa.Column("own_cap_nano", sa.BigInteger(), nullable=True))
    op.add_column("budgets", sa.Column("operator_cap_nano", sa.BigInteger(), nullable=True))
    op.add_column("budgets", sa.Column("revision", sa.Integer(), server_default=sa.text("1"), nullable=False))
    # A pilot's cap is its plan's; nobody but a test could set another until now.
    op.execute(sa.text("UPDATE budgets SET own_cap_nano = cap_nano WHERE period <> 'total'"))
    op.create_check_constraint(op.f("ck_budgets_caps"), "budgets", "own_cap_nano >= 0 AND operator_cap_nano >= 0")
    op.add_column("gateway_keys", sa.Column("name", sa.LargeBinary(), nullable=True))
    op.add_column("gateway_keys", sa.Column("hint", sa.String(), nullable=True))
    op.add_column("gateway_keys", sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("gateway_keys", sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True))
    for statement in GRANTS:
        op.execute(sa.text(statement))
    op.create_table(
        "gateway_refusals",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("requests", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "day", "code", name=op.f("pk_gateway_refusals")),
    )
    op.execute(
        sa.text(
            "INSERT INTO gateway_refusals (tenant_id, day, code, requests) "
            "SELECT tenant_id, day, 'gateway.prohibited', sum(hits) FROM policy_hits GROUP BY tenant_id, day"
        )
    )
    for statement in ACCESS:
        op.execute(sa.text(statement))
