"""Each instance's row says in which dialect it asks for its model.

Revision 0010, after 0009. Expand: what runs speaks chat completions, and so does what the code before it makes.
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("instances", sa.Column("dialect", sa.String(), server_default="chat", nullable=False))
