from typing import Literal
from uuid import UUID

from pydantic import Field

from services.api.fields import ClassField, Moment, OutcomeView, View
from shared.domain.diagnosis import Culprit
from shared.domain.state import State

MAX_JOBS = 200


class RecentResult(View):
    """One bar of the small history of a check or a job."""

    id: UUID
    due_at: Moment
    outcome_class: ClassField
    code: str
    duration_seconds: float | None


class LastResult(View):
    """The newest result that ran, or the newest of all when none did."""

    id: UUID
    outcome: OutcomeView
    due_at: Moment
    executed_at: Moment | None
    duration_seconds: float | None


class DiagnosisView(View):
    """Whose trouble it is, from how the other checks are doing."""

    culprit: Culprit
    sentence: str = Field(examples=["Fails in 3 of 3 browsers since 10:02 UTC: it is Acme’s side."])


class CheckStatus(View):
    """The state of one check of one partner in one browser."""

    browser: str
    icon: str = Field(description="The browser's icon.")
    check: str
    state: State
    since: Moment | None = Field(description="Since when it is in this state; null before the first judgement.")
    failures_in_a_row: int
    diagnosis: DiagnosisView | None = Field(
        default=None, description="Of a check that fails, or whose newest result is trouble of ours."
    )
    last_result: LastResult | None
    next_due: Moment | None = Field(description="Null while paused, disabled or inactive.")
    job_configuration_ids: list[UUID]
    paused: bool = Field(description="True when every job configuration of this check is paused.")
    paused_reason: str | None
    paused_until: Moment | None
    recent: list[RecentResult] = Field(description="The last 30 results, newest first.")


class PartnerStatus(View):
    code: str
    name: str
    active: bool
    inactive_reason: str | None
    tags: list[str]
    state: State = Field(description="The worst state of its checks.")
    checks: list[CheckStatus]


class StatusTotals(View):
    """How many partners there are, and how many checks are in each state."""

    partners: int
    checks: int
    working: int
    degraded: int
    failing: int
    unknown: int
    paused: int


class TimingView(View):
    """When a job is due: by a CRON expression in a zone, or every so many seconds."""

    cron: str | None
    timezone: str
    interval_seconds: int | None
    fixed_delay: bool = Field(description="True when the interval counts from the end of the run before.")


class LastJobResult(View):
    """The result that last counted for the state."""

    id: UUID
    outcome: OutcomeView
    duration_seconds: float | None


class JobPause(View):
    reason: str | None
    until: Moment | None = Field(description="Null: until somebody resumes it.")


class JobStatus(View):
    """The state of one job."""

    id: UUID
    name: str
    state: State
    since: Moment | None = Field(description="Since when it is in this state; null before the first judgement.")
    failures_in_a_row: int
    last_result: LastJobResult | None
    timing: TimingView
    next_due: Moment | None = Field(description="Null while paused or disabled.")
    paused: JobPause | None = Field(description="Null while it is not paused.")
    recent: list[RecentResult] = Field(description="The last 30 results, newest first.")


class JobTotals(View):
    """How many jobs there are, how many in each state, and how many of them are paused."""

    jobs: int
    working: int
    degraded: int
    failing: int
    unknown: int
    paused: int


class JobsStatus(View):
    totals: JobTotals
    items: list[JobStatus] = Field(
        description=f"At most {MAX_JOBS}: those that do not work first, then the newest. `GET /jobs` lists all."
    )


class InfrastructureSummary(View):
    """Whether it may be us. The whole picture is at `/infrastructure`."""

    state: Literal["working", "failing"] = Field(
        description="Failing when no scheduler or no runner is alive, or something is overdue by over 30 s."
    )
    schedulers_alive: int
    runners_alive: int
    overdue: int = Field(description="Scheduled jobs that are due and not dispatched.")
    failures_last_hour: int = Field(description="Results of the last hour that are infrastructure failures.")
    not_run_last_hour: int = Field(description="Due moments that were not run, recorded in the last hour.")


class StatusView(View):
    as_of: Moment
    totals: StatusTotals
    infrastructure: InfrastructureSummary
    partners: list[PartnerStatus]
    jobs: JobsStatus
