"""Each price says where it comes from.

Revision 0002, after 0001. Expand, backfill, enforce: safe beside the code before it, which loads only what is shipped
and does not know the column; so its default stays.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# What was shipped until this revision. Whatever else is in the table was written by an operator.
SHIPPED = """
  ('builtin', 'kontor-demo', 'EUR', 150000000, 75000000, NULL, 600000000),
  ('openai', 'gpt-4.1-mini', 'USD', 400000000, 100000000, NULL, 1600000000),
  ('openai', 'gpt-5-mini', 'USD', 250000000, 25000000, NULL, 2000000000),
  ('anthropic', 'claude-haiku-4-5', 'USD', 1000000000, 100000000, 1250000000, 5000000000),
  ('mistral', 'mistral-small-latest', 'USD', 150000000, 15000000, NULL, 600000000)
"""


def upgrade() -> None:
    op.add_column("model_prices", sa.Column("source", sa.String(), server_default="shipped", nullable=False))
    op.execute(
        sa.text(
            f"""
            UPDATE model_prices p SET source = 'operator'
            WHERE p.valid_from <> '2026-01-01T00:00:00Z' OR NOT EXISTS (
              SELECT FROM (VALUES {SHIPPED}) AS s (provider, model, currency, input, cached, cache_write, output)
              WHERE (p.provider, p.model, p.currency, p.input_nano_per_million, p.output_nano_per_million)
                  = (s.provider, s.model, s.currency, s.input, s.output)
                AND p.cached_nano_per_million IS NOT DISTINCT FROM s.cached
                AND p.cache_write_nano_per_million IS NOT DISTINCT FROM s.cache_write)
            """  # noqa: S608 - our own text
        )
    )
