"""What a scheduled job is to do, as its definition says at the moment of the claim."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row

from shared.domain.callback import CallbackRetry, callback_retry_at
from shared.domain.outcome import Outcome, OutcomeClass
from shared.domain.retry import OUR_CALLBACK_FAILURES, RetryBudget, RetryPolicy, retry_at
from shared.models.job_configuration import retry_policy
from shared.models.partner import checks_missing


@dataclass(frozen=True, slots=True)
class CheckDefinition:
    """The checks of one pairing, those that its partner has; `login` and the like as the partner was sent.

    Durations in seconds.
    """

    partner: str
    browser: str
    entry_point: str
    checks: tuple[str, ...]
    login: dict[str, Any]
    sso: dict[str, Any]
    product_page: dict[str, Any]
    express_checkout: dict[str, Any]
    capabilities: dict[str, Any]
    sealed_credentials: bytes | None = field(repr=False)
    sealed_sso_credentials: bytes | None = field(repr=False)
    timeout_seconds: float
    slow_after_seconds: float | None
    wait_override_seconds: float | None
    failing_after: int
    working_after: int
    retry: RetryPolicy
    step_screenshots: str

    @property
    def subject(self) -> dict[str, str]:
        """What it is about, for the log."""
        return {"partner": self.partner, "browser": self.browser}


@dataclass(frozen=True, slots=True)
class CallbackDefinition:
    """One HTTP callback. Durations in seconds; `success` as it was sent."""

    job_id: UUID
    url: str
    method: str
    payload: Any
    headers: dict[str, str]
    sealed_headers: bytes | None = field(repr=False)
    sealed_signing_secrets: bytes | None = field(repr=False)
    success: dict[str, Any]
    max_redirects: int
    timeout_seconds: float
    slow_after_seconds: float | None
    failing_after: int
    working_after: int
    retry: CallbackRetry

    @property
    def subject(self) -> dict[str, str]:
        """What it is about, for the log."""
        return {"callback": str(self.job_id)}


Definition = CheckDefinition | CallbackDefinition


def definition_of(row: Row[Any]) -> Definition | None:
    """From a row of the claim. None when what it was to do is not defined any more."""
    if row.kind == "callback":
        return None if row.callback_url is None else _callback(row)
    if row.capabilities is None or row.entry_point is None:
        return None
    if row.try_check is not None:
        return _try(row)
    if row.checks is None:
        return None
    missing = checks_missing(row.sso, row.product_page, row.express_checkout)
    checks = tuple(check for check in row.checks if check not in missing)
    return _check(row, checks) if checks else None


def _check(row: Row[Any], checks: tuple[str, ...]) -> CheckDefinition:
    return CheckDefinition(
        **_of_pairing(row),
        checks=checks,
        failing_after=row.failing_after,
        working_after=row.working_after,
        retry=retry_policy(row.retry),
    )


def _try(row: Row[Any]) -> CheckDefinition:
    """One check, also one that the partner has switched off: somebody wants to see it before switching it on."""
    fields = _of_pairing(row)
    if row.try_own_flow:
        fields[row.try_check] = {**fields[row.try_check], "flow": row.try_flow}
    once = RetryBudget(attempts=1, backoff_seconds=0)
    checks = (row.try_check,)
    return CheckDefinition(**fields, checks=checks, failing_after=1, working_after=1, retry=RetryPolicy(once, once))


def _of_pairing(row: Row[Any]) -> dict[str, Any]:
    return {
        "partner": row.partner,
        "browser": row.browser,
        "entry_point": row.entry_point,
        "login": row.login,
        "sso": row.sso,
        "product_page": row.product_page,
        "express_checkout": row.express_checkout,
        "capabilities": row.capabilities,
        "sealed_credentials": row.sealed_credentials,
        "sealed_sso_credentials": row.sealed_sso_credentials,
        "timeout_seconds": row.timeout_seconds,
        "slow_after_seconds": row.slow_after_seconds,
        "wait_override_seconds": row.wait_override_seconds,
        "step_screenshots": row.step_screenshots,
    }


def _callback(row: Row[Any]) -> CallbackDefinition:
    return CallbackDefinition(
        job_id=row.job_id,
        url=row.callback_url,
        method=row.http_method,
        payload=row.payload,
        headers=row.headers,
        sealed_headers=row.sealed_headers,
        sealed_signing_secrets=row.sealed_signing_secrets,
        success=row.success,
        max_redirects=row.max_redirects,
        timeout_seconds=row.timeout_seconds,
        slow_after_seconds=row.slow_after_seconds,
        failing_after=row.failing_after,
        working_after=row.working_after,
        retry=CallbackRetry(**row.retry),
    )


@dataclass(frozen=True, slots=True)
class Failures:
    """How many earlier attempts of the same scheduled job ended so."""

    partner: int
    infrastructure: int


@dataclass(frozen=True, slots=True)
class Hints:
    """What an attempt learned about trying again: the target's `Retry-After`, or that it must never be tried."""

    retry_after_seconds: float | None = None
    forbidden: bool = False


def when_to_retry(
    definition: Definition,
    outcome: Outcome,
    before: Failures,
    hints: Hints,
    *,
    since: datetime,
    now: datetime,
    bound: datetime,
) -> datetime | None:
    """When to try again, or None when this outcome is final. `bound` is the moment before which it must start.

    `since`: from when the age of a callback counts.
    """
    ours = outcome.outcome_class is OutcomeClass.INFRASTRUCTURE_FAILURE
    failures = before.infrastructure if ours else before.partner
    if isinstance(definition, CheckDefinition):
        return None if hints.forbidden else retry_at(outcome, failures, definition.retry, now=now, next_due=bound)
    if ours:
        return retry_at(outcome, failures, OUR_CALLBACK_FAILURES, now=now, next_due=bound)
    return callback_retry_at(
        outcome,
        failures,
        definition.retry,
        since=since,
        now=now,
        retry_after_seconds=hints.retry_after_seconds,
        forbidden=hints.forbidden,
        retry_before=bound,
    )
