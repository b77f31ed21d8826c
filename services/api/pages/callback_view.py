"""What the page of a callback’s result shows besides: the job, where it was sent, and its replays."""

from dataclasses import dataclass
from urllib.parse import urlsplit
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.api.job_results.schemas import ResultView
from shared.models import DeadLetter, Job, JobResult


@dataclass(frozen=True, slots=True)
class CallbackStory:
    """`target` is the host only: the rest of a URL may hold secrets. `replay_ended` when there is a result to see."""

    job: str
    method: str
    target: str
    dead: bool
    replay_id: UUID | None
    replay_ended: bool


async def read_callback(session: AsyncSession, result: ResultView) -> CallbackStory | None:
    """None for the result of a check."""
    if result.job_id is None:
        return None
    job = await session.get(Job, result.job_id)
    letter = await session.get(DeadLetter, result.id)
    replay_id = letter.replay_id if letter else None
    ended = replay_id is not None and await session.scalar(select(JobResult.id).where(JobResult.id == replay_id))
    return CallbackStory(
        job=job.name if job else "that was deleted",
        method=job.http_method.upper() if job else "",
        target=_host(job.callback_url) if job else "",
        dead=letter is not None,
        replay_id=replay_id,
        replay_ended=bool(ended),
    )


def _host(url: str) -> str:
    try:
        parts = urlsplit(url)
        return f"{parts.hostname}:{parts.port}" if parts.port else parts.hostname or ""
    except ValueError:
        return ""
