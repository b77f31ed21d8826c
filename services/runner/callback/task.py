"""What goes into one sending of a callback, and what comes out of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from shared.domain.callback import SuccessRule
from shared.domain.outcome import Outcome


@dataclass(frozen=True, slots=True)
class CallbackTask:
    """One attempt's work, with its templates replaced already. Durations in seconds.

    `payload` is any JSON value, sent only if `sends_payload`. `secret_headers` go before `headers` of the same name,
    and only to the origin of `url`. `max_redirects` 0 follows none.
    """

    scheduled_job_id: UUID
    message_id: UUID
    job_id: UUID
    attempt: int
    due_at: datetime
    url: str = field(repr=False)
    method: str
    headers: Mapping[str, str]
    secret_headers: Mapping[str, str] = field(repr=False)
    payload: Any = field(repr=False)
    sends_payload: bool
    signing_secrets: tuple[str, ...] = field(repr=False)
    timeout_seconds: float
    slow_after_seconds: float | None
    success: SuccessRule
    max_redirects: int


@dataclass(frozen=True, slots=True)
class CallbackReport:
    """Everything one sending found out; all text is free of secrets and fit for PostgreSQL.

    `response` is the last answer that came, None if none did: {"status", "reason", "headers", "body", "truncated",
    "bytes", "url", "redirects", "address"}. `bytes` counts what was read of the decoded body, `redirects` lists the
    URLs that answered with one. `forbidden` means that nothing, or nothing more, was sent, and never would be.
    """

    outcome: Outcome
    started_at: datetime
    duration_seconds: float
    response: dict[str, Any] | None
    retry_after_seconds: float | None
    forbidden: bool
    traceback: str | None
