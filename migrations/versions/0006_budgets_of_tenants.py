"""Tenants set their caps and make keys for their own programs; who has set which cap is told apart.

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
