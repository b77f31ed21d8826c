from typing import Literal
from uuid import UUID

from pydantic import Field

from services.api.fields import Moment, Slug, View
from services.api.pagination import PageQuery

ShownState = Literal["future", "overdue", "dispatched", "running", "retrying"]


class ScheduledJobQuery(PageQuery):
    state: ShownState | None = None
    partner: Slug | None = None
    browser: Slug | None = None
    job: UUID | None = Field(default=None, description="The id of a job configuration or of a job.")


class ScheduledJobView(View):
    """One due moment that has not ended yet."""

    id: UUID = Field(description="Its result will have the same id.")
    schedule_id: UUID
    origin: str = Field(description="`schedule`, `manual` (run now) or `backfill`.")
    kind: str = Field(description="`check` or `callback`.")
    job_configuration_id: UUID | None
    partner: str | None
    browser: str | None
    job_id: UUID | None = Field(description="Of a callback: its job.")
    due_at: Moment
    run_after: Moment = Field(description="Not before this: the due moment plus jitter, or when it is retried.")
    state: ShownState = Field(
        description="`future`: due later. `overdue`: past `run_after`, not dispatched. `retrying`: waits for a retry."
    )
    attempt: int = Field(description="How many attempts were started.")
    planned: bool = Field(description="False for the next moment of a schedule that is not planned yet.")
    dispatched_at: Moment | None
    started_at: Moment | None
    last_outcome: str | None = Field(description="The outcome code of the attempt before.")


class ScheduledJobPage(View):
    items: list[ScheduledJobView]
    next_cursor: str | None = Field(description="Pass it as `cursor` for the next page; null on the last.")


class ScheduledJobsMade(View):
    scheduled_jobs: list[ScheduledJobView]
