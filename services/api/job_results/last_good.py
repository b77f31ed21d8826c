"""How it looked when it last worked, to be put beside a failure."""

from datetime import timedelta

from sqlalchemy import func, literal, literal_column, select, tuple_
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession

from services.api.job_results.evidence import evidence_links
from services.api.job_results.schemas import EvidenceLink, LastGood
from shared.domain.outcome import CATALOGUE, OutcomeClass
from shared.models import Attempt, JobResult

GOOD = (OutcomeClass.PASSED.value, OutcomeClass.DEGRADED.value)
LOOKED_BACK = timedelta(days=90)
FINAL = "screenshot."
"""How the names of pictures of a last page begin, after the check's name where there are several."""


async def find_last_good(session: AsyncSession, result: JobResult) -> LastGood | None:
    """None for what did not fail, never passed before, or is no check."""
    if result.partner is None or CATALOGUE[result.outcome_code].success or not result.checks:
        return None
    names = func.jsonb_path_query_array(JobResult.checks, literal_column("'$[*].check'"))
    found = await session.scalar(
        select(JobResult)
        .where(
            JobResult.partner == result.partner,
            JobResult.browser == result.browser,
            JobResult.job_configuration_id.is_not_distinct_from(result.job_configuration_id),
            JobResult.outcome_class.in_(GOOD),
            tuple_(JobResult.due_at, JobResult.id) < (result.due_at, result.id),
            JobResult.due_at >= result.due_at - LOOKED_BACK,
            names == literal([check["check"] for check in result.checks], JSONB),
        )
        .order_by(JobResult.due_at.desc(), JobResult.id.desc())
        .limit(1)
    )
    if found is None:
        return None
    attempt = await session.scalar(
        select(Attempt)
        .where(Attempt.scheduled_job_id == found.id, Attempt.due_at == found.due_at)
        .order_by(Attempt.number.desc())
        .limit(1)
    )
    failed = next((check["check"] for check in result.checks if check["code"] == result.outcome_code), None)
    picture = final_picture(evidence_links(attempt), failed) if attempt is not None else None
    return LastGood(id=found.id, due_at=found.due_at, evidence=picture)


def final_picture(links: list[EvidenceLink], check: str | None) -> EvidenceLink | None:
    """Of the last page of an attempt: of this check, where each has its own."""
    pictures = {link.name: link for link in links if link.name.startswith(FINAL) or f"-{FINAL}" in link.name}
    return next((link for name, link in pictures.items() if name.startswith(f"{check}-")), None) or next(
        iter(pictures.values()), None
    )
