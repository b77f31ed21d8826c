from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.domain.retry import RetryBudget, RetryPolicy
from shared.models.base import Base


class JobConfiguration(Base):
    """For one partner: which browsers, which checks, how often, under which limits. `schedule` and `retry` as sent."""

    __tablename__ = "job_configurations"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    partner: Mapped[str] = mapped_column(ForeignKey("partners.code"), index=True)
    browsers: Mapped[list[str]]
    checks: Mapped[list[str]]
    schedule: Mapped[dict[str, Any]]
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
    step_screenshots: Mapped[str] = mapped_column(server_default="on_failure")
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    updated_at: Mapped[datetime] = mapped_column(server_default=text("now()"))

    def retry_policy(self) -> RetryPolicy:
        return retry_policy(self.retry)


def retry_policy(retry: dict[str, Any]) -> RetryPolicy:
    """The rule's form of the stored `retry` object."""
    return RetryPolicy(RetryBudget(**retry["partner"]), RetryBudget(**retry["infrastructure"]))
