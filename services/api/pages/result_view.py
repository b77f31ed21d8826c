"""One run, and how to tell it: what broke, where, whose fault, step by step, with its neighbours."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any
from uuid import UUID

from sqlalchemy import select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from services.api.job_results.last_good import final_picture
from services.api.job_results.queries import read_result
from services.api.job_results.schemas import AttemptView, CheckResult, EvidenceLink, ResultView, StepView
from services.api.pages.callback_view import read_callback
from services.api.pages.network_view import NOTHING_HEARD, Heard, read_heard
from services.api.pages.words import CLASSES, TARGETS_SIDE, check_words, headline, job_headline
from services.api.status.diagnoses import read_diagnoses_of_result
from shared.domain.outcome import OutcomeClass
from shared.evidence_store import EvidenceStore, Place
from shared.models import Attempt, JobResult, Partner

PICTURES = ("image/png", "image/jpeg")
LEAST_SHARE = 0.6


@dataclass(frozen=True, slots=True)
class StepBar:
    """A step in the waterfall; `start` and `width` in percent of the check."""

    name: str
    detail: str
    ok: bool
    offset_seconds: float
    duration_seconds: float | None
    start: float
    width: float
    picture: EvidenceLink | None = None


@dataclass(frozen=True, slots=True)
class CheckStory:
    check: CheckResult
    steps: list[StepBar]

    @property
    def pictured(self) -> bool:
        return any(step.picture for step in self.steps)


@dataclass(frozen=True, slots=True)
class AttemptStory:
    """`final` is the picture of the last page, of the check that failed; `others` are shown by no step either."""

    attempt: AttemptView
    session_id: str | None
    checks: list[CheckStory]
    final: EvidenceLink | None
    others: list[EvidenceLink]
    files: list[EvidenceLink]
    heard: Heard = NOTHING_HEARD


async def read_result_page(session: AsyncSession, store: EvidenceStore, result_id: UUID) -> dict[str, Any] | None:
    """What the template shows; None when there is no such result."""
    result = await read_result(session, result_id)
    if result is None:
        return None
    found = await session.execute(
        select(Attempt.number, Attempt.session_id).where(Attempt.scheduled_job_id == result_id)
    )
    sessions = {row.number: row.session_id for row in found}
    name = await session.scalar(select(Partner.name).where(Partner.code == result.partner))
    partner = name or result.partner or "this job"
    attempts = [_story(attempt, sessions.get(attempt.number)) for attempt in result.attempts]
    if attempts:
        last = result.attempts[-1]
        heard = await read_heard(store, Place.of(result_id, result.due_at, last.number), last)
        attempts[-1] = replace(attempts[-1], heard=heard)
    callback = await read_callback(session, result)
    looks = {kind.value: values for kind, values in CLASSES.items()}
    if callback is not None:
        said = job_headline(result.outcome, callback.job)
        theirs = OutcomeClass.PARTNER_FAILURE
        looks[theirs.value] = (*CLASSES[theirs][:2], TARGETS_SIDE)
    else:
        said = headline(result.outcome, _what(result), partner, result.browser or "no browser")
    look, icon, whose = looks[result.outcome.outcome_class.value]
    quiet = callback is not None or result.outcome.success
    return {
        "result": result,
        "partner": partner,
        "callback": callback,
        "headline": said,
        "diagnoses": [] if quiet else await read_diagnoses_of_result(session, result_id),
        "look": look,
        "icon_of_result": icon,
        "whose": whose,
        "looks": looks,
        "attempts": attempts[::-1],
        "previous": await _neighbour(session, result, newer=False),
        "next": await _neighbour(session, result, newer=True),
    }


def _what(result: ResultView) -> str:
    """The checks that decided, in words."""
    deciding = [check.check for check in result.checks if check.outcome.code == result.outcome.code]
    names = [check_words(check) for check in deciding or [check.check for check in result.checks]]
    return " and ".join(names[:1] + [name.lower() for name in names[1:]]) or "The check"


def _story(attempt: AttemptView, session_id: str | None) -> AttemptStory:
    pictures = {entry.name: entry for entry in attempt.evidence if entry.content_type in PICTURES}
    checks = [CheckStory(check, waterfall(check.steps, check.duration_seconds, pictures)) for check in attempt.checks]
    failed = next((check.check for check in attempt.checks if not check.outcome.success), None)
    final = final_picture(attempt.evidence, failed)
    shown = [step.picture for check in checks for step in check.steps] + [final]
    return AttemptStory(
        attempt,
        session_id,
        checks,
        final,
        [picture for picture in pictures.values() if picture not in shown],
        [entry for entry in attempt.evidence if entry.content_type not in PICTURES],
    )


def waterfall(
    steps: list[StepView], seconds: float | None, pictures: Mapping[str, EvidenceLink] = MappingProxyType({})
) -> list[StepBar]:
    """Steps by when they began and how long they took. One without an offset is taken to follow the one before."""
    told: list[tuple[StepView, float, float | None]] = []
    end = 0.0
    for step in steps:
        extra = step.model_extra or {}
        took = extra.get("duration_seconds")
        took = float(took) if isinstance(took, int | float) else None
        offset = end if step.offset_seconds is None else step.offset_seconds
        end = offset + (took or 0)
        told.append((step, offset, took))
    whole = max([seconds or 0, *(offset + (took or 0) for _, offset, took in told)]) or 1
    return [
        StepBar(
            name=step.name,
            detail=str((step.model_extra or {}).get("detail") or (step.model_extra or {}).get("url") or ""),
            ok=(step.model_extra or {}).get("ok") is not False,
            offset_seconds=offset,
            duration_seconds=took,
            start=round(min(offset / whole * 100, 100 - LEAST_SHARE), 2),
            width=round(max((took or 0) / whole * 100, LEAST_SHARE), 2),
            picture=pictures.get(step.evidence or ""),
        )
        for step, offset, took in told
    ]


async def _neighbour(session: AsyncSession, result: ResultView, *, newer: bool) -> UUID | None:
    """The next or previous result of the same pairing or job."""
    mine, place = tuple_(JobResult.due_at, JobResult.id), (result.due_at, result.id)
    order = (JobResult.due_at, JobResult.id) if newer else (JobResult.due_at.desc(), JobResult.id.desc())
    if result.job_id is not None:
        same = [JobResult.job_id == result.job_id]
    else:
        same = [
            JobResult.partner == result.partner,
            JobResult.browser == result.browser,
            JobResult.job_configuration_id.is_not_distinct_from(result.job_configuration_id),
        ]
    query = select(JobResult.id).where(*same, mine > place if newer else mine < place)
    found: UUID | None = await session.scalar(query.order_by(*order).limit(1))
    return found
