from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import ConfigDict, Field, StringConstraints, ValidationInfo, field_validator, model_validator

from services.api.fields import Asked, Moment, Sent, SentMoment, Slug, Tag, View
from services.api.scheduled_jobs.schemas import ScheduledJobView
from shared.domain.cron import MAX_EXPRESSION_LENGTH, InvalidCron, Oddity, parse_cron, parse_zone
from shared.domain.schedule import MIN_INTERVAL_SECONDS

MAX_INTERVAL_SECONDS = 31 * 86_400
MAX_BACKFILLED = 1_000
MAX_BACKFILLED_SHOWN = 100

Reason = Annotated[str, StringConstraints(min_length=1, max_length=500, pattern=r"\S")]
IntervalMode = Literal["fixed_rate", "fixed_delay"]
INTERVAL_MODE = "`fixed_rate`: at a steady rate. `fixed_delay`: counted from the end of the run before."


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
            "examples": [
                {"interval_seconds": 900, "interval_mode": "fixed_delay"},
                {"cron": "*/5 7-19 * * MON-FRI", "timezone": "Europe/Berlin"},
            ]
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
    interval_mode: IntervalMode = Field(default="fixed_rate", description=INTERVAL_MODE)

    @field_validator("timezone")
    @classmethod
    def _is_a_zone_of_a_cron(cls, name: str, info: ValidationInfo) -> str:
        if info.data.get("interval_seconds") is not None:
            raise ValueError("goes with cron, not with interval_seconds")
        return require_zone(name)

    @field_validator("cron")
    @classmethod
    def _is_a_cron(cls, expression: str | None, info: ValidationInfo) -> str | None:
        return None if expression is None else require_cron(expression, info.data.get("timezone", "UTC"))

    @field_validator("interval_mode")
    @classmethod
    def _of_an_interval(cls, mode: IntervalMode, info: ValidationInfo) -> IntervalMode:
        if info.data.get("cron") is not None:
            raise ValueError(f"{mode} goes with interval_seconds, not with cron")
        return mode

    @model_validator(mode="after")
    def _exactly_one(self) -> "ScheduleSent":
        if (self.interval_seconds is None) == (self.cron is None):
            raise ValueError("must hold exactly one of interval_seconds and cron")
        return self

    def kept(self) -> dict[str, Any]:
        if self.cron is None:
            return {"interval_seconds": self.interval_seconds, "interval_mode": self.interval_mode}
        return {"cron": self.cron, "timezone": self.timezone}


OverlapField = Annotated[Literal["skip", "allow", "queue_one"], Field(description="When the run before has not ended.")]
CatchUpField = Annotated[Literal["none", "latest", "all"], Field(description="What runs after downtime.")]
StartDeadline = Annotated[int, Field(ge=10, le=604_800, description="Later than this it is `missed`.")]
Jitter = Annotated[int, Field(ge=0, le=3600, description="Starts up to so much later, the same each time.")]
FailingAfter = Annotated[int, Field(ge=1, le=100, description="Failures in a row until `failing`.")]
WorkingAfter = Annotated[int, Field(ge=1, le=100, description="Passes in a row until `working` again.")]
Priority = Literal["high", "normal"]


def require_within(jitter: int, interval_seconds: int | None, cron: str | None, timezone: str) -> int:
    """Jitter must not change the order of due moments."""
    if interval_seconds is not None and jitter >= interval_seconds:
        raise ValueError("must be less than schedule.interval_seconds")
    if jitter and cron is not None:
        gap = parse_cron(cron, timezone).shortest_gap(datetime.now(UTC)).total_seconds()
        if jitter >= gap:
            raise ValueError(f"must be less than the time between two due moments, here {gap:.0f} seconds")
    return jitter


def require_before_timeout(slow_after: float | None, info: ValidationInfo) -> float | None:
    if slow_after is not None and slow_after >= info.data.get("timeout_seconds", slow_after + 1):
        raise ValueError("must be less than timeout_seconds")
    return slow_after


