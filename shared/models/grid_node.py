from datetime import datetime

from sqlalchemy import SmallInteger
from sqlalchemy.orm import Mapped, mapped_column

from shared.models.base import Base


class GridNode(Base):
    """A node of the Grid, by its address, whose newest attempt failed on our side; all runners know it from here.

    Its first attempt that ends otherwise removes the row. It is avoided until `avoided_until`.
    """

    __tablename__ = "grid_nodes"

    node: Mapped[str] = mapped_column(primary_key=True)
    failures_in_a_row: Mapped[int] = mapped_column(SmallInteger)
    outcome_code: Mapped[str]
    failed_at: Mapped[datetime]
    avoided_until: Mapped[datetime | None]
