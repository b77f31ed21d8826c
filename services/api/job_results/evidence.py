"""Evidence was captured from sites we do not control: it is served so that a browser shows it and runs none of it."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.api.errors import NotFound
from services.api.job_results.schemas import EvidenceLink
from shared.models import Attempt

SHOWN = ("image/png", "image/jpeg", "application/json")
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "private, no-store",
}


def evidence_links(attempt: Attempt) -> list[EvidenceLink]:
    """None once it is no longer kept."""
    if attempt.evidence_removed_at is not None:
        return []
    return [
        EvidenceLink(
            name=entry["name"],
            content_type=entry["content_type"],
            bytes=entry.get("bytes"),
            href=f"/api/v1/job-results/{attempt.scheduled_job_id}/evidence/{entry['name']}?attempt={attempt.number}",
        )
        for entry in attempt.evidence
    ]


@dataclass(frozen=True, slots=True)
class EvidenceEntry:
    due_at: datetime
    attempt: int
    content_type: str


async def find_evidence(session: AsyncSession, result_id: UUID, name: str, attempt: int | None) -> EvidenceEntry:
    """Only what an attempt noted. Raises `NotFound`."""
    query = select(Attempt).where(Attempt.scheduled_job_id == result_id).order_by(Attempt.number.desc())
    if attempt is not None:
        query = query.where(Attempt.number == attempt)
    for row in await session.scalars(query):
        for entry in row.evidence:
            if entry["name"] == name and row.evidence_removed_at is not None:
                raise NotFound("This evidence is no longer kept.")
            if entry["name"] == name:
                return EvidenceEntry(row.due_at, row.number, entry["content_type"])
    raise NotFound(f"There is no evidence {name!r} of this result.")


def served_as(name: str, content_type: str) -> tuple[str, dict[str, str]]:
    """The media type and headers. Whatever is not harmless by itself is plain text, to be saved."""
    if content_type in SHOWN:
        return content_type, HEADERS
    return "text/plain; charset=utf-8", {**HEADERS, "Content-Disposition": f'attachment; filename="{name}.txt"'}
