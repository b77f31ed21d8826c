from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Mapped, mapped_column

from shared.models.base import Base


class Partner(Base):
    """A company whose site we check. `code` never changes. Sealed columns hold encrypted credentials."""

    __tablename__ = "partners"

    code: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    active: Mapped[bool] = mapped_column(server_default="true")
    inactive_reason: Mapped[str | None]
    entry_point: Mapped[str]
    sealed_credentials: Mapped[bytes | None]
    sealed_sso_credentials: Mapped[bytes | None]
    login: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    sso: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    product_page: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    express_checkout: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    wait_override_seconds: Mapped[float | None]
    tags: Mapped[list[str]] = mapped_column(server_default=text("'{}'::text[]"))
    notes: Mapped[str] = mapped_column(server_default="")
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    updated_at: Mapped[datetime] = mapped_column(server_default=text("now()"))

    def checks_missing(self) -> set[str]:
        return checks_missing(self.sso, self.product_page, self.express_checkout)


def checks_missing(sso: dict[str, Any], product_page: dict[str, Any], express_checkout: dict[str, Any]) -> set[str]:
    """The checks that a partner with these parts does not have: switched off, or nothing said of them."""
    has = {"sso": sso.get("enabled"), "product_page": product_page, "express_checkout": express_checkout.get("enabled")}
    return {check for check, wanted in has.items() if not wanted}
