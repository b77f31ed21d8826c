from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncSession

from services.api.errors import FieldProblem, InvalidRequest
from services.api.jobs.queries import find_job, no_job, sent_form
from services.api.jobs.schemas import IntervalSent, JobSent
from services.api.merge_patch import validate_merged
from services.api.schedules.backfill import backfill
from services.api.schedules.commands import apply_changed, pause, resume, run_now
from services.api.schedules.definitions import lock_jobs, read_schedules
from services.api.schedules.schedule_rows import apply_definitions, remove_schedules
from services.api.schedules.schemas import Backfilled, BackfillSent, PauseSent
from shared.domain.address_guard import AddressGuard, ForbiddenAddress
from shared.models import DeadLetter, Job, ScheduledJob
from shared.secret_box import SecretBox, SecretUnreadable

SECRETS = ("secret_headers", "signing_secrets")
CHANGED = "The job was changed: it no longer runs."


async def create_job(session: AsyncSession, sent: JobSent, guard: AddressGuard, box: SecretBox) -> UUID:
    """With its schedule; its id. Raises `InvalidRequest` for an address that callbacks must not go to."""
    _require_allowed(sent, guard)
    job = Job(id=uuid4(), **_columns(sent))
    _seal(job, sent, SECRETS, box)
    session.add(job)
    await apply_definitions(session, [job], "")
    return job.id


async def replace_job(session: AsyncSession, job_id: UUID, sent: JobSent, guard: AddressGuard, box: SecretBox) -> None:
    """Secrets that are not sent stay as they are. Raises `NotFound`, `InvalidRequest`."""
    job = await _lock_job(session, job_id)
    named = [name for name in SECRETS if name in sent.job.model_fields_set]
    await _change(session, job, sent, named, guard, box)


async def edit_job(
    session: AsyncSession, job_id: UUID, patch: dict[str, Any], guard: AddressGuard, box: SecretBox
) -> None:
    """Merge, validate the whole, write, and make the schedule follow. Raises `NotFound`, `InvalidRequest`."""
    job = await _lock_job(session, job_id)
    of_callback = patch.get("job")
    named = [name for name in SECRETS if isinstance(of_callback, dict) and name in of_callback]
    before = sent_form(job)
    # Opened only when the patch is about them, so that an unreadable secret does not stand in the way of the rest.
    if "secret_headers" in named:
        before["job"]["secret_headers"] = _open(job.sealed_headers, box)
    await _change(session, job, validate_merged(JobSent, before, patch), named, guard, box)


async def delete_job(session: AsyncSession, job_id: UUID) -> None:
    """With its schedule, state and dead letters; results stay. Raises `NotFound`."""
    job = await _lock_job(session, job_id)
    await remove_schedules(session, [job], "The job was deleted.")
    await session.execute(delete(DeadLetter).where(DeadLetter.job_id == job_id))
    await session.delete(job)
    await session.flush()


async def pause_job(session: AsyncSession, job_id: UUID, sent: PauseSent, author: str) -> None:
    """Raises `NotFound`, and `InvalidRequest` for an end that is over."""
    await pause(session, [await _lock_job(session, job_id)], sent, author)


async def resume_job(session: AsyncSession, job_id: UUID) -> None:
    """Due next at the first moment from now. Raises `NotFound`."""
    await resume(session, [await _lock_job(session, job_id)])


async def run_job(session: AsyncSession, job_id: UUID) -> list[ScheduledJob]:
    """One scheduled job, due at once, ahead of others. Raises `NotFound`."""
    return await run_now(session, await read_schedules(session, await find_job(session, job_id, shared=True)))


async def backfill_job(session: AsyncSession, job_id: UUID, sent: BackfillSent) -> Backfilled:
    """Raises `NotFound`, `InvalidRequest`."""
    return await backfill(session, await read_schedules(session, await find_job(session, job_id, shared=True)), sent)


async def _lock_job(session: AsyncSession, job_id: UUID) -> Job:
    found = await lock_jobs(session, Job.id == job_id)
    if not found:
        raise no_job(job_id)
    return found[0]


async def _change(
    session: AsyncSession, job: Job, sent: JobSent, named: list[str], guard: AddressGuard, box: SecretBox
) -> None:
    # An address that is no longer allowed must not keep the job from being switched off.
    if sent.job.callback_url != job.callback_url:
        _require_allowed(sent, guard)
    for name, value in _columns(sent).items():
        setattr(job, name, value)
    _seal(job, sent, named, box)
    await apply_changed(session, [job], CHANGED)


def _require_allowed(sent: JobSent, guard: AddressGuard) -> None:
    """What the host says by itself; the address of a name is checked when it is connected to."""
    parts = urlsplit(sent.job.callback_url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        guard.check_host(parts.hostname or "", port)
    except ForbiddenAddress as error:
        message = f"{error}; an operator can allow it with PARAKEET_CALLBACK_ALLOW"
        raise InvalidRequest(FieldProblem(field="job.callback_url", message=message)) from None


def _columns(sent: JobSent) -> dict[str, Any]:
    return {
        **sent.model_dump(exclude={"schedule", "timezone", "job"}),
        **sent.job.model_dump(exclude=set(SECRETS)),
        "schedule": {**_timing(sent), "timezone": sent.timezone},
    }


def _timing(sent: JobSent) -> dict[str, Any]:
    return sent.schedule.model_dump() if isinstance(sent.schedule, IntervalSent) else {"cron": sent.schedule}


def _seal(job: Job, sent: JobSent, named: list[str] | tuple[str, ...], box: SecretBox) -> None:
    if "secret_headers" in named:
        headers = sent.job.plain_secret_headers()
        job.sealed_headers = box.seal(headers) if headers else None
    if "signing_secrets" in named:
        secrets = sent.job.plain_signing_secrets()
        job.sealed_signing_secrets = box.seal({"secrets": secrets}) if secrets else None


def _open(sealed: bytes | None, box: SecretBox) -> dict[str, Any]:
    """What a patch is merged into. Nothing when it can't be opened: then the patch must bring all of it."""
    try:
        return box.open(sealed) if sealed else {}
    except SecretUnreadable:
        return {}
