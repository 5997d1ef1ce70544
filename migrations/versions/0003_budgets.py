"""What tenants may spend on models: budgets, their periods and leases, and limits of rates.

Revision 0003, after 0002. Expand only: the code before it does not know these tables.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ACCESS = (
    "ALTER TABLE budgets ENABLE ROW LEVEL SECURITY",
    "ALTER TABLE budgets FORCE ROW LEVEL SECURITY",
    "CREATE POLICY owner_migrates ON budgets TO kontor_owner USING (true) WITH CHECK (true)",
    "CREATE POLICY system_sees ON budgets TO kontor_system USING (true) WITH CHECK (true)",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON budgets TO kontor_system",
    "CREATE POLICY app_sees_own ON budgets TO kontor_app USING (tenant_id = nullif(current_setting('kontor.tenant_id', true), '')::uuid)",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON budgets TO kontor_app",
    "CREATE POLICY gateway_meters ON budgets TO kontor_gateway USING (true) WITH CHECK (true)",
    "GRANT SELECT ON budgets TO kontor_gateway",
    "ALTER TABLE budget_periods ENABLE ROW LEVEL SECURITY",
    "ALTER TABLE budget_periods FORCE ROW LEVEL SECURITY",
    "CREATE POLICY owner_migrates ON budget_periods TO kontor_owner USING (true) WITH CHECK (true)",
    "CREATE POLICY system_sees ON budget_periods TO kontor_system USING (true) WITH CHECK (true)",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON budget_periods TO kontor_system",
    "CREATE POLICY app_sees_own ON budget_periods TO kontor_app USING (tenant_id = nullif(current_setting('kontor.tenant_id', true), '')::uuid)",
    "GRANT SELECT, DELETE ON budget_periods TO kontor_app",
    "CREATE POLICY gateway_meters ON budget_periods TO kontor_gateway USING (true) WITH CHECK (true)",
    "GRANT SELECT, INSERT, UPDATE ON budget_periods TO kontor_gateway",
    "ALTER TABLE budget_leases ENABLE ROW LEVEL SECURITY",
    "ALTER TABLE budget_leases FORCE ROW LEVEL SECURITY",
    "CREATE POLICY owner_migrates ON budget_leases TO kontor_owner USING (true) WITH CHECK (true)",
    "CREATE POLICY system_sees ON budget_leases TO kontor_system USING (true) WITH CHECK (true)",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON budget_leases TO kontor_system",
    "CREATE POLICY app_sees_own ON budget_leases TO kontor_app USING (tenant_id = nullif(current_setting('kontor.tenant_id', true), '')::uuid)",
    "GRANT SELECT, DELETE ON budget_leases TO kontor_app",
    "CREATE POLICY gateway_meters ON budget_leases TO kontor_gateway USING (true) WITH CHECK (true)",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON budget_leases TO kontor_gateway",
    "ALTER TABLE rate_limits ENABLE ROW LEVEL SECURITY",
    "ALTER TABLE rate_limits FORCE ROW LEVEL SECURITY",
    "CREATE POLICY owner_migrates ON rate_limits TO kontor_owner USING (true) WITH CHECK (true)",
    "CREATE POLICY system_sees ON rate_limits TO kontor_system USING (true) WITH CHECK (true)",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON rate_limits TO kontor_system",
    "CREATE POLICY app_sees_own ON rate_limits TO kontor_app USING (tenant_id = nullif(current_setting('kontor.tenant_id', true), '')::uuid)",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON rate_limits TO kontor_app",
    "CREATE POLICY gateway_meters ON rate_limits TO kontor_gateway USING (true) WITH CHECK (true)",
    "GRANT SELECT ON rate_limits TO kontor_gateway",
    "ALTER TABLE rate_windows ENABLE ROW LEVEL SECURITY",
    "ALTER TABLE rate_windows FORCE ROW LEVEL SECURITY",
    "CREATE POLICY owner_migrates ON rate_windows TO kontor_owner USING (true) WITH CHECK (true)",
    "CREATE POLICY system_sees ON rate_windows TO kontor_system USING (true) WITH CHECK (true)",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON rate_windows TO kontor_system",
    "CREATE POLICY app_sees_own ON rate_windows TO kontor_app USING (tenant_id = nullif(current_setting('kontor.tenant_id', true), '')::uuid)",
    "GRANT SELECT, DELETE ON rate_windows TO kontor_app",
    "CREATE POLICY gateway_meters ON rate_windows TO kontor_gateway USING (true) WITH CHECK (true)",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON rate_windows TO kontor_gateway",
)


def upgrade() -> None:
    op.create_table(
        "budgets",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("key_id", sa.Uuid(), nullable=True),
        sa.Column("period", sa.String(), nullable=False),
        sa.Column("allowance_nano", sa.BigInteger(), nullable=True),
        sa.Column("cap_nano", sa.BigInteger(), nullable=True),
        sa.Column("since", sa.Date(), nullable=False),
        sa.CheckConstraint("period IN ('day', 'month', 'total')", name=op.f("ck_budgets_period")),
        sa.CheckConstraint("cap_nano >= 0 AND allowance_nano >= 0", name=op.f("ck_budgets_amounts")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_budgets")),
    )
    op.create_index(
        "ux_budgets_tenant_id_key_id_period",
        "budgets",
        ["tenant_id", "key_id", "period"],
        unique=True,
        postgresql_nulls_not_distinct=True,
    )
    op.create_table(
        "budget_periods",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("budget_id", sa.Uuid(), nullable=False),
        sa.Column("begins", sa.Date(), nullable=False),
        sa.Column("spent_nano", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("told_pct", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "budget_id"],
            ["budgets.tenant_id", "budgets.id"],
            name=op.f("fk_budget_periods_tenant_id_budget_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "budget_id", "begins", name=op.f("pk_budget_periods")),
    )
    op.create_table(
        "budget_leases",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("budget_id", sa.Uuid(), nullable=False),
        sa.Column("begins", sa.Date(), nullable=False),
        sa.Column("gateway", sa.Uuid(), nullable=False),
        sa.Column("amount_nano", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "budget_id", "begins"],
            ["budget_periods.tenant_id", "budget_periods.budget_id", "budget_periods.begins"],
            name=op.f("fk_budget_leases_tenant_id_budget_id_begins"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "budget_id", "begins", "gateway", name=op.f("pk_budget_leases")),
    )
    op.create_index("ix_budget_leases_gateway", "budget_leases", ["gateway"], unique=False)
    op.create_table(
        "rate_limits",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("requests", sa.BigInteger(), nullable=False),
        sa.Column("tokens", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("requests > 0 AND tokens > 0", name=op.f("ck_rate_limits_amounts")),
        sa.PrimaryKeyConstraint("tenant_id", name=op.f("pk_rate_limits")),
    )
    op.create_table(
        "rate_windows",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("minute", sa.DateTime(timezone=True), nullable=False),
        sa.Column("requests", sa.BigInteger(), nullable=False),
        sa.Column("tokens", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "minute", name=op.f("pk_rate_windows")),
        prefixes=["UNLOGGED"],
    )
    for statement in ACCESS:
        op.execute(sa.text(statement))
