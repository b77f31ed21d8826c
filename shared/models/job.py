from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index, SmallInteger, text
from sqlalchemy.dialects.postgresql import JSON
from sqlalchemy.orm import Mapped, mapped_column

from shared.models.base import Base


class Job(Base):
    """An HTTP callback on a schedule. Sealed columns hold encrypted secrets: {name: value} and {"secrets": [...]}.

    `schedule` is {cron, timezone} or {interval_seconds, interval_mode}; `retry` and `success` as sent. `payload` is
    any JSON.
    """

    __tablename__ = "jobs"
    __table_args__ = (Index("ix_jobs_created_at_id", "created_at", "id"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    description: Mapped[str] = mapped_column(server_default="")
    schedule: Mapped[dict[str, Any]]
    callback_url: Mapped[str]
    http_method: Mapped[str]
    # Not binary: that would sort the keys, and some targets compare or sign what they get.
    payload: Mapped[Any] = mapped_column(JSON(none_as_null=False), server_default=text("'{}'::json"))
    headers: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    sealed_headers: Mapped[bytes | None]
    sealed_signing_secrets: Mapped[bytes | None]
    success: Mapped[dict[str, Any]]
    max_redirects: Mapped[int] = mapped_column(SmallInteger)
    timeout_seconds: Mapped[float]
    slow_after_seconds: Mapped[float | None]
    enabled: Mapped[bool] = mapped_column(server_default="true")
    paused_reason: Mapped[str | None]
    paused_by: Mapped[str | None]
    paused_at: Mapped[datetime | None]
    paused_until: Mapped[datetime | None]
    retry: Mapped[dict[str, Any]]
    overlap: Mapped[str]
    catch_up: Mapped[str]
    start_deadline_seconds: Mapped[int]
    jitter_seconds: Mapped[int]
    failing_after: Mapped[int]
    working_after: Mapped[int]
    priority: Mapped[str]
    tags: Mapped[list[str]] = mapped_column(server_default=text("'{}'::text[]"))
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    updated_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
