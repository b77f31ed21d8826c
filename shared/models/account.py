from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, SmallInteger, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.models.base import Base


class Account(Base):
    """A user name at an entry host, by its keyed hash. Held by the attempt with `token` while that is running.

    `rejections` counts log-ins that were refused in a row; `stopped_at` is set when they were too many. `code_step` is
    the time step of the newest one-time code that was used.
    """

    __tablename__ = "accounts"

    fingerprint: Mapped[str] = mapped_column(primary_key=True)
    job: Mapped[UUID | None]
    token: Mapped[UUID | None]
    free_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    rejections: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    stopped_at: Mapped[datetime | None]
    code_step: Mapped[int | None] = mapped_column(BigInteger)


class AccountUse(Base):
    """That a check of a partner logs in at an account."""

    __tablename__ = "account_uses"

    fingerprint: Mapped[str] = mapped_column(ForeignKey("accounts.fingerprint", ondelete="CASCADE"), primary_key=True)
    partner: Mapped[str] = mapped_column(ForeignKey("partners.code", ondelete="CASCADE"), primary_key=True, index=True)
    check: Mapped[str] = mapped_column(primary_key=True)
