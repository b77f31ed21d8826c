from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, select, tuple_, union_all
from sqlalchemy.ext.asyncio import AsyncSession

from services.api.fields import outcome_view
from services.api.job_results.evidence import evidence_links
from services.api.job_results.last_good import find_last_good
from services.api.job_results.schemas import (
    AttemptView,
    CheckResult,
    ResultPage,
    ResultQuery,
    ResultSummary,
    ResultView,
    StepView,
)
from services.api.pagination import moment_cursor, write_cursor
from shared.models import Attempt, JobResult

_SUMMARY_FIELDS = [
    "id",
    "schedule_id",
    "origin",
    "kind",
    "job_configuration_id",
    "partner",
    "browser",
    "job_id",
    "replay_of",
    "due_at",
    "executed_at",
    "duration_seconds",
    "recorded_at",
]
_ATTEMPT_FIELDS = [
    "number",
    "started_at",
    "ended_at",
    "duration_seconds",
    "runner",
    "node",
    "browser_name",
    "browser_version",
    "final_url",
    "title",
    "console_errors",
    "evidence_removed_at",
    "traceback",
    "response",
]


async def read_result(session: AsyncSession, result_id: UUID) -> ResultView | None:
    """A result with its checks, steps and attempts; None when there is none of this id (yet)."""
    result = await session.scalar(select(JobResult).where(JobResult.id == result_id))
    if result is None:
        return None
    attempts = await session.scalars(
        select(Attempt)
        .where(Attempt.scheduled_job_id == result_id, Attempt.due_at == result.due_at)
        .order_by(Attempt.number)
    )
    return ResultView(
        **_summary_fields(result),
        checks=check_results(result.checks),
        last_good=await find_last_good(session, result),
        attempts=[_attempt(attempt) for attempt in attempts],
    )


async def list_results(session: AsyncSession, asked: ResultQuery) -> ResultPage:
    conditions = _conditions(asked)
    after = moment_cursor(asked.cursor)
    if after is not None:
        conditions.append(tuple_(JobResult.due_at, JobResult.id) < after)
    found = list(await session.scalars(_newest(asked, conditions)))
    items = [result_summary(result) for result in found[: asked.limit]]
    following = write_cursor((items[-1].due_at, items[-1].id)) if len(found) > asked.limit else None
    return ResultPage(items=items, next_cursor=following)


def _newest(asked: ResultQuery, conditions: list[ColumnElement[bool]]) -> Select[JobResult]:
    """One more than a page."""
    query, order = select(JobResult).where(*conditions), (JobResult.due_at.desc(), JobResult.id.desc())
    if asked.job is not None:
        # Each by its own index, which an OR of both would keep from being read in order.
        columns = (JobResult.job_configuration_id, JobResult.job_id)
        halves = [
            query.where(column == asked.job).with_only_columns(JobResult.id, JobResult.due_at) for column in columns
        ]
        either = union_all(*(half.order_by(*order).limit(asked.limit + 1).subquery().select() for half in halves))
        query = select(JobResult).where(tuple_(JobResult.id, JobResult.due_at).in_(either))
    return query.order_by(*order).limit(asked.limit + 1)


def _conditions(asked: ResultQuery) -> list[ColumnElement[bool]]:
    wanted = {
        JobResult.partner: asked.partner,
        JobResult.browser: asked.browser,
        JobResult.outcome_class: asked.outcome_class,
        JobResult.outcome_code: asked.outcome,
    }
    conditions = [column == value for column, value in wanted.items() if value is not None]
    if asked.check is not None:
        conditions.append(JobResult.checks.contains([{"check": asked.check}]))
    if asked.since is not None:
        conditions.append(JobResult.due_at >= asked.since)
    if asked.until is not None:
        conditions.append(JobResult.due_at < asked.until)
    return conditions


def result_summary(result: JobResult) -> ResultSummary:
    return ResultSummary(**_summary_fields(result))


def _summary_fields(result: JobResult) -> dict[str, Any]:
    return {
        **{name: getattr(result, name) for name in _SUMMARY_FIELDS},
        "attempt_count": result.attempts,
        "outcome": outcome_view(result.outcome_code, result.message, result.outcome_class),
    }


def check_results(checks: Sequence[dict[str, Any]]) -> list[CheckResult]:
    """As they are stored with an attempt, a result or a try."""
    return [
        CheckResult(
            check=check["check"],
            outcome=outcome_view(check["code"], check.get("message"), check.get("class")),
            duration_seconds=check.get("duration_seconds"),
            steps=[StepView.model_validate(step) for step in check.get("steps", ())],
            warnings=check.get("warnings", []),
        )
        for check in checks
    ]


def _attempt(attempt: Attempt) -> AttemptView:
    return AttemptView(
        **{name: getattr(attempt, name) for name in _ATTEMPT_FIELDS},
        outcome=outcome_view(attempt.outcome_code, attempt.message, attempt.outcome_class),
        checks=check_results(attempt.checks),
        evidence=evidence_links(attempt),
    )
