"""jobs and dead letters

Revision ID: 20261121_jobs
Revises: 20261121_first_tables
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '20261121_jobs'
down_revision = '20261121_first_tables'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('dead_letters',
    sa.Column('id', sa.UUID(), nullable=False),
    sa.Column('due_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('job_id', sa.UUID(), nullable=False),
    sa.Column('schedule_id', sa.UUID(), nullable=False),
    sa.Column('outcome_code', sa.Text(), nullable=False),
    sa.Column('message', sa.Text(), nullable=False),
    sa.Column('attempts', sa.SmallInteger(), nullable=False),
    sa.Column('died_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
    sa.Column('replayed_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('replayed_by', sa.Text(), nullable=True),
    sa.Column('replay_id', sa.UUID(), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_dead_letters'))
    )
    op.create_index('ix_dead_letters_died_at_id', 'dead_letters', [sa.literal_column('died_at DESC'), sa.literal_column('id DESC')], unique=False)
    op.create_index('ix_dead_letters_job_id', 'dead_letters', ['job_id'], unique=False)
    op.create_table('jobs',
    sa.Column('id', sa.UUID(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('description', sa.Text(), server_default='', nullable=False),
    sa.Column('schedule', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('callback_url', sa.Text(), nullable=False),
    sa.Column('http_method', sa.Text(), nullable=False),
    sa.Column('payload', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False),
    sa.Column('headers', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False),
    sa.Column('sealed_headers', sa.LargeBinary(), nullable=True),
    sa.Column('sealed_signing_secrets', sa.LargeBinary(), nullable=True),
    sa.Column('success', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('max_redirects', sa.SmallInteger(), nullable=False),
    sa.Column('timeout_seconds', sa.Double(), nullable=False),
    sa.Column('slow_after_seconds', sa.Double(), nullable=True),
    sa.Column('enabled', sa.Boolean(), server_default='true', nullable=False),
    sa.Column('paused_reason', sa.Text(), nullable=True),
    sa.Column('paused_by', sa.Text(), nullable=True),
    sa.Column('paused_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('paused_until', sa.DateTime(timezone=True), nullable=True),
    sa.Column('retry', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('overlap', sa.Text(), nullable=False),
    sa.Column('catch_up', sa.Text(), nullable=False),
    sa.Column('start_deadline_seconds', sa.Integer(), nullable=False),
    sa.Column('jitter_seconds', sa.Integer(), nullable=False),
    sa.Column('failing_after', sa.Integer(), nullable=False),
    sa.Column('working_after', sa.Integer(), nullable=False),
    sa.Column('priority', sa.Text(), nullable=False),
    sa.Column('tags', postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'::text[]"), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_jobs'))
    )
    op.create_index('ix_jobs_created_at_id', 'jobs', ['created_at', 'id'], unique=False)
    op.create_table('job_states',
    sa.Column('job_id', sa.UUID(), nullable=False),
    sa.Column('state', sa.Text(), nullable=False),
    sa.Column('since', sa.DateTime(timezone=True), nullable=True),
    sa.Column('judged_due_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('failures_in_a_row', sa.SmallInteger(), nullable=False),
    sa.Column('passes_in_a_row', sa.SmallInteger(), nullable=False),
    sa.Column('result_id', sa.UUID(), nullable=True),
    sa.Column('outcome_code', sa.Text(), nullable=True),
    sa.Column('message', sa.Text(), nullable=True),
    sa.Column('duration_seconds', sa.Double(), nullable=True),
    sa.ForeignKeyConstraint(['job_id'], ['jobs.id'], name=op.f('fk_job_states_job_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('job_id', name=op.f('pk_job_states'))
    )
    op.create_index('ix_job_states_not_working', 'job_states', ['state'], unique=False, postgresql_where=sa.text("state <> 'working'"))
    op.add_column('attempts', sa.Column('response', postgresql.JSONB(astext_type=sa.Text()), nullable=True))
    op.add_column('job_results', sa.Column('job_id', sa.UUID(), nullable=True))
    op.add_column('job_results', sa.Column('replay_of', sa.UUID(), nullable=True))
    op.create_index('ix_job_results_job_id', 'job_results', ['job_id', sa.literal_column('due_at DESC')], unique=False, postgresql_where=sa.text('job_id IS NOT NULL'))
    # The columns that a callback's result leaves empty cost its insert nothing.
    op.drop_index('ix_job_results_partner_browser', table_name='job_results')
    op.create_index('ix_job_results_partner_browser', 'job_results', ['partner', 'browser', sa.literal_column('due_at DESC')], unique=False, postgresql_where=sa.text('partner IS NOT NULL'))
    op.drop_index('ix_job_results_job_configuration_id', table_name='job_results')
    op.create_index('ix_job_results_job_configuration_id', 'job_results', ['job_configuration_id', sa.literal_column('due_at DESC')], unique=False, postgresql_where=sa.text('job_configuration_id IS NOT NULL'))
    op.add_column('scheduled_jobs', sa.Column('job_id', sa.UUID(), nullable=True))
    op.add_column('scheduled_jobs', sa.Column('replay_of', sa.UUID(), nullable=True))
    op.add_column('scheduled_jobs', sa.Column('replay_due_at', sa.DateTime(timezone=True), nullable=True))
    op.drop_index(op.f('ix_scheduled_jobs_planned'), table_name='scheduled_jobs', postgresql_where="(state = 'planned'::text)")
    op.create_index('ix_scheduled_jobs_planned', 'scheduled_jobs', ['shard', 'priority', 'run_after'], unique=False, postgresql_where=sa.text("state = 'planned'"))
    op.add_column('schedules', sa.Column('fixed_delay', sa.Boolean(), server_default='false', nullable=False))
    op.add_column('schedules', sa.Column('job_id', sa.UUID(), nullable=True))
    op.create_index('uq_schedules_job_id', 'schedules', ['job_id'], unique=True, postgresql_where=sa.text('job_id IS NOT NULL'))
    op.create_foreign_key(op.f('fk_schedules_job_id'), 'schedules', 'jobs', ['job_id'], ['id'])


def downgrade() -> None:
    op.drop_constraint(op.f('fk_schedules_job_id'), 'schedules', type_='foreignkey')
    op.drop_index('uq_schedules_job_id', table_name='schedules', postgresql_where=sa.text('job_id IS NOT NULL'))
    op.drop_column('schedules', 'job_id')
    op.drop_column('schedules', 'fixed_delay')
    op.drop_index('ix_scheduled_jobs_planned', table_name='scheduled_jobs', postgresql_where=sa.text("state = 'planned'"))
    op.create_index(op.f('ix_scheduled_jobs_planned'), 'scheduled_jobs', ['shard', 'run_after'], unique=False, postgresql_where="(state = 'planned'::text)")
    op.drop_column('scheduled_jobs', 'replay_due_at')
    op.drop_column('scheduled_jobs', 'replay_of')
    op.drop_column('scheduled_jobs', 'job_id')
    op.drop_index('ix_job_results_job_configuration_id', table_name='job_results')
    op.create_index('ix_job_results_job_configuration_id', 'job_results', ['job_configuration_id', sa.literal_column('due_at DESC')], unique=False)
    op.drop_index('ix_job_results_partner_browser', table_name='job_results')
    op.create_index('ix_job_results_partner_browser', 'job_results', ['partner', 'browser', sa.literal_column('due_at DESC')], unique=False)
    op.drop_index('ix_job_results_job_id', table_name='job_results', postgresql_where=sa.text('job_id IS NOT NULL'))
    op.drop_column('job_results', 'replay_of')
    op.drop_column('job_results', 'job_id')
    op.drop_column('attempts', 'response')
    op.drop_index('ix_job_states_not_working', table_name='job_states', postgresql_where=sa.text("state <> 'working'"))
    op.drop_table('job_states')
    op.drop_index('ix_jobs_created_at_id', table_name='jobs')
    op.drop_table('jobs')
    op.drop_index('ix_dead_letters_job_id', table_name='dead_letters')
    op.drop_index('ix_dead_letters_died_at_id', table_name='dead_letters')
    op.drop_table('dead_letters')