class PauseSent(Sent):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"reason": "the partner migrates", "until": "2026-12-01T06:00:00Z"}]}
    )

    reason: Reason
    until: SentMoment | None = Field(default=None, description="When it resumes by itself; null: never.")


class Chosen(Sent):
    """Exactly one of `partner` and `tag`."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"tag": "emea"}]})

    partner: Slug | None = Field(default=None, description="All job configurations of this partner.")
    tag: Tag | None = Field(
        default=None, description="All job configurations of the partners with this tag, and all jobs with it."
    )

    @model_validator(mode="after")
    def _exactly_one(self) -> "Chosen":
        if (self.partner is None) == (self.tag is None):
            raise ValueError("must hold exactly one of partner and tag")
        return self


class ChosenPauseSent(Chosen, PauseSent):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"partner": "acme", "reason": "the partner migrates", "until": "2026-12-01T06:00:00Z"}]
        }
    )


class ChosenView(View):
    """Which ones were paused or resumed, by id."""

    job_configurations: list[UUID]
    jobs: list[UUID]


class PausedView(View):
    reason: str
    by: str = Field(description="The name of the API key, or `anonymous` with authentication off.")
    at: Moment
    until: Moment | None


class ScheduleView(View):
    interval_seconds: int | None = None
    interval_mode: IntervalMode | None = Field(default=None, description=INTERVAL_MODE)
    cron: str | None = None
    timezone: str | None = None


class DefinitionView(View):
    """What job configurations and jobs have in common."""

    timeout_seconds: float
    slow_after_seconds: float | None
    enabled: bool
    paused: PausedView | None
    overlap: str
    catch_up: str
    start_deadline_seconds: int
    jitter_seconds: int
    failing_after: int
    working_after: int
    priority: str
    created_at: Moment
    updated_at: Moment


class BackfillSent(Sent):
    """The moments from `since`, itself included, to `until`, itself not; the past year at most."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"since": "2026-11-20T00:00:00Z", "until": "2026-11-21T00:00:00Z"}]}
    )

    since: SentMoment
    until: SentMoment = Field(description="Not in the future.")


class Backfilled(View):
    scheduled_jobs_count: int = Field(description="How many were made.")
    already_there: int = Field(description="How many moments of the range an earlier backfill had made.")
    scheduled_jobs: list[ScheduledJobView] = Field(
        description=f"The first {MAX_BACKFILLED_SHOWN} of those that were made."
    )


class NextRunsQuery(Asked):
    count: int = Field(default=10, ge=1, le=100)


class NextRun(View):
    browser: str | None = Field(description="Null for a job.")
    due_at: Moment
    run_after: Moment = Field(description="`due_at` plus its jitter.")
    oddity: Oddity | None = Field(description="What daylight saving did to this moment.")


class NextRuns(View):
    items: list[NextRun] = Field(
        description="The next moments; none while nothing is due. With a fixed delay only the earliest next one."
    )


class PreviewSent(Sent):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"cron": "30 2 * * *", "timezone": "Europe/Berlin", "count": 5}]}
    )

    # Before `cron`, whose check needs it.
    timezone: str = Field(default="UTC", min_length=1, max_length=64, description="An IANA name.")
    cron: str = Field(min_length=1, max_length=MAX_EXPRESSION_LENGTH, description="Five fields, or a macro.")
    count: int = Field(default=10, ge=1, le=50)

    @field_validator("timezone")
    @classmethod
    def _is_a_zone(cls, name: str) -> str:
        return require_zone(name)

    @field_validator("cron")
    @classmethod
    def _is_a_cron(cls, expression: str, info: ValidationInfo) -> str:
        return require_cron(expression, info.data.get("timezone", "UTC"))


class PreviewMoment(View):
    due_at: Moment
    local_time: str = Field(description="The same moment on the zone's clock.", examples=["2026-11-21T07:00:00+01:00"])
    oddity: Oddity | None = Field(description="What daylight saving did to this moment.")


class Preview(View):
    items: list[PreviewMoment] = Field(description="Fewer than asked for when no further one comes within 5 years.")
