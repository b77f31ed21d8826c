from typing import Any
from uuid import UUID

from pydantic import ConfigDict, Field

from services.api.fields import Moment, OutcomeView, View


class ResultSummary(View):
    """How one due moment ended."""

    id: UUID = Field(description="The same id that its scheduled job had.")
    schedule_id: UUID
    origin: str = Field(description="`schedule`, `manual` (run now) or `backfill`.")
    kind: str
    job_configuration_id: UUID | None
    partner: str | None
    browser: str | None
    due_at: Moment
    executed_at: Moment | None = Field(description="When the last attempt started; null when it never ran.")
    duration_seconds: float | None
    outcome: OutcomeView
    attempt_count: int
    recorded_at: Moment


class ResultPage(View):
    items: list[ResultSummary]
    next_cursor: str | None = Field(description="Pass it as `cursor` for the next page; null on the last.")


class StepView(View):
    """One step of a check, in the order they happened; kinds of steps may add fields of their own."""

    model_config = ConfigDict(extra="allow")

    name: str
    offset_seconds: float | None = None


class CheckResult(View):
    check: str
    outcome: OutcomeView
    duration_seconds: float | None
    steps: list[StepView]


class EvidenceLink(View):
    name: str
    content_type: str
    bytes: int | None
    href: str = Field(description="Where to read it, relative to the server.")


class AttemptView(View):
    """One try. All are kept; the last decides."""

    number: int
    started_at: Moment | None
    ended_at: Moment
    duration_seconds: float | None
    outcome: OutcomeView
    checks: list[CheckResult]
    evidence: list[EvidenceLink]
    runner: UUID | None
    node: str | None
    browser_name: str | None
    browser_version: str | None
    final_url: str | None
    title: str | None
    console_errors: list[str]
    traceback: str | None = Field(description="Of Parakeet's own errors only.")


class ResultView(ResultSummary):
    """A result with its checks and every attempt."""

    checks: list[CheckResult]
    attempts: list[AttemptView] = Field(description="In order, the deciding one last.")


EXAMPLE: dict[str, Any] = {
    "id": "0b8a1f2e-9a40-5f3c-8b4c-6d1f5c1f7a10",
    "schedule_id": "5a3d3f57-5c73-4f7e-9e27-1f4a2f2f8a11",
    "origin": "schedule",
    "kind": "check",
    "job_configuration_id": "b4b6c1de-2f7f-4d0b-9d2b-8a0c5a3f1e22",
    "partner": "acme",
    "browser": "chromium",
    "due_at": "2026-11-21T06:00:00Z",
    "executed_at": "2026-11-21T06:00:00.120000Z",
    "duration_seconds": 4.2,
    "outcome": {
        "code": "credentials_rejected",
        "class": "partner_failure",
        "success": False,
        "message": "The site answered: wrong password.",
    },
    "attempt_count": 1,
    "recorded_at": "2026-11-21T06:00:04.400000Z",
}
