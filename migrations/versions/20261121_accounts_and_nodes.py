"""accounts and nodes

Revision ID: 20261121_accounts
Revises: 20261121_evidence
"""

import sqlalchemy as sa
from alembic import op

revision = '20261121_accounts'
down_revision = '20261121_evidence'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('accounts',
    sa.Column('fingerprint', sa.Text(), nullable=False),
    sa.Column('job', sa.UUID(), nullable=True),
    sa.Column('token', sa.UUID(), nullable=True),
    sa.Column('free_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('rejections', sa.SmallInteger(), server_default='0', nullable=False),
    sa.Column('stopped_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('code_step', sa.BigInteger(), nullable=True),
    sa.PrimaryKeyConstraint('fingerprint', name=op.f('pk_accounts'))
    )
    op.create_table('account_uses',
    sa.Column('fingerprint', sa.Text(), nullable=False),
    sa.Column('partner', sa.Text(), nullable=False),
    sa.Column('check', sa.Text(), nullable=False),
    sa.ForeignKeyConstraint(['fingerprint'], ['accounts.fingerprint'], name=op.f('fk_account_uses_fingerprint'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['partner'], ['partners.code'], name=op.f('fk_account_uses_partner'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('fingerprint', 'partner', 'check', name=op.f('pk_account_uses'))
    )
    op.create_index(op.f('ix_account_uses_partner'), 'account_uses', ['partner'], unique=False)
    op.create_table('grid_nodes',
    sa.Column('node', sa.Text(), nullable=False),
    sa.Column('failures_in_a_row', sa.SmallInteger(), nullable=False),
    sa.Column('outcome_code', sa.Text(), nullable=False),
    sa.Column('failed_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('avoided_until', sa.DateTime(timezone=True), nullable=True),
    sa.PrimaryKeyConstraint('node', name=op.f('pk_grid_nodes'))
    )
    op.add_column('orphan_sessions', sa.Column('devtools', sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column('orphan_sessions', 'devtools')
    op.drop_table('grid_nodes')
    op.drop_index(op.f('ix_account_uses_partner'), table_name='account_uses')
    op.drop_table('account_uses')
    op.drop_table('accounts')
