"""first tables

Revision ID: 20261121_first_tables
Revises: 
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '20261121_first_tables'
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('api_keys',
    sa.Column('id', sa.UUID(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('sha256', sa.LargeBinary(), nullable=False),
    sa.Column('scopes', postgresql.ARRAY(sa.Text()), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('revoked_at', sa.DateTime(timezone=True), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_api_keys')),
    sa.UniqueConstraint('name', name=op.f('uq_api_keys_name')),
    sa.UniqueConstraint('sha256', name=op.f('uq_api_keys_sha256'))
    )
    op.create_table('attempts',
    sa.Column('scheduled_job_id', sa.UUID(), nullable=False),
    sa.Column('due_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('number', sa.SmallInteger(), nullable=False),
    sa.Column('token', sa.UUID(), nullable=False),
    sa.Column('runner', sa.UUID(), nullable=True),
    sa.Column('started_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('ended_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
    sa.Column('duration_seconds', sa.Double(), nullable=True),
    sa.Column('outcome_code', sa.Text(), nullable=False),
    sa.Column('outcome_class', sa.Text(), nullable=False),
    sa.Column('message', sa.Text(), nullable=False),
    sa.Column('checks', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'::jsonb"), nullable=False),
    sa.Column('evidence', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'::jsonb"), nullable=False),
    sa.Column('session_id', sa.Text(), nullable=True),
    sa.Column('node', sa.Text(), nullable=True),
    sa.Column('browser_name', sa.Text(), nullable=True),
    sa.Column('browser_version', sa.Text(), nullable=True),
    sa.Column('final_url', sa.Text(), nullable=True),
    sa.Column('title', sa.Text(), nullable=True),
    sa.Column('console_errors', postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'::text[]"), nullable=False),
    sa.Column('traceback', sa.Text(), nullable=True),
    sa.PrimaryKeyConstraint('scheduled_job_id', 'due_at', 'number', name=op.f('pk_attempts')),
    postgresql_partition_by='RANGE (due_at)'
    )
    op.create_table('browsers',
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('icon', sa.Text(), nullable=False),
    sa.Column('capabilities', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('enabled', sa.Boolean(), server_default='true', nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.PrimaryKeyConstraint('name', name=op.f('pk_browsers'))
    )
    op.create_table('idempotency_keys',
    sa.Column('key', sa.Text(), nullable=False),
    sa.Column('request_sha256', sa.LargeBinary(), nullable=False),
    sa.Column('status', sa.Integer(), nullable=True),
    sa.Column('body', postgresql.JSONB(astext_type=sa.Text()), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.PrimaryKeyConstraint('key', name=op.f('pk_idempotency_keys'))
    )
    op.create_index(op.f('ix_idempotency_keys_created_at'), 'idempotency_keys', ['created_at'], unique=False)
    op.create_table('job_results',
    sa.Column('id', sa.UUID(), nullable=False),
    sa.Column('due_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('schedule_id', sa.UUID(), nullable=False),
    sa.Column('origin', sa.Text(), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('job_configuration_id', sa.UUID(), nullable=True),
    sa.Column('partner', sa.Text(), nullable=True),
    sa.Column('browser', sa.Text(), nullable=True),
    sa.Column('executed_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('duration_seconds', sa.Double(), nullable=True),
    sa.Column('outcome_code', sa.Text(), nullable=False),
    sa.Column('outcome_class', sa.Text(), nullable=False),
    sa.Column('message', sa.Text(), nullable=False),
    sa.Column('checks', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'::jsonb"), nullable=False),
    sa.Column('attempts', sa.SmallInteger(), server_default='0', nullable=False),
    sa.Column('token', sa.UUID(), nullable=True),
    sa.Column('recorded_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
    sa.PrimaryKeyConstraint('id', 'due_at', name=op.f('pk_job_results')),
    sa.UniqueConstraint('schedule_id', 'origin', 'due_at', name=op.f('uq_job_results_schedule_id_origin_due_at')),
    postgresql_partition_by='RANGE (due_at)'
    )
    op.create_index('ix_job_results_due_at_id', 'job_results', [sa.literal_column('due_at DESC'), sa.literal_column('id DESC')], unique=False)
    op.create_index('ix_job_results_job_configuration_id', 'job_results', ['job_configuration_id', sa.literal_column('due_at DESC')], unique=False)
    op.create_index('ix_job_results_partner_browser', 'job_results', ['partner', 'browser', sa.literal_column('due_at DESC')], unique=False)
    op.create_index('ix_job_results_recorded_at', 'job_results', ['recorded_at'], unique=False)
    op.create_table('orphan_sessions',
    sa.Column('session_id', sa.Text(), nullable=False),
    sa.Column('webdriver_url', sa.Text(), nullable=False),
    sa.Column('noted_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.PrimaryKeyConstraint('session_id', name=op.f('pk_orphan_sessions'))
    )
    op.create_table('partners',
    sa.Column('code', sa.Text(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('active', sa.Boolean(), server_default='true', nullable=False),
    sa.Column('inactive_reason', sa.Text(), nullable=True),
    sa.Column('entry_point', sa.Text(), nullable=False),
    sa.Column('sealed_credentials', sa.LargeBinary(), nullable=True),
    sa.Column('sealed_sso_credentials', sa.LargeBinary(), nullable=True),
    sa.Column('login', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False),
    sa.Column('sso', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False),
    sa.Column('product_page', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False),
    sa.Column('express_checkout', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False),
    sa.Column('wait_override_seconds', sa.Double(), nullable=True),
    sa.Column('tags', postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'::text[]"), nullable=False),
    sa.Column('notes', sa.Text(), server_default='', nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.PrimaryKeyConstraint('code', name=op.f('pk_partners'))
    )
    op.create_table('replicas',
    sa.Column('id', sa.UUID(), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('started_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('renewed_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('report', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_replicas'))
    )
    op.create_table('scheduled_jobs',
    sa.Column('id', sa.UUID(), nullable=False),
    sa.Column('schedule_id', sa.UUID(), nullable=False),
    sa.Column('origin', sa.Text(), nullable=False),
    sa.Column('due_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('shard', sa.SmallInteger(), nullable=False),
    sa.Column('lane', sa.Text(), nullable=False),
    sa.Column('priority', sa.SmallInteger(), nullable=False),
    sa.Column('overlap', sa.Text(), nullable=False),
    sa.Column('job_configuration_id', sa.UUID(), nullable=True),
    sa.Column('partner', sa.Text(), nullable=True),
    sa.Column('browser', sa.Text(), nullable=True),
    sa.Column('state', sa.Text(), server_default='planned', nullable=False),
    sa.Column('run_after', sa.DateTime(timezone=True), nullable=False),
    sa.Column('start_by', sa.DateTime(timezone=True), nullable=False),
    sa.Column('attempt', sa.SmallInteger(), server_default='0', nullable=False),
    sa.Column('publication', sa.SmallInteger(), server_default='0', nullable=False),
    sa.Column('partner_failures', sa.SmallInteger(), server_default='0', nullable=False),
    sa.Column('infrastructure_failures', sa.SmallInteger(), server_default='0', nullable=False),
    sa.Column('dispatched_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('started_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('token', sa.UUID(), nullable=True),
    sa.Column('lease_until', sa.DateTime(timezone=True), nullable=True),
    sa.Column('runner', sa.UUID(), nullable=True),
    sa.Column('browser_session', postgresql.JSONB(astext_type=sa.Text()), nullable=True),
    sa.Column('last_outcome', sa.Text(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_scheduled_jobs')),
    sa.UniqueConstraint('schedule_id', 'origin', 'due_at', name=op.f('uq_scheduled_jobs_schedule_id_origin_due_at')),
    postgresql_with={'fillfactor': '70', 'autovacuum_vacuum_scale_factor': '0.01', 'autovacuum_vacuum_threshold': '1000', 'autovacuum_vacuum_cost_delay': '0'}
    )
    op.create_index('ix_scheduled_jobs_dispatched', 'scheduled_jobs', ['dispatched_at'], unique=False, postgresql_where=sa.text("state = 'dispatched'"))
    op.create_index(op.f('ix_scheduled_jobs_job_configuration_id'), 'scheduled_jobs', ['job_configuration_id'], unique=False)
    op.create_index('ix_scheduled_jobs_planned', 'scheduled_jobs', ['shard', 'run_after'], unique=False, postgresql_where=sa.text("state = 'planned'"))
    op.create_index('ix_scheduled_jobs_running', 'scheduled_jobs', ['lease_until'], unique=False, postgresql_where=sa.text("state = 'running'"))
    op.create_table('check_states',
    sa.Column('partner', sa.Text(), nullable=False),
    sa.Column('browser', sa.Text(), nullable=False),
    sa.Column('check', sa.Text(), nullable=False),
    sa.Column('state', sa.Text(), nullable=False),
    sa.Column('since', sa.DateTime(timezone=True), nullable=True),
    sa.Column('judged_due_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('failures_in_a_row', sa.SmallInteger(), nullable=False),
    sa.Column('passes_in_a_row', sa.SmallInteger(), nullable=False),
    sa.Column('result_id', sa.UUID(), nullable=True),
    sa.Column('outcome_code', sa.Text(), nullable=True),
    sa.Column('message', sa.Text(), nullable=True),
    sa.Column('duration_seconds', sa.Double(), nullable=True),
    sa.ForeignKeyConstraint(['partner'], ['partners.code'], name=op.f('fk_check_states_partner'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('partner', 'browser', 'check', name=op.f('pk_check_states'))
    )
    op.create_table('job_configurations',
    sa.Column('id', sa.UUID(), nullable=False),
    sa.Column('partner', sa.Text(), nullable=False),
    sa.Column('browsers', postgresql.ARRAY(sa.Text()), nullable=False),
    sa.Column('checks', postgresql.ARRAY(sa.Text()), nullable=False),
    sa.Column('schedule', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
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
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.ForeignKeyConstraint(['partner'], ['partners.code'], name=op.f('fk_job_configurations_partner')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_job_configurations'))
    )
    op.create_index(op.f('ix_job_configurations_partner'), 'job_configurations', ['partner'], unique=False)
    op.create_table('schedules',
    sa.Column('id', sa.UUID(), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('shard', sa.SmallInteger(), nullable=False),
    sa.Column('next_due', sa.DateTime(timezone=True), nullable=False),
    sa.Column('interval_seconds', sa.Integer(), nullable=True),
    sa.Column('cron', sa.Text(), nullable=True),
    sa.Column('timezone', sa.Text(), nullable=False),
    sa.Column('jitter_seconds', sa.Integer(), nullable=False),
    sa.Column('overlap', sa.Text(), nullable=False),
    sa.Column('catch_up', sa.Text(), nullable=False),
    sa.Column('start_deadline_seconds', sa.Integer(), nullable=False),
    sa.Column('priority', sa.SmallInteger(), nullable=False),
    sa.Column('lane', sa.Text(), nullable=False),
    sa.Column('job_configuration_id', sa.UUID(), nullable=True),
    sa.Column('partner', sa.Text(), nullable=True),
    sa.Column('browser', sa.Text(), nullable=True),
    sa.CheckConstraint('(interval_seconds IS NULL) <> (cron IS NULL)', name=op.f('ck_schedules_one_timing')),
    sa.ForeignKeyConstraint(['job_configuration_id'], ['job_configurations.id'], name=op.f('fk_schedules_job_configuration_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_schedules')),
    postgresql_with={'fillfactor': '80'}
    )
    op.create_index('ix_schedules_shard_next_due', 'schedules', ['shard', 'next_due'], unique=False)
    op.create_index('uq_schedules_pairing', 'schedules', ['job_configuration_id', 'browser'], unique=True)
    # Whatever has no week of its own yet lands here; the scheduler makes the weeks ahead.
    op.execute("CREATE TABLE job_results_other PARTITION OF job_results DEFAULT")
    op.execute("CREATE TABLE attempts_other PARTITION OF attempts DEFAULT")


def downgrade() -> None:
    op.drop_index('uq_schedules_pairing', table_name='schedules')
    op.drop_index('ix_schedules_shard_next_due', table_name='schedules')
    op.drop_table('schedules')
    op.drop_index(op.f('ix_job_configurations_partner'), table_name='job_configurations')
    op.drop_table('job_configurations')
    op.drop_table('check_states')
    op.drop_index('ix_scheduled_jobs_running', table_name='scheduled_jobs', postgresql_where=sa.text("state = 'running'"))
    op.drop_index('ix_scheduled_jobs_planned', table_name='scheduled_jobs', postgresql_where=sa.text("state = 'planned'"))
    op.drop_index(op.f('ix_scheduled_jobs_job_configuration_id'), table_name='scheduled_jobs')
    op.drop_index('ix_scheduled_jobs_dispatched', table_name='scheduled_jobs', postgresql_where=sa.text("state = 'dispatched'"))
    op.drop_table('scheduled_jobs')
    op.drop_table('replicas')
    op.drop_table('partners')
    op.drop_table('orphan_sessions')
    op.drop_index('ix_job_results_recorded_at', table_name='job_results')
    op.drop_index('ix_job_results_partner_browser', table_name='job_results')
    op.drop_index('ix_job_results_job_configuration_id', table_name='job_results')
    op.drop_index('ix_job_results_due_at_id', table_name='job_results')
    op.drop_table('job_results')
    op.drop_index(op.f('ix_idempotency_keys_created_at'), table_name='idempotency_keys')
    op.drop_table('idempotency_keys')
    op.drop_table('browsers')
    op.drop_table('attempts')
    op.drop_table('api_keys')
