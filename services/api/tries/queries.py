from typing import Any, Literal
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.api.errors import NotFound
from services.api.fields import outcome_view
from services.api.job_results.queries import check_results
from services.api.job_results.schemas import EvidenceLink
from services.api.tries.schemas import TryView
from shared.models import CheckTry, ScheduledJob, TryEvidence

_OF_REPORT = (
    "started_at",
    "duration_seconds",
    "node",
    "browser_name",
    "browser_version",
    "final_url",
    "title",
    "traceback",
)


async def read_try(session: AsyncSession, try_id: UUID) -> TryView:
    """Raises `NotFound`, also once it is no longer kept."""
    # Before the row itself: a try that ends in between is read as ended then, and not as one that waits.
    running = await session.scalar(select(ScheduledJob.state).where(ScheduledJob.id == try_id)) == "running"
    row = await session.get(CheckTry, try_id)
    if row is None:
        raise NotFound(f"There is no try {try_id} (they are not kept for long).")
    pieces = select(TryEvidence.name, TryEvidence.content_type, TryEvidence.attempt).where(TryEvidence.try_id == try_id)
    of_last = pieces.where(TryEvidence.attempt == row.report.get("attempt", 0)).order_by(TryEvidence.name)
    links = [
        EvidenceLink(
            name=piece.name,
            content_type=piece.content_type,
            bytes=None,
            href=f"/api/v1/tries/{try_id}/evidence/{piece.name}",
        )
        for piece in await session.execute(of_last)
    ]
    return try_view(row, "running" if running else "waiting", links)


def try_view(row: CheckTry, state: Literal["waiting", "running"], evidence: list[EvidenceLink]) -> TryView:
    """`state` counts while the try has not ended."""
    report: dict[str, Any] = row.report
    outcome = outcome_view(row.outcome_code, row.message, row.outcome_class) if row.outcome_code else None
    fields = {
        **{name: getattr(row, name) for name in ("id", "partner", "browser", "check", "created_at", "created_by")},
        **{name: report.get(name) for name in _OF_REPORT},
        "state": "ended" if row.ended_at else state,
        "ended_at": row.ended_at,
        "outcome": outcome,
        "checks": check_results(report.get("checks") or ()),
        "evidence": evidence,
        "console_errors": report.get("console_errors") or [],
    }
    return TryView.model_validate(fields)


async def find_try_evidence(session: AsyncSession, try_id: UUID, name: str) -> TryEvidence:
    """Of the last attempt. Raises `NotFound`."""
    query = select(TryEvidence).where(TryEvidence.try_id == try_id, TryEvidence.name == name)
    found = await session.scalar(query.order_by(TryEvidence.attempt.desc()).limit(1))
    if found is None:
        raise NotFound(f"There is no evidence {name!r} of this try (it is not kept for long).")
    return found
