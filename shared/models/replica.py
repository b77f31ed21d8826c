from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Mapped, mapped_column

from shared.models.base import Base


class Replica(Base):
    """A scheduler or runner process that renews its row. A fresh id per process start, never a host name.

    `report`, scheduler: {lateness_p99_ms, dispatched_per_second, agenda, not_run, ...}; runner: {slots, busy, lanes}.
    """

    __tablename__ = "replicas"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str]
    started_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    renewed_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    report: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))


class OrphanSession(Base):
    """A browser session whose runner was lost: the sweeper notes it, a runner ends it.

    `devtools` is the address of the browser's DevTools socket, by which a browser that hangs can be closed.
    """

    __tablename__ = "orphan_sessions"

    session_id: Mapped[str] = mapped_column(primary_key=True)
    webdriver_url: Mapped[str]
    devtools: Mapped[str | None]
    noted_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
