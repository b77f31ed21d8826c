from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, SmallInteger, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.domain.schedule import NEVER, Timing
from shared.models.base import Base


class Schedule(Base):
    """The line of due moments of one pairing or job, and all that the planner reads. Paused: `next_due` is infinity.

    With `fixed_delay` the interval counts from the end of the run before.
    """

    __tablename__ = "schedules"
    __table_args__ = (
        Index("ix_schedules_shard_next_due", "shard", "next_due"),
        Index("uq_schedules_pairing", "job_configuration_id", "browser", unique=True),
        Index("uq_schedules_job_id", "job_id", unique=True, postgresql_where=text("job_id IS NOT NULL")),
        CheckConstraint("(interval_seconds IS NULL) <> (cron IS NULL)", name="one_timing"),
        # Every planned moment updates next_due, which is indexed: leave room on the page.
        {"postgresql_with": {"fillfactor": "80"}},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str]
    shard: Mapped[int] = mapped_column(SmallInteger)
    next_due: Mapped[datetime]
    interval_seconds: Mapped[int | None]
    fixed_delay: Mapped[bool] = mapped_column(server_default="false")
    cron: Mapped[str | None]
    timezone: Mapped[str]
    jitter_seconds: Mapped[int]
    overlap: Mapped[str]
    catch_up: Mapped[str]
    start_deadline_seconds: Mapped[int]
    priority: Mapped[int] = mapped_column(SmallInteger)
    lane: Mapped[str]
    job_configuration_id: Mapped[UUID | None] = mapped_column(ForeignKey("job_configurations.id"))
    partner: Mapped[str | None]
    browser: Mapped[str | None]
    job_id: Mapped[UUID | None] = mapped_column(ForeignKey("jobs.id"))

    @property
    def never_due(self) -> bool:
        """Paused. The driver returns `infinity` without a zone, which equals no aware moment and compares with none."""
        return self.next_due.replace(tzinfo=UTC) == NEVER

    def timing(self) -> Timing:
        return Timing(self.id, self.interval_seconds, self.cron, self.timezone, self.jitter_seconds, self.fixed_delay)
