"""From what a claimed pairing is to check to what a browser is to do."""

from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

from services.runner.browser.attempt import BrowserTask, CheckTask, Credentials, Marker
from services.runner.claim import Claimed
from services.runner.definition import CheckDefinition
from shared.domain.account import LOGGING_IN
from shared.domain.flow import Flow, LogInStep
from shared.secret_box import SecretBox

PATIENCE_SECONDS = 10.0


def task_of(claimed: Claimed, box: SecretBox, spend_code: Callable[[bytes, int], bool]) -> BrowserTask:
    """Raises `SecretUnreadable`."""
    definition = claimed.definition
    assert isinstance(definition, CheckDefinition)
    login = CheckTask(
        "login",
        definition.entry_point,
        _credentials(definition.sealed_credentials, box),
        signed_in_marker=_marker(definition.login),
        flow=_flow(definition.login),
    )
    return BrowserTask(
        scheduled_job_id=str(claimed.id),
        attempt=claimed.attempt,
        partner=definition.partner,
        checks=tuple(_check(check, definition, login, box) for check in definition.checks),
        browser=definition.browser,
        capabilities=definition.capabilities,
        timeout_seconds=definition.timeout_seconds,
        slow_after_seconds=definition.slow_after_seconds,
        spend_code=spend_code,
        patience_seconds=definition.wait_override_seconds or PATIENCE_SECONDS,
        step_screenshots=definition.step_screenshots,
    )


def _check(check: str, definition: CheckDefinition, login: CheckTask, box: SecretBox) -> CheckTask:
    match check:
        case "sso":
            own = _credentials(definition.sealed_sso_credentials, box)
            url = definition.sso.get("entry_point") or login.url
            return CheckTask(
                "sso",
                url,
                own or login.credentials,
                flow=_flow(definition.sso),
                signed_in_marker=_marker(definition.sso),
            )
        case "product_page":
            page = definition.product_page
            return CheckTask(
                "product_page", page["url"], login.credentials, page.get("expect_text"), login, _flow(page)
            )
        case "express_checkout":
            checkout = definition.express_checkout
            begins_at = checkout.get("entry_point") or definition.product_page.get("url") or login.url
            return CheckTask(
                "express_checkout", begins_at, login.credentials, checkout.get("expect_text"), login, _flow(checkout)
            )
        case _:
            return login


def _flow(part: dict[str, Any]) -> Flow | None:
    return Flow.model_validate(part["flow"]) if part.get("flow") else None


def _marker(part: dict[str, Any]) -> Marker | None:
    given = part.get("signed_in_marker")
    return Marker(given.get("text"), given.get("css")) if given else None


def _credentials(sealed: bytes | None, box: SecretBox) -> Credentials | None:
    if sealed is None:
        return None
    opened = box.open(sealed)
    return Credentials(opened.get("username") or "", opened.get("password") or "", opened.get("totp_secret") or None)


def accounts_of(checks: Sequence[CheckTask], box: SecretBox) -> dict[str, tuple[str, ...]]:
    """The accounts that these checks log in at, by fingerprint (user name at entry host), with the checks' names."""
    found: dict[str, list[str]] = {}
    for check in checks:
        login = check.log_in_first or check
        if not _logs_in(check) or login.credentials is None:
            continue
        host = urlsplit(login.url).netloc.rpartition("@")[2].lower()
        account = box.fingerprint("account", host, login.credentials.username.strip().lower())
        found.setdefault(account, []).append(check.check)
    return {account: tuple(names) for account, names in found.items()}


def _logs_in(check: CheckTask) -> bool:
    if check.flow is None:
        return check.check in LOGGING_IN
    return bool(check.flow.values()) or any(isinstance(step, LogInStep) for step in check.flow.steps)
