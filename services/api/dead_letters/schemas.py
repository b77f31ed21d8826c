from typing import Any, Literal
from uuid import UUID

from pydantic import ConfigDict, Field

from services.api.fields import Moment, OutcomeView, Sent, SentMoment, UntilMoment, View
from services.api.pagination import PageQuery

MAX_REPLAYED = 1_000
EXAMPLE: dict[str, Any] = {
    "id": "0b8a1f2e-9a40-5f3c-8b4c-6d1f5c1f7a10",
    "job": {"id": "b4b6c1de-2f7f-4d0b-9d2b-8a0c5a3f1e22", "name": "Nightly export"},
    "due_at": "2026-11-21T06:00:00Z",
    "died_at": "2026-11-21T06:05:31Z",
    "outcome": {
        "code": "callback_rejected",
        "class": "partner_failure",
        "success": False,
        "message": "The callback answered 422.",
    },
    "attempt_count": 5,
    "replayed": None,
}


class DeadLetterQuery(PageQuery):
    job: UUID | None = Field(default=None, description="The job's id.")
    replayed: Literal["true", "false"] | None = Field(
        default=None,
        description="`false`: never replayed, or the last replay has ended without success. `true`: all others.",
    )
    since: SentMoment | None = Field(default=None, description="Failed for good at this moment or later.")
    until: UntilMoment = Field(default=None, description="Failed for good before this moment.")


class BulkReplaySent(Sent):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"job": "b4b6c1de-2f7f-4d0b-9d2b-8a0c5a3f1e22", "since": "2026-11-21T06:00:00Z"}]
        }
    )

    job: UUID = Field(strict=False, description="The job's id.")
    since: SentMoment | None = Field(default=None, description="Failed for good at this moment or later.")
    until: UntilMoment = Field(default=None, description="Failed for good before this moment.")


class NamedJob(View):
    id: UUID
    name: str


class Replayed(View):
    """The last replay: when and by whom it was asked for, and the scheduled job, whose result has the same id."""

    at: Moment
    by: str
    id: UUID
    outcome: OutcomeView | None = Field(description="How it ended; null while it is under way.")


class DeadLetterView(View):
    """A due moment of a job that failed for good."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    id: UUID = Field(description="The id of its result, see `/job-results/{id}`.")
    job: NamedJob
    due_at: Moment
    died_at: Moment = Field(description="When the last attempt had failed.")
    outcome: OutcomeView
    attempt_count: int
    replayed: Replayed | None = Field(description="Null when it was not replayed yet.")


class DeadLetterPage(View):
    items: list[DeadLetterView]
    next_cursor: str | None = Field(description="Pass it as `cursor` for the next page; null on the last.")


class BulkReplay(View):
    replayed: int = Field(description=f"How many; at most {MAX_REPLAYED:,} a call, those never replayed first.")
