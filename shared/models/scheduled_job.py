from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index, SmallInteger, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.models.base import Base


class ScheduledJob(Base):
    """One due moment that has not ended yet. Ended, its row is gone from here and stands in `job_results`.

    `attempt` counts attempts that were claimed; `publication` counts how often the sweeper had it published again,
    and in hundreds how often it was given back to wait.
    A replay sends again what failed as `replay_of`, due at `replay_due_at`.
    `shard` and `lane` are copied from the schedule, so that the hot queries touch this table alone.
    """

    __tablename__ = "scheduled_jobs"
    __table_args__ = (
        UniqueConstraint("schedule_id", "origin", "due_at"),
        # By priority before time, so that a backlog of one priority never hides the rows of another.
        Index(
            "ix_scheduled_jobs_planned", "shard", "priority", "run_after", postgresql_where=text("state = 'planned'")
        ),
        Index("ix_scheduled_jobs_dispatched", "dispatched_at", postgresql_where=text("state = 'dispatched'")),
        Index("ix_scheduled_jobs_running", "lease_until", postgresql_where=text("state = 'running'")),
        {
            "postgresql_with": {
                "fillfactor": "70",
                "autovacuum_vacuum_scale_factor": "0.01",
                "autovacuum_vacuum_threshold": "1000",
                "autovacuum_vacuum_cost_delay": "0",
            }
        },
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    schedule_id: Mapped[UUID]
    origin: Mapped[str]
    due_at: Mapped[datetime]
    kind: Mapped[str]
    shard: Mapped[int] = mapped_column(SmallInteger)
    lane: Mapped[str]
    priority: Mapped[int] = mapped_column(SmallInteger)
    overlap: Mapped[str]
    job_configuration_id: Mapped[UUID | None] = mapped_column(index=True)
    partner: Mapped[str | None]
    browser: Mapped[str | None]
    job_id: Mapped[UUID | None]
    replay_of: Mapped[UUID | None]
    replay_due_at: Mapped[datetime | None]
    state: Mapped[str] = mapped_column(server_default="planned")
    run_after: Mapped[datetime]
    start_by: Mapped[datetime]
    attempt: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    publication: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    partner_failures: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    infrastructure_failures: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    dispatched_at: Mapped[datetime | None]
    started_at: Mapped[datetime | None]
    token: Mapped[UUID | None]
    lease_until: Mapped[datetime | None]
    runner: Mapped[UUID | None]
    browser_session: Mapped[dict[str, Any] | None]
    last_outcome: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
