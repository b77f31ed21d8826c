"""Flows of a partner must not hold its credentials: there are placeholders for them."""

from collections.abc import Iterable
from typing import Any

from services.api.errors import FieldProblem, InvalidRequest
from services.api.partners.schemas import PartnerSent
from shared.domain.flow import Flow
from shared.domain.flow_rules import constants_that_are_secret
from shared.secret_box import SecretBox, SecretUnreadable


def flows_of(sent: PartnerSent) -> dict[str, Flow]:
    """Each flow by the name of its field."""
    parts = {
        "login": sent.login,
        "sso": sent.sso,
        "product_page": sent.product_page,
        "express_checkout": sent.express_checkout,
    }
    return {f"{name}.flow": part.flow for name, part in parts.items() if part is not None and part.flow is not None}


def require_no_credentials(flows: dict[str, Flow], stored: Iterable[dict[str, Any] | None]) -> None:
    """`stored`: log-ins in the clear. Raises `InvalidRequest` naming each text that holds one of them."""
    log_ins = [
        {"username": each.get("username"), "password": each.get("password"), "totp": each.get("totp_secret")}
        for each in stored
        if each
    ]
    found = {
        (f"{field}.{inside}", hint)
        for field, flow in flows.items()
        for log_in in log_ins
        for inside, hint in constants_that_are_secret(flow, log_in)
    }
    if found:
        raise InvalidRequest(*(FieldProblem(field=field, message=hint) for field, hint in sorted(found)))


def opened(sealed: bytes | None, box: SecretBox) -> dict[str, Any]:
    """A stored log-in in the clear; nothing when there is none, or when no configured key opens it."""
    try:
        return box.open(sealed) if sealed else {}
    except SecretUnreadable:
        return {}
