"""Outages of providers of models, as the gateways saw them, and which deployments a route had when.

Revision 0008, after 0007. Expand: the code before it does not know the tables.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

ACCESS = (
    "ALTER TABLE provider_outages ENABLE ROW LEVEL SECURITY",
    "ALTER TABLE provider_outages FORCE ROW LEVEL SECURITY",
    "CREATE POLICY owner_migrates ON provider_outages TO kontor_owner USING (true) WITH CHECK (true)",
    "CREATE POLICY system_sees ON provider_outages TO kontor_system USING (true) WITH CHECK (true)",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON provider_outages TO kontor_system",
    "CREATE POLICY app_sees_own ON provider_outages TO kontor_app USING (true)",
    "GRANT SELECT ON provider_outages TO kontor_app",
    "CREATE POLICY gateway_meters ON provider_outages TO kontor_gateway USING (true) WITH CHECK (true)",
    "GRANT SELECT, INSERT, UPDATE ON provider_outages TO kontor_gateway",
    "ALTER TABLE model_routes ENABLE ROW LEVEL SECURITY",
    "ALTER TABLE model_routes FORCE ROW LEVEL SECURITY",
    "CREATE POLICY owner_migrates ON model_routes TO kontor_owner USING (true) WITH CHECK (true)",
    "CREATE POLICY system_sees ON model_routes TO kontor_system USING (true) WITH CHECK (true)",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON model_routes TO kontor_system",
    "CREATE POLICY app_sees_own ON model_routes TO kontor_app USING (true)",
    "GRANT SELECT ON model_routes TO kontor_app",
    "CREATE POLICY gateway_meters ON model_routes TO kontor_gateway USING (true) WITH CHECK (true)",
    "GRANT SELECT, INSERT ON model_routes TO kontor_gateway",
)


def upgrade() -> None:
    op.create_table(
        "provider_outages",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("gateway", sa.Uuid(), nullable=False),
        sa.Column("deployment", sa.String(), nullable=False),
        sa.Column("is_third_party", sa.Boolean(), nullable=False),
        sa.Column("cause", sa.String(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("observed_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "cause IN ('unreachable', 'silent', 'cut', 'failing', 'refuses')", name=op.f("ck_provider_outages_cause")
        ),
        sa.CheckConstraint("observed_until >= started_at", name=op.f("ck_provider_outages_forward")),
        sa.CheckConstraint("ended_at IS NULL OR ended_at = observed_until", name=op.f("ck_provider_outages_ended")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_provider_outages")),
    )
    op.create_index("ix_provider_outages_observed_until", "provider_outages", ["observed_until"], unique=False)
    op.create_table(
        "model_routes",
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("dialect", sa.String(), nullable=False),
        sa.Column("residency", sa.String(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deployments", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("model", "dialect", "residency", "since", name=op.f("pk_model_routes")),
    )
    for statement in ACCESS:
        op.execute(sa.text(statement))
