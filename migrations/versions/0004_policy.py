"""Policy packs go with the gateway's keys, and hits of the acceptable-use policy are counted.

Revision 0004, after 0003. Expand, backfill: the code before it does not know column and table.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

# The industries of the contracts' data at this revision whose pack is not the general one.
PACKS = {
    "medical": ("medical", "care", "pharmacy", "psychotherapy", "veterinary"),
    "legal": ("legal", "patent"),
    "finance": ("tax_advice", "audit", "finance", "insurance", "insurance_broker"),
}
ACCESS = (
    "ALTER TABLE policy_hits ENABLE ROW LEVEL SECURITY",
    "ALTER TABLE policy_hits FORCE ROW LEVEL SECURITY",
    "CREATE POLICY owner_migrates ON policy_hits TO kontor_owner USING (true) WITH CHECK (true)",
    "CREATE POLICY system_sees ON policy_hits TO kontor_system USING (true) WITH CHECK (true)",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON policy_hits TO kontor_system",
    "CREATE POLICY app_sees_own ON policy_hits TO kontor_app USING (tenant_id = nullif(current_setting('kontor.tenant_id', true), '')::uuid)",
    "GRANT SELECT, DELETE ON policy_hits TO kontor_app",
    "CREATE POLICY gateway_meters ON policy_hits TO kontor_gateway USING (true) WITH CHECK (true)",
    "GRANT SELECT, INSERT, UPDATE ON policy_hits TO kontor_gateway",
)


def upgrade() -> None:
    op.add_column("gateway_keys", sa.Column("pack", sa.String(), server_default="general", nullable=False))
    for pack, industries in PACKS.items():
        op.get_bind().execute(
            sa.text(
                "UPDATE gateway_keys k SET pack = :pack, changed_at = clock_timestamp() FROM tenants t "
                "WHERE t.id = k.tenant_id AND t.industry = ANY(:industries)"
            ),
            {"pack": pack, "industries": list(industries)},
        )
    op.create_table(
        "policy_hits",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("category", sa.String(), nullable=False),
        sa.Column("hits", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "day", "category", name=op.f("pk_policy_hits")),
    )
    for statement in ACCESS:
        op.execute(sa.text(statement))
