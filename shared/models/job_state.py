from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, SmallInteger, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.models.base import Base


class JobState(Base):
    """The state of one job, as `domain/state.py` folds it, with the result that last counted."""

    __tablename__ = "job_states"
    __table_args__ = (Index("ix_job_states_not_working", "state", postgresql_where=text("state <> 'working'")),)

    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    state: Mapped[str]
    since: Mapped[datetime | None]
    judged_due_at: Mapped[datetime | None]
    failures_in_a_row: Mapped[int] = mapped_column(SmallInteger)
    passes_in_a_row: Mapped[int] = mapped_column(SmallInteger)
    result_id: Mapped[UUID | None]
    outcome_code: Mapped[str | None]
    message: Mapped[str | None]
    duration_seconds: Mapped[float | None]


class DeadLetter(Base):
    """A due moment of a job that failed for good. `id` and `due_at` are its result's.

    Replayed, it keeps the last replay, and how that ended once it has; see `shared/ledger.py`.

    Without a foreign key, so that recording a result never waits for the job's row: readers join `jobs`.
    """

    __tablename__ = "dead_letters"
    __table_args__ = (
        Index("ix_dead_letters_died_at_id", text("died_at DESC"), text("id DESC")),
        Index("ix_dead_letters_job_id", "job_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    due_at: Mapped[datetime]
    job_id: Mapped[UUID]
    schedule_id: Mapped[UUID]
    outcome_code: Mapped[str]
    message: Mapped[str]
    attempts: Mapped[int] = mapped_column(SmallInteger)
    died_at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))
    replayed_at: Mapped[datetime | None]
    replayed_by: Mapped[str | None]
    replay_id: Mapped[UUID | None]
    replay_outcome_code: Mapped[str | None]
    replay_outcome_class: Mapped[str | None]
    replay_message: Mapped[str | None]
