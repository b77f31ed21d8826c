from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, SmallInteger, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.models.base import Base


class CheckTry(Base):
    """One check that somebody wanted to see, as it was to be done; the id is its scheduled job's. Not kept for long.

    `flow` is the object that was sent. With `own_flow`, that one counts, null meaning the automatic way; without, the
    partner's. `report`, once it has ended: {attempt, started_at, duration_seconds, checks, final_url, title, ...}.
    """

    __tablename__ = "tries"
    __table_args__ = (Index("ix_tries_created_at", "created_at"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    partner: Mapped[str]
    browser: Mapped[str]
    check: Mapped[str]
    own_flow: Mapped[bool]
    flow: Mapped[dict[str, Any] | None]
    timeout_seconds: Mapped[float]
    created_by: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    ended_at: Mapped[datetime | None]
    outcome_code: Mapped[str | None]
    outcome_class: Mapped[str | None]
    message: Mapped[str | None]
    token: Mapped[UUID | None]
    report: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))


class TryEvidence(Base):
    """A file that a try left. In the database, so that it goes when its try goes."""

    __tablename__ = "try_evidence"

    try_id: Mapped[UUID] = mapped_column(ForeignKey("tries.id", ondelete="CASCADE"), primary_key=True)
    attempt: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    content_type: Mapped[str]
    content: Mapped[bytes]
