from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, func, select, text, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from services.api.errors import NotFound
from services.api.jobs.schemas import JobPage, JobQuery, JobView
from services.api.pagination import moment_cursor, write_cursor
from services.api.schedules.queries import paused_view
from shared.domain.schedule import Origin
from shared.domain.state import State
from shared.models import Job, JobState, Schedule, ScheduledJob
from shared.secret_box import SecretBox, SecretUnreadable

_Found = Row[Job, str | None, datetime | None, datetime | None]
_OWN_NAMES = (
    "name",
    "description",
    "timeout_seconds",
    "slow_after_seconds",
    "enabled",
    "retry",
    "overlap",
    "catch_up",
    "start_deadline_seconds",
    "jitter_seconds",
    "failing_after",
    "working_after",
    "priority",
    "tags",
)
_CALLBACK_NAMES = ("callback_url", "http_method", "payload", "headers", "success", "max_redirects")


async def find_job(session: AsyncSession, job_id: UUID, *, shared: bool = False) -> Job:
    """Shared, it is neither edited nor deleted until we commit. Raises `NotFound`."""
    job = await session.get(Job, job_id, with_for_update={"read": True} if shared else None)
    if job is None:
        raise no_job(job_id)
    return job


def no_job(job_id: UUID) -> NotFound:
    return NotFound(f"There is no job {job_id}.")


async def read_job(session: AsyncSession, job_id: UUID, box: SecretBox) -> JobView:
    """Raises `NotFound`."""
    found = (await session.execute(_jobs(Job.id == job_id))).one_or_none()
    if found is None:
        raise no_job(job_id)
    return _view(found, box)


async def list_jobs(session: AsyncSession, asked: JobQuery, box: SecretBox) -> JobPage:
    conditions: list[ColumnElement[bool]] = []
    if asked.tag is not None:
        conditions.append(Job.tags.contains([asked.tag]))
    if asked.enabled is not None:
        conditions.append(Job.enabled == asked.enabled)
    if asked.name is not None:
        conditions.append(Job.name.icontains(asked.name, autoescape=True))
    after = moment_cursor(asked.cursor)
    if after is not None:
        conditions.append(tuple_(Job.created_at, Job.id) > after)
    query = _jobs(*conditions).order_by(Job.created_at, Job.id).limit(asked.limit + 1)
    found = (await session.execute(query)).all()
    items = [_view(row, box) for row in found[: asked.limit]]
    following = write_cursor((items[-1].created_at, items[-1].id)) if len(found) > asked.limit else None
    return JobPage(items=items, next_cursor=following)


def _jobs(*conditions: ColumnElement[bool]) -> Select[Job, str | None, datetime | None, datetime | None]:
    # What is planned already comes before the schedule's own next due moment.
    planned = (
        select(func.min(ScheduledJob.due_at))
        .where(ScheduledJob.schedule_id == Schedule.id, ScheduledJob.origin == Origin.SCHEDULE)
        .where(ScheduledJob.due_at > func.now())
        .scalar_subquery()
    )
    next_due = func.least(planned, func.nullif(Schedule.next_due, text("'infinity'::timestamptz")))
    query = select(Job, JobState.state, JobState.since, next_due)
    joined = query.outerjoin(JobState, JobState.job_id == Job.id).outerjoin(Schedule, Schedule.job_id == Job.id)
    return joined.where(*conditions).execution_options(populate_existing=True)


def sent_form(job: Job) -> dict[str, Any]:
    """As it was sent, but without its secrets."""
    schedule: dict[str, Any] = job.schedule
    interval = {name: schedule[name] for name in ("interval_seconds", "interval_mode") if name in schedule}
    return {
        **{name: getattr(job, name) for name in _OWN_NAMES},
        "schedule": schedule.get("cron", interval),
        "timezone": schedule.get("timezone", "UTC"),
        "job": {name: getattr(job, name) for name in _CALLBACK_NAMES},
    }


def _view(found: _Found, box: SecretBox) -> JobView:
    job, state, since, next_due = found
    form = sent_form(job)
    secrets = {
        "secret_headers_set": _names_set(job.sealed_headers, box),
        "signing_secrets_set": _count_set(job.sealed_signing_secrets, box),
    }
    return JobView.model_validate(
        {
            **form,
            "job": {**form["job"], **secrets},
            "id": job.id,
            "paused": paused_view(job),
            "state": {"state": state or State.UNKNOWN, "since": since},
            "next_due": next_due,
            "created_at": job.created_at,
            "updated_at": job.updated_at,
        }
    )


def _names_set(sealed: bytes | None, box: SecretBox) -> list[str] | None:
    try:
        return sorted(box.open(sealed)) if sealed else []
    except SecretUnreadable:
        return None


def _count_set(sealed: bytes | None, box: SecretBox) -> int | None:
    try:
        return len(box.open(sealed)["secrets"]) if sealed else 0
    except SecretUnreadable:
        return None
