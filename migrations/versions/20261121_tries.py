"""tries of checks, kept apart from results

Revision ID: 20261121_tries
Revises: 20261121_jobs
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '20261121_tries'
down_revision = '20261121_jobs'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('tries',
    sa.Column('id', sa.UUID(), nullable=False),
    sa.Column('partner', sa.Text(), nullable=False),
    sa.Column('browser', sa.Text(), nullable=False),
    sa.Column('check', sa.Text(), nullable=False),
    sa.Column('own_flow', sa.Boolean(), nullable=False),
    sa.Column('flow', postgresql.JSONB(astext_type=sa.Text()), nullable=True),
    sa.Column('timeout_seconds', sa.Double(), nullable=False),
    sa.Column('created_by', sa.Text(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('outcome_code', sa.Text(), nullable=True),
    sa.Column('outcome_class', sa.Text(), nullable=True),
    sa.Column('message', sa.Text(), nullable=True),
    sa.Column('token', sa.UUID(), nullable=True),
    sa.Column('report', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_tries'))
    )
    op.create_index('ix_tries_created_at', 'tries', ['created_at'], unique=False)
    op.create_table('try_evidence',
    sa.Column('try_id', sa.UUID(), nullable=False),
    sa.Column('attempt', sa.SmallInteger(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('content_type', sa.Text(), nullable=False),
    sa.Column('content', sa.LargeBinary(), nullable=False),
    sa.ForeignKeyConstraint(['try_id'], ['tries.id'], name=op.f('fk_try_evidence_try_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('try_id', 'attempt', 'name', name=op.f('pk_try_evidence'))
    )


def downgrade() -> None:
    op.drop_table('try_evidence')
    op.drop_index('ix_tries_created_at', table_name='tries')
    op.drop_table('tries')
