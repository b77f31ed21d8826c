"""evidence of steps, and its retention

Revision ID: 20261121_evidence
Revises: 20261121_tries
"""

import sqlalchemy as sa
from alembic import op

revision = '20261121_evidence'
down_revision = '20261121_tries'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('job_configurations', sa.Column('step_screenshots', sa.Text(), server_default='on_failure', nullable=False))
    op.add_column('attempts', sa.Column('evidence_removed_at', sa.DateTime(timezone=True), nullable=True))
    op.create_index('ix_attempts_evidence_kept', 'attempts', ['due_at'], unique=False, postgresql_where=sa.text("evidence <> '[]'::jsonb AND evidence_removed_at IS NULL"))


def downgrade() -> None:
    op.drop_index('ix_attempts_evidence_kept', table_name='attempts', postgresql_where=sa.text("evidence <> '[]'::jsonb AND evidence_removed_at IS NULL"))
    op.drop_column('attempts', 'evidence_removed_at')
    op.drop_column('job_configurations', 'step_screenshots')
