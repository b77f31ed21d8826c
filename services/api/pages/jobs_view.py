"""The jobs on the status page. Pure."""

from dataclasses import dataclass

from services.api.pages.status_view import STATES, Cell, bars, bars_summary
from services.api.pages.words import CLASSES, TARGETS_SIDE, code_words, duration, schedule_words
from services.api.status.schemas import JobsStatus, JobStatus
from shared.domain.outcome import OutcomeClass

MOST_SHOWN = 60


@dataclass(frozen=True, slots=True)
class JobsSection:
    """`totals`: (state, word, how many), of the states that any job is in."""

    count: int
    paused_count: int
    totals: list[tuple[str, str, int]]
    cells: list[Cell]


def jobs_section(jobs: JobsStatus) -> JobsSection:
    counts = [(state, word, getattr(jobs.totals, state)) for state, word in STATES.items()]
    return JobsSection(
        count=jobs.totals.jobs,
        paused_count=jobs.totals.paused,
        totals=[entry for entry in counts if entry[2]],
        cells=[_cell(job) for job in jobs.items[:MOST_SHOWN]],
    )


def _cell(job: JobStatus) -> Cell:
    ran = (result for result in job.recent if result.outcome_class is not OutcomeClass.NOT_RUN)
    newest = next(ran, job.recent[0] if job.recent else None)
    last, timing = job.last_result, job.timing
    look, icon, _ = CLASSES[newest.outcome_class] if newest else ("not-run", "unknown", "")
    return Cell(
        key=f"job-{job.id}",
        check=job.name,
        browser=schedule_words(timing.cron, timing.timezone, timing.interval_seconds, timing.fixed_delay),
        state=job.state.value,
        word=STATES[job.state.value],
        since=job.since,
        result_id=newest.id if newest else None,
        look=look,
        icon=icon,
        outcome=code_words(newest.code) if newest else "No result yet",
        message=last.outcome.message if last and newest and last.id == newest.id else "",
        ours=newest is not None and newest.outcome_class is OutcomeClass.INFRASTRUCTURE_FAILURE,
        at=newest.due_at if newest else None,
        took=duration(newest.duration_seconds) if newest else "",
        bars=bars(job.recent, TARGETS_SIDE),
        bars_summary=bars_summary(job.recent, TARGETS_SIDE),
        next_due=job.next_due,
        paused=job.paused is not None,
        paused_reason=job.paused.reason if job.paused else None,
        paused_until=job.paused.until if job.paused else None,
        # A replay may pass while the job itself still fails.
        failures_in_a_row=job.failures_in_a_row if look == "failed" else 0,
        whose="the job’s",
    )
