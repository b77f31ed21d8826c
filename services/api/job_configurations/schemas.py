from typing import Any, Literal
from uuid import UUID

from pydantic import ConfigDict, Field, ValidationInfo, field_validator

from services.api.fields import Sent, Slug, View, each_once
from services.api.pagination import PageQuery
from services.api.schedules.schemas import (
    BackfillSent,
    CatchUpField,
    DefinitionView,
    FailingAfter,
    Jitter,
    OverlapField,
    Priority,
    ScheduleSent,
    ScheduleView,
    StartDeadline,
    WorkingAfter,
    require_before_timeout,
    require_within,
)

CheckName = Literal["login", "sso", "product_page", "express_checkout"]
StepScreenshots = Literal["always", "on_failure", "never"]

EXAMPLE: dict[str, Any] = {
    "partner": "acme",
    "browsers": ["chromium"],
    "checks": ["login"],
    "schedule": {"cron": "*/5 7-19 * * MON-FRI", "timezone": "Europe/Berlin"},
    "timeout_seconds": 60,
    "slow_after_seconds": 20,
    "enabled": True,
    "retry": {
        "partner": {"attempts": 1, "backoff_seconds": 10},
        "infrastructure": {"attempts": 3, "backoff_seconds": 15},
    },
    "overlap": "skip",
    "catch_up": "latest",
    "start_deadline_seconds": 3600,
    "jitter_seconds": 0,
    "failing_after": 2,
    "working_after": 1,
    "priority": "normal",
    "step_screenshots": "on_failure",
}


class Budget(Sent):
    attempts: int = Field(ge=1, le=10, description="How many attempts may end in this class in all.")
    backoff_seconds: float = Field(ge=0, le=3600, description="The wait before the second attempt; it doubles.")


class PartnerBudget(Budget):
    attempts: int = Field(default=1, ge=1, le=10, description="How many attempts may end as partner failures in all.")
    backoff_seconds: float = Field(
        default=10, ge=0, le=3600, description="The wait before the second attempt; it doubles."
    )


class InfrastructureBudget(Budget):
    attempts: int = Field(
        default=3, ge=1, le=10, description="How many attempts may end as infrastructure failures in all."
    )
    backoff_seconds: float = Field(
        default=15, ge=0, le=3600, description="The wait before the second attempt; it doubles."
    )


class RetrySent(Sent):
    """Infrastructure failures are retried on a budget of their own."""

    partner: PartnerBudget = PartnerBudget()
    infrastructure: InfrastructureBudget = InfrastructureBudget()


class ConfigurationSent(Sent):
    """For one partner: which browsers, which checks, how often, under which limits."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    partner: Slug = Field(description="The partner's code; never changes.")
    browsers: list[Slug] = Field(min_length=1, max_length=50)
    checks: list[CheckName] = Field(default=["login"], min_length=1, description="Of those that the partner has.")
    schedule: ScheduleSent
    timeout_seconds: float = Field(default=60, ge=5, le=300, description="The limit of one attempt.")
    slow_after_seconds: float | None = Field(
        default=None, gt=0, lt=300, description="Slower than this is `degraded`; less than `timeout_seconds`."
    )
    enabled: bool = True
    retry: RetrySent = RetrySent()
    overlap: OverlapField = "skip"
    catch_up: CatchUpField = "latest"
    start_deadline_seconds: StartDeadline = 3600
    jitter_seconds: Jitter = 0
    failing_after: FailingAfter = 2
    working_after: WorkingAfter = 1
    priority: Priority = "normal"
    step_screenshots: StepScreenshots = Field(
        default="on_failure",
        description="Keep a screenshot of each step `always`, `on_failure` (of the check) or `never`. The last page is"
        " kept in any case.",
    )

    @field_validator("browsers", "checks")
    @classmethod
    def _each_once(cls, names: list[str]) -> list[str]:
        return each_once(names)

    @field_validator("slow_after_seconds")
    @classmethod
    def _before_the_timeout(cls, slow_after: float | None, info: ValidationInfo) -> float | None:
        return require_before_timeout(slow_after, info)

    @field_validator("jitter_seconds")
    @classmethod
    def _within_the_interval(cls, jitter: int, info: ValidationInfo) -> int:
        schedule: ScheduleSent | None = info.data.get("schedule")
        if schedule is None:
            return jitter
        return require_within(jitter, schedule.interval_seconds, schedule.cron, schedule.timezone)

    def columns(self) -> dict[str, Any]:
        return {**self.model_dump(exclude={"schedule"}), "schedule": self.schedule.kept()}


class RunSent(Sent):
    model_config = ConfigDict(json_schema_extra={"examples": [{"browsers": ["chromium"]}]})

    browsers: list[Slug] | None = Field(default=None, min_length=1, max_length=50, description="Null: all of them.")


class ConfigurationQuery(PageQuery):
    partner: Slug | None = Field(default=None, description="Only those of this partner.")
    browser: Slug | None = Field(default=None, description="Only those that run in this browser.")


class ConfigurationBackfillSent(BackfillSent):
    browsers: list[Slug] | None = Field(default=None, min_length=1, max_length=50, description="Null: all of them.")


class BudgetView(View):
    attempts: int
    backoff_seconds: float


class RetryView(View):
    partner: BudgetView
    infrastructure: BudgetView


class ConfigurationView(DefinitionView):
    id: UUID
    partner: str
    browsers: list[str]
    checks: list[str]
    schedule: ScheduleView
    retry: RetryView
    step_screenshots: str


class ConfigurationPage(View):
    items: list[ConfigurationView]
    next_cursor: str | None = Field(description="Pass it as `cursor` for the next page; null on the last.")
