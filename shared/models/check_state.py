from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, SmallInteger
from sqlalchemy.orm import Mapped, mapped_column

from shared.domain.state import CheckState as CheckStateValue
from shared.domain.state import State
from shared.models.base import Base


class CheckState(Base):
    """The state of one partner x browser x check, as `domain/state.py` folds it, with the result that last counted."""

    __tablename__ = "check_states"

    partner: Mapped[str] = mapped_column(ForeignKey("partners.code", ondelete="CASCADE"), primary_key=True)
    browser: Mapped[str] = mapped_column(primary_key=True)
    check: Mapped[str] = mapped_column(primary_key=True)
    state: Mapped[str]
    since: Mapped[datetime | None]
    judged_due_at: Mapped[datetime | None]
    failures_in_a_row: Mapped[int] = mapped_column(SmallInteger)
    passes_in_a_row: Mapped[int] = mapped_column(SmallInteger)
    result_id: Mapped[UUID | None]
    outcome_code: Mapped[str | None]
    message: Mapped[str | None]
    duration_seconds: Mapped[float | None]

    def value(self) -> CheckStateValue:
        return CheckStateValue(
            State(self.state), self.since, self.judged_due_at, self.failures_in_a_row, self.passes_in_a_row
        )
