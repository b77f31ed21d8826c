from typing import Any, Literal
from uuid import UUID

from pydantic import ConfigDict, Field, field_validator

from services.api.fields import Asked, Moment, OutcomeView, SentMoment, Slug, UntilMoment, View
from services.api.pagination import PageQuery
from shared.domain.outcome import CATALOGUE, OutcomeClass

CODES = sorted(CATALOGUE)
EXAMPLE: dict[str, Any] = {
    "id": "0b8a1f2e-9a40-5f3c-8b4c-6d1f5c1f7a10",
    "schedule_id": "5a3d3f57-5c73-4f7e-9e27-1f4a2f2f8a11",
    "origin": "schedule",
    "kind": "check",
    "job_configuration_id": "b4b6c1de-2f7f-4d0b-9d2b-8a0c5a3f1e22",
    "partner": "acme",
    "browser": "chromium",
    "job_id": None,
    "replay_of": None,
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


class ResultQuery(PageQuery):
    partner: Slug | None = None
    browser: Slug | None = None
    check: Literal["login", "sso", "product_page", "express_checkout"] | None = None
    outcome_class: OutcomeClass | None = Field(default=None, alias="class")
    outcome: str | None = Field(default=None, description="An outcome code.", json_schema_extra={"enum": [*CODES]})
    job: UUID | None = Field(default=None, description="The id of a job configuration or of a job.")
    since: SentMoment | None = Field(default=None, description="Due at this moment or later.")
    until: UntilMoment = Field(default=None, description="Due before this moment.")

    @field_validator("outcome")
    @classmethod
    def _in_the_catalogue(cls, code: str | None) -> str | None:
        if code is not None and code not in CATALOGUE:
            raise ValueError("is not a code of the catalogue; see /outcome-types")
        return code


class EvidenceQuery(Asked):
    attempt: int | None = Field(
        default=None, ge=1, le=32_767, description="Its number; null: the last that has the file."
    )


class ResultSummary(View):
    """How one due moment ended."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    id: UUID = Field(description="The same id that its scheduled job had.")
    schedule_id: UUID
    origin: str = Field(description="`schedule`, `manual` (run now) or `backfill`.")
    kind: str = Field(description="`check` or `callback`.")
    job_configuration_id: UUID | None
    partner: str | None
    browser: str | None
    job_id: UUID | None = Field(description="Of a callback: its job.")
    replay_of: UUID | None = Field(description="The dead letter, and so the result, that was sent again by this.")
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
    evidence: str | None = Field(default=None, description="Its screenshot: the name of one of the attempt's files.")


class CheckResult(View):
    check: str
    outcome: OutcomeView
    duration_seconds: float | None
    steps: list[StepView]
    warnings: list[str] = Field(
        default_factory=list, description="What did not keep it from passing, but will: such as a locator that drifts."
    )


class EvidenceLink(View):
    name: str
    content_type: str
    bytes: int | None
    href: str = Field(description="Where to read it, relative to the server.")


class ResponseView(View):
    """What a callback was answered. It was written by others: show it, never run it."""

    status: int
    headers: dict[str, str]
    body: str | None = Field(default=None, description="As text; at most 16 KiB of it.")
    truncated: bool = Field(default=False, description="Whether the body was longer than what is kept.")
    bytes: int | None = Field(default=None, description="How long the body was, as far as it was read.")
    url: str | None = Field(default=None, description="Who answered in the end, after redirects.")
    redirects: list[str] = Field(default_factory=list, description="What answered with a redirect, in order.")
    address: str | None = Field(default=None, description="The IP address that was connected to.")


class AttemptView(View):
    """One try. All are kept; the last decides."""

    number: int
    started_at: Moment | None
    ended_at: Moment
    duration_seconds: float | None
    outcome: OutcomeView
    checks: list[CheckResult]
    evidence: list[EvidenceLink] = Field(description="Empty once it is no longer kept.")
    evidence_removed_at: Moment | None = Field(description="Since when the evidence is no longer kept.")
    runner: UUID | None
    node: str | None
    browser_name: str | None
    browser_version: str | None
    final_url: str | None
    title: str | None
    console_errors: list[str]
    traceback: str | None = Field(description="Of Parakeet's own errors only.")
    response: ResponseView | None = Field(description="Null for a check, and for a callback that nobody answered.")


class LastGood(View):
    """The newest result before it of the same pairing and checks that passed."""

    id: UUID
    due_at: Moment
    evidence: EvidenceLink | None = Field(description="What its browser showed at the end; null once no longer kept.")


class ResultView(ResultSummary):
    """A result with its checks and every attempt."""

    checks: list[CheckResult]
    last_good: LastGood | None = Field(description="Of a result that failed: how it looked when it last worked.")
    attempts: list[AttemptView] = Field(description="In order, the deciding one last.")
