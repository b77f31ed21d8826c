"""The demo partners as they are sent to Parakeet's API."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from examples.shop.app import PASSWORD, SLOW_SECONDS, TOTP_SECRET, USERNAME

# Reserved by IANA, so nobody listens there; unlike port 1, browsers do not refuse to try it.
_CLOSED_PORT = 1023


def demo_partners(base_url: str) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """One (partner, job configuration) per demo partner: the bodies of POST /partners and POST /job-configurations."""
    base = base_url.rstrip("/")
    closed = f"http://{urlsplit(base).hostname}:{_CLOSED_PORT}"
    return [
        (
            _partner("acme", "Acme (works)", f"{base}/acme/login"),
            _job_configuration("acme"),
        ),
        (
            _partner("globex", "Globex (name first)", f"{base}/globex/login"),
            _job_configuration("globex"),
        ),
        (
            _partner("initech", "Initech (wrong password)", f"{base}/initech/login", password="last-years-password"),
            _job_configuration("initech"),
        ),
        (
            _partner("cyberdyne", "Cyberdyne (one-time code)", f"{base}/cyberdyne/login", totp_secret=TOTP_SECRET),
            _job_configuration("cyberdyne"),
        ),
        (
            _partner("tyrell", "Tyrell (SSO)", f"{base}/tyrell/login", sso=f"{base}/tyrell/sso"),
            _job_configuration("tyrell", checks=["login", "sso"]),
        ),
        (
            _partner("slowpoke", "Slowpoke (slow)", f"{base}/slow/login"),
            _job_configuration("slowpoke", slow_after_seconds=SLOW_SECONDS - 1),
        ),
        (
            _partner("hooli", "Hooli (server error)", f"{base}/hooli/login"),
            _job_configuration("hooli"),
        ),
        (
            _partner("umbrella", "Umbrella (no form)", f"{base}/umbrella/login"),
            _job_configuration("umbrella"),
        ),
        (
            _partner("vandelay", "Vandelay (site is down)", f"{closed}/login"),
            _job_configuration("vandelay"),
        ),
    ]


def _partner(
    code: str,
    name: str,
    entry_point: str,
    password: str = PASSWORD,
    totp_secret: str | None = None,
    sso: str | None = None,
) -> dict[str, Any]:
    return {
        "code": code,
        "name": name,
        "entry_point": entry_point,
        "credentials": {"username": f"{USERNAME}-{code}", "password": password, "totp_secret": totp_secret},
        "sso": {"enabled": sso is not None, "entry_point": sso},
        "tags": ["demo"],
    }


def _job_configuration(
    partner: str, slow_after_seconds: float = 15.0, checks: Sequence[str] = ("login",)
) -> dict[str, Any]:
    return {
        "partner": partner,
        "browsers": ["chromium"],
        "checks": list(checks),
        "schedule": {"interval_seconds": 60},
        "timeout_seconds": 30,
        "slow_after_seconds": slow_after_seconds,
    }
