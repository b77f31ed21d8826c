"""how replays of dead letters ended

Revision ID: 20261122_replays
Revises: 20261121_accounts
"""

import sqlalchemy as sa
from alembic import op

revision = '20261122_replays'
down_revision = '20261121_accounts'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('dead_letters', sa.Column('replay_outcome_code', sa.Text(), nullable=True))
    op.add_column('dead_letters', sa.Column('replay_outcome_class', sa.Text(), nullable=True))
    op.add_column('dead_letters', sa.Column('replay_message', sa.Text(), nullable=True))
    # Those that ended before: a replay's result has its id.
    op.execute("""
        UPDATE dead_letters SET replay_outcome_code = ended.outcome_code, replay_outcome_class = ended.outcome_class,
            replay_message = ended.message
        FROM job_results ended WHERE ended.id = dead_letters.replay_id
    """)


def downgrade() -> None:
    op.drop_column('dead_letters', 'replay_message')
    op.drop_column('dead_letters', 'replay_outcome_class')
    op.drop_column('dead_letters', 'replay_outcome_code')
