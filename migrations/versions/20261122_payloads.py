"""payloads keep the order in which they were sent

Revision ID: 20261122_payloads
Revises: 20261122_replays
"""

from alembic import op

revision = '20261122_payloads'
down_revision = '20261122_replays'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE jobs ALTER COLUMN payload DROP DEFAULT")
    op.execute("ALTER TABLE jobs ALTER COLUMN payload TYPE json USING payload::json")
    op.execute("ALTER TABLE jobs ALTER COLUMN payload SET DEFAULT '{}'::json")


def downgrade() -> None:
    op.execute("ALTER TABLE jobs ALTER COLUMN payload DROP DEFAULT")
    op.execute("ALTER TABLE jobs ALTER COLUMN payload TYPE jsonb USING payload::jsonb")
    op.execute("ALTER TABLE jobs ALTER COLUMN payload SET DEFAULT '{}'::jsonb")
