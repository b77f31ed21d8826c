from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import ConfigDict, Field, StringConstraints, ValidationInfo, field_validator, model_validator

from services.api.fields import Asked, Moment, Sent, SentMoment, Slug, View
from services.api.pagination import PageQuery
from shared.domain.cron import MAX_EXPRESSION_LENGTH, InvalidCron, Oddity, parse_cron, parse_zone
from shared.domain.schedule import MIN_INTERVAL_SECONDS

MAX_INTERVAL_SECONDS = 31 * 86_400
CheckName = Literal["login", "sso", "product_page", "express_checkout"]
RUNNABLE_CHECKS = ("login",)
Reason = Annotated[str, StringConstraints(min_length=1, max_length=500, pattern=r"\S")]

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
}


def require_zone(name: str) -> str:
    try:
        parse_zone(name)
    except InvalidCron as error:
        raise ValueError(str(error)) from None
    return name


def require_cron(expression: str, zone: str) -> str:
    try:
        parse_cron(expression, zone)
    except InvalidCron as error:
        raise ValueError(str(error)) from None
    return expression


class ScheduleSent(Sent):
    """When it is due: exactly one of `interval_seconds` and `cron`."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"interval_seconds": 900}, {"cron": "*/5 7-19 * * MON-FRI", "timezone": "Europe/Berlin"}]
        }
    )

    interval_seconds: int | None = Field(default=None, ge=MIN_INTERVAL_SECONDS, le=MAX_INTERVAL_SECONDS)
    # Before `cron`, whose check needs it.
    timezone: str = Field(default="UTC", min_length=1, max_length=64, description="An IANA name; for `cron` only.")
    cron: str | None = Field(
        default=None,
        min_length=1,
        max_length=MAX_EXPRESSION_LENGTH,
        description="Five fields, or a macro such as `@hourly`.",
    )

    @field_validator("timezone")
    @classmethod
    def _is_a_zone(cls, name: str) -> str:
        return require_zone(name)

    @field_validator("cron")
    @classmethod
    def _is_a_cron(cls, expression: str | None, info: ValidationInfo) -> str | None:
        return None if expression is None else require_cron(expression, info.data.get("timezone", "UTC"))

    @model_validator(mode="after")
    def _exactly_one(self) -> "ScheduleSent":
        if (self.interval_seconds is None) == (self.cron is None):
            raise ValueError("must hold exactly one of interval_seconds and cron")
        return self

    def kept(self) -> dict[str, Any]:
        if self.cron is None:
            return {"interval_seconds": self.interval_seconds}
        return {"cron": self.cron, "timezone": self.timezone}


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
    checks: list[CheckName] = Field(default=["login"], min_length=1, description="Only `login` is available yet.")
    schedule: ScheduleSent
    timeout_seconds: float = Field(default=60, ge=5, le=300, description="The limit of one attempt.")
    slow_after_seconds: float | None = Field(
        default=None, gt=0, lt=300, description="Slower than this is `degraded`; less than `timeout_seconds`."
    )
    enabled: bool = True
    retry: RetrySent = RetrySent()
    overlap: Literal["skip", "allow", "queue_one"] = Field(
        default="skip", description="When the run before has not ended."
    )
    catch_up: Literal["none", "latest", "all"] = Field(default="latest", description="What runs after downtime.")
    start_deadline_seconds: int = Field(default=3600, ge=10, le=604_800, description="Later than this it is `missed`.")
    jitter_seconds: int = Field(default=0, ge=0, le=3600, description="Starts up to so much later, the same each time.")
    failing_after: int = Field(default=2, ge=1, le=100, description="Partner failures in a row until `failing`.")
    working_after: int = Field(default=1, ge=1, le=100, description="Passes in a row until `working` again.")
    priority: Literal["high", "normal"] = "normal"

    @field_validator("browsers", "checks")
    @classmethod
    def _each_once(cls, names: list[str]) -> list[str]:
        if len(set(names)) < len(names):
            raise ValueError("must name each one once")
        return names

    @field_validator("checks")
    @classmethod
    def _available(cls, checks: list[str]) -> list[str]:
        missing = [check for check in checks if check not in RUNNABLE_CHECKS]
        if missing:
            raise ValueError(f"not available yet: {', '.join(missing)}")
        return checks

    @field_validator("slow_after_seconds")
    @classmethod
    def _before_the_timeout(cls, slow_after: float | None, info: ValidationInfo) -> float | None:
        if slow_after is not None and slow_after >= info.data.get("timeout_seconds", slow_after + 1):
            raise ValueError("must be less than timeout_seconds")
        return slow_after

    @field_validator("jitter_seconds")
    @classmethod
    def _within_the_interval(cls, jitter: int, info: ValidationInfo) -> int:
        schedule: ScheduleSent | None = info.data.get("schedule")
        if schedule is not None and schedule.interval_seconds is not None and jitter >= schedule.interval_seconds:
            raise ValueError("must be less than schedule.interval_seconds")
        return jitter

    def columns(self) -> dict[str, Any]:
        return {**self.model_dump(exclude={"schedule"}), "schedule": self.schedule.kept()}


class PauseSent(Sent):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"reason": "the partner migrates", "until": "2026-12-01T06:00:00Z"}]}
    )

    reason: Reason
    until: SentMoment | None = Field(default=None, description="When it resumes by itself; null: never.")


class RunSent(Sent):
    model_config = ConfigDict(json_schema_extra={"examples": [{"browsers": ["chromium"]}]})

    browsers: list[Slug] | None = Field(default=None, min_length=1, max_length=50, description="Null: all of them.")


class ConfigurationQuery(PageQuery):
    partner: Slug | None = Field(default=None, description="Only those of this partner.")
    browser: Slug | None = Field(default=None, description="Only those that run in this browser.")


class NextRunsQuery(Asked):
    count: int = Field(default=10, ge=1, le=100)


class PausedView(View):
    reason: str
    by: str = Field(description="The name of the API key, or `anonymous` with authentication off.")
    at: Moment
    until: Moment | None


class ScheduleView(View):
    interval_seconds: int | None = None
    cron: str | None = None
    timezone: str | None = None


class BudgetView(View):
    attempts: int
    backoff_seconds: float


class RetryView(View):
    partner: BudgetView
    infrastructure: BudgetView


class ConfigurationView(View):
    id: UUID
    partner: str
    browsers: list[str]
    checks: list[str]
    schedule: ScheduleView
    timeout_seconds: float
    slow_after_seconds: float | None
    enabled: bool
    paused: PausedView | None
    retry: RetryView
    overlap: str
    catch_up: str
    start_deadline_seconds: int
    jitter_seconds: int
    failing_after: int
    working_after: int
    priority: str
    created_at: Moment
    updated_at: Moment


class ConfigurationPage(View):
    items: list[ConfigurationView]
    next_cursor: str | None = Field(description="Pass it as `cursor` for the next page; null on the last.")


class NextRun(View):
    browser: str
    due_at: Moment
    run_after: Moment = Field(description="`due_at` plus its jitter.")
    oddity: Oddity | None = Field(description="What daylight saving did to this moment.")


class NextRuns(View):
    items: list[NextRun] = Field(description="The next moments over all browsers; none while nothing is due.")
