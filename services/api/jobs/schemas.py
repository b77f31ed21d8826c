from typing import Annotated, Any
from uuid import UUID

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)

from services.api.fields import Moment, Sent, Tag, Tags, View, require_storable
from services.api.jobs.callback_schemas import CallbackSent
from services.api.pagination import PageQuery
from services.api.schedules.schemas import (
    INTERVAL_MODE,
    MAX_INTERVAL_SECONDS,
    CatchUpField,
    DefinitionView,
    FailingAfter,
    IntervalMode,
    Jitter,
    OverlapField,
    Priority,
    StartDeadline,
    WorkingAfter,
    require_before_timeout,
    require_cron,
    require_within,
    require_zone,
)
from shared.domain.cron import MAX_EXPRESSION_LENGTH
from shared.domain.schedule import MIN_INTERVAL_SECONDS
from shared.domain.state import State

EXAMPLE: dict[str, Any] = {
    "name": "CLI",
    "description": "From CLI",
    "schedule": "* * * * *",
    "job": {
        "callback_url": "https://hooks.example.com/nightly?due={{due_at}}",
        "http_method": "post",
        "payload": {"run": "{{scheduled_job_id}}"},
        "headers": {"X-Source": "parakeet"},
        "secret_headers": {"Authorization": "Bearer correct-horse-battery"},
        "signing_secrets": ["whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="],
        "success": {"status_codes": ["200-299"], "body_contains": None},
        "max_redirects": 5,
    },
    "timezone": "UTC",
    "timeout_seconds": 30,
    "slow_after_seconds": 10,
    "enabled": True,
    "retry": {"attempts": 3, "min_backoff_seconds": 10, "max_backoff_seconds": 600, "max_age_seconds": 3600},
    "overlap": "skip",
    "catch_up": "latest",
    "start_deadline_seconds": 3600,
    "jitter_seconds": 0,
    "failing_after": 2,
    "working_after": 1,
    "priority": "normal",
    "tags": ["emea"],
}


class IntervalSent(Sent):
    interval_seconds: int = Field(ge=MIN_INTERVAL_SECONDS, le=MAX_INTERVAL_SECONDS)
    interval_mode: IntervalMode = Field(default="fixed_rate", description=INTERVAL_MODE)


def _either_form(value: object) -> object:
    """Each form by itself, so that problems are named by their fields and not by the forms there are."""
    if isinstance(value, dict):
        return IntervalSent.model_validate(value)
    if not isinstance(value, str):
        raise ValueError("must be a CRON expression, or an object with interval_seconds")
    return value


_Expression = Annotated[
    str,
    WithJsonSchema(
        {"type": "string", "maxLength": MAX_EXPRESSION_LENGTH, "description": "CRON: five fields, or a macro."}
    ),
]
ScheduleField = Annotated[_Expression | IntervalSent, BeforeValidator(_either_form)]


class JobRetrySent(Sent):
    """The wait doubles from the minimum to the maximum; `Retry-After` is honoured.

    Unless `overlap` is `allow`, no attempt starts later than the next due moment, which a retry would hold up.
    """

    attempts: int = Field(default=3, ge=1, le=20, description="How many attempts in all.")
    min_backoff_seconds: float = Field(default=10, ge=0, le=86_400)
    max_backoff_seconds: float = Field(default=600, ge=0, le=86_400, validate_default=True)
    max_age_seconds: float = Field(
        default=3600, ge=1, le=604_800, description="No attempt starts later than so long after the due moment."
    )

    @field_validator("max_backoff_seconds")
    @classmethod
    def _at_least_the_minimum(cls, longest: float, info: ValidationInfo) -> float:
        if longest < info.data.get("min_backoff_seconds", longest):
            raise ValueError("must be at least min_backoff_seconds")
        return longest


class JobSent(Sent):
    """An HTTP callback on a schedule."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    name: str = Field(min_length=1, max_length=200, pattern=r"\S")
    description: str = Field(default="", max_length=10_000)
    # Before `schedule`, whose check needs it.
    timezone: str = Field(default="UTC", min_length=1, max_length=64, description="An IANA name; for CRON.")
    schedule: ScheduleField
    job: CallbackSent
    timeout_seconds: float = Field(
        default=30, ge=1, le=300, description="The limit of one attempt, redirects included."
    )
    slow_after_seconds: float | None = Field(
        default=None, gt=0, lt=300, description="Slower than this is `degraded`; less than `timeout_seconds`."
    )
    enabled: bool = True
    retry: JobRetrySent = JobRetrySent()
    overlap: OverlapField = "skip"
    catch_up: CatchUpField = "latest"
    start_deadline_seconds: StartDeadline = 3600
    jitter_seconds: Jitter = 0
    failing_after: FailingAfter = 2
    working_after: WorkingAfter = 1
    priority: Priority = "normal"
    tags: Tags = Field(default_factory=list)

    @field_validator("timezone")
    @classmethod
    def _is_a_zone(cls, name: str) -> str:
        return require_zone(name)

    @field_validator("schedule")
    @classmethod
    def _is_a_cron(cls, schedule: str | IntervalSent, info: ValidationInfo) -> str | IntervalSent:
        if isinstance(schedule, str):
            return require_cron(schedule, info.data.get("timezone", "UTC"))
        return schedule

    @field_validator("slow_after_seconds")
    @classmethod
    def _before_the_timeout(cls, slow_after: float | None, info: ValidationInfo) -> float | None:
        return require_before_timeout(slow_after, info)

    @field_validator("jitter_seconds")
    @classmethod
    def _within_the_interval(cls, jitter: int, info: ValidationInfo) -> int:
        schedule = info.data.get("schedule")
        interval = schedule.interval_seconds if isinstance(schedule, IntervalSent) else None
        cron = schedule if isinstance(schedule, str) else None
        return require_within(jitter, interval, cron, info.data.get("timezone", "UTC"))


class JobQuery(PageQuery):
    tag: Annotated[Tag, AfterValidator(require_storable)] | None = Field(
        default=None, description="Only those with this tag."
    )
    enabled: bool | None = None
    name: Annotated[str, StringConstraints(max_length=200), AfterValidator(require_storable)] | None = Field(
        default=None, description="Only those whose name holds this text, in upper or lower case."
    )


class IntervalView(View):
    interval_seconds: int
    interval_mode: IntervalMode = Field(description=INTERVAL_MODE)


class SuccessView(View):
    status_codes: list[str]
    body_contains: str | None


class CallbackView(View):
    callback_url: str
    http_method: str
    payload: Any
    headers: dict[str, str]
    secret_headers_set: list[str] | None = Field(
        description="Their names; their values are never shown. Null when no configured secret key opens them."
    )
    signing_secrets_set: int | None = Field(description="How many; null when no configured secret key opens them.")
    success: SuccessView
    max_redirects: int


class JobRetryView(View):
    attempts: int
    min_backoff_seconds: float
    max_backoff_seconds: float
    max_age_seconds: float


class JobStateView(View):
    state: State
    since: Moment | None


class JobView(DefinitionView):
    """A job as it is read: everything that was sent, except secrets."""

    id: UUID
    name: str
    description: str
    schedule: str | IntervalView
    timezone: str
    job: CallbackView
    retry: JobRetryView
    tags: list[str]
    state: JobStateView
    next_due: Moment | None = Field(description="Null while it is paused or not enabled.")


class JobPage(View):
    items: list[JobView]
    next_cursor: str | None = Field(description="Pass it as `cursor` for the next page; null on the last.")
