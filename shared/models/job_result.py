from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index, SmallInteger, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.models.base import Base


class JobResult(Base):
    """How one due moment ended. The same id and identity as its scheduled job; partitioned by `due_at`, a week each."""

    __tablename__ = "job_results"
    __table_args__ = (
        UniqueConstraint("schedule_id", "origin", "due_at"),
        Index("ix_job_results_due_at_id", text("due_at DESC"), text("id DESC")),
        Index(
            "ix_job_results_partner_browser",
            "partner",
            "browser",
            text("due_at DESC"),
            postgresql_where=text("partner IS NOT NULL"),
        ),
        Index(
            "ix_job_results_job_configuration_id",
            "job_configuration_id",
            text("due_at DESC"),
            postgresql_where=text("job_configuration_id IS NOT NULL"),
        ),
        Index("ix_job_results_job_id", "job_id", text("due_at DESC"), postgresql_where=text("job_id IS NOT NULL")),
        Index("ix_job_results_recorded_at", "recorded_at"),
        {"postgresql_partition_by": "RANGE (due_at)"},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    due_at: Mapped[datetime] = mapped_column(primary_key=True)
    schedule_id: Mapped[UUID]
    origin: Mapped[str]
    kind: Mapped[str]
    job_configuration_id: Mapped[UUID | None]
    partner: Mapped[str | None]
    browser: Mapped[str | None]
    job_id: Mapped[UUID | None]
    replay_of: Mapped[UUID | None]
    executed_at: Mapped[datetime | None]
    duration_seconds: Mapped[float | None]
    outcome_code: Mapped[str]
    outcome_class: Mapped[str]
    message: Mapped[str]
    checks: Mapped[list[dict[str, Any]]] = mapped_column(server_default=text("'[]'::jsonb"))
    attempts: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    token: Mapped[UUID | None]
    recorded_at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))


class Attempt(Base):
    """One try of a scheduled job. Append-only, but for retention; partitioned like `job_results`.

    `checks`: [{check, code, class, success, message, duration_seconds, steps: [{name, offset_seconds, evidence, ...}]}]
    `evidence`: [{name, content_type, bytes}]; its files are gone since `evidence_removed_at`, if that is set
    `response`, of a callback: {status, headers, body, truncated, bytes, url, ...}, capped and without secrets
    """

    __tablename__ = "attempts"
    __table_args__ = (
        # What retention has to look at, and nothing else.
        Index(
            "ix_attempts_evidence_kept",
            "due_at",
            postgresql_where=text("evidence <> '[]'::jsonb AND evidence_removed_at IS NULL"),
        ),
        {"postgresql_partition_by": "RANGE (due_at)"},
    )

    scheduled_job_id: Mapped[UUID] = mapped_column(primary_key=True)
    due_at: Mapped[datetime] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    token: Mapped[UUID]
    runner: Mapped[UUID | None]
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))
    duration_seconds: Mapped[float | None]
    outcome_code: Mapped[str]
    outcome_class: Mapped[str]
    message: Mapped[str]
    checks: Mapped[list[dict[str, Any]]] = mapped_column(server_default=text("'[]'::jsonb"))
    evidence: Mapped[list[dict[str, Any]]] = mapped_column(server_default=text("'[]'::jsonb"))
    evidence_removed_at: Mapped[datetime | None]
    session_id: Mapped[str | None]
    node: Mapped[str | None]
    browser_name: Mapped[str | None]
    browser_version: Mapped[str | None]
    final_url: Mapped[str | None]
    title: Mapped[str | None]
    console_errors: Mapped[list[str]] = mapped_column(server_default=text("'{}'::text[]"))
    traceback: Mapped[str | None]
    response: Mapped[dict[str, Any] | None]
