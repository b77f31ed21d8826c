from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Mapped, mapped_column

from shared.models.base import Base


class Browser(Base):
    """A browser that the infrastructure offers; `capabilities` is what WebDriver is asked for."""

    __tablename__ = "browsers"

    name: Mapped[str] = mapped_column(primary_key=True)
    icon: Mapped[str]
    capabilities: Mapped[dict[str, Any]]
    enabled: Mapped[bool] = mapped_column(server_default="true")
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    updated_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
