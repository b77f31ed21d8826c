"""From the state of everything to what the status page shows. Pure."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from services.api.infrastructure.schemas import InfrastructureView, Schedulers
from services.api.pages.words import CLASSES, check_words, code_words, duration, exact
from services.api.status.schemas import CheckStatus, PartnerStatus, RecentResult, StatusView
from shared.domain.outcome import OutcomeClass

LATE_WARN_SECONDS, LATE_BAD_SECONDS = 5, 30
QUEUE_WARN_PER_SLOT = 5
BARS, BAR_STEP, BAR_HEIGHT, LEAST_BAR = 30, 7, 28, 4
STATES = {"working": "Working", "degraded": "Degraded", "failing": "Failing", "unknown": "Unknown"}
THE_PARTNERS = CLASSES[OutcomeClass.PARTNER_FAILURE][2]
LEVELS = {"ok": "OK", "warn": "Warning", "bad": "Problem"}


@dataclass(frozen=True, slots=True)
class Bar:
    x: int
    y: float
    height: float
    look: str
    title: str


@dataclass(frozen=True, slots=True)
class Cell:
    """One check in one browser. `ours` when the latest result says nothing about the partner."""

    key: str
    check: str
    browser: str
    state: str
    word: str
    since: datetime | None
    result_id: UUID | None
    look: str
    icon: str
    outcome: str
    message: str
    ours: bool
    at: datetime | None
    took: str
    bars: list[Bar]
    bars_summary: str
    next_due: datetime | None
    paused: bool
    paused_reason: str | None
    paused_until: datetime | None
    failures_in_a_row: int
    diagnosis: str = ""
    whose: str = "the partner’s"


@dataclass(frozen=True, slots=True)
class Row:
    partner: PartnerStatus
    cells: list[Cell]


@dataclass(frozen=True, slots=True)
class Sign:
    """One line of “Is it us?”."""

    name: str
    level: str
    detail: str

    @property
    def word(self) -> str:
        return LEVELS[self.level]


def status_page(status: StatusView, infrastructure: InfrastructureView) -> dict[str, Any]:
    signs = read_signs(infrastructure)
    worst = next((level for level in ("bad", "warn") if any(sign.level == level for sign in signs)), "ok")
    return {
        "now": status.as_of,
        "totals": [(state, word, getattr(status.totals, state)) for state, word in STATES.items()],
        "partner_count": status.totals.partners,
        "paused_count": status.totals.paused,
        "rows": [Row(partner, [_cell(partner.code, check) for check in partner.checks]) for partner in status.partners],
        "signs": signs,
        "verdict": worst,
    }


def _cell(partner: str, check: CheckStatus) -> Cell:
    last = check.last_result
    look, icon, _ = CLASSES[last.outcome.outcome_class] if last else ("not-run", "unknown", "")
    return Cell(
        key=f"{partner}-{check.check}-{check.browser}",
        check=check_words(check.check),
        browser=check.browser,
        state=check.state.value,
        word=STATES[check.state.value],
        since=check.since,
        result_id=last.id if last else None,
        look=look,
        icon=icon,
        outcome=code_words(last.outcome.code) if last else "No result yet",
        message=last.outcome.message if last else "",
        ours=last is not None and last.outcome.outcome_class is OutcomeClass.INFRASTRUCTURE_FAILURE,
        at=(last.executed_at or last.due_at) if last else None,
        took=duration(last.duration_seconds) if last else "",
        bars=bars(check.recent),
        bars_summary=bars_summary(check.recent),
        next_due=check.next_due,
        paused=check.paused,
        paused_reason=check.paused_reason,
        paused_until=check.paused_until,
        failures_in_a_row=check.failures_in_a_row,
        diagnosis=check.diagnosis.sentence if check.diagnosis else "",
    )


def bars(recent: list[RecentResult], their_side: str = THE_PARTNERS) -> list[Bar]:
    """Oldest on the left, newest at the right edge; the longest of them is as high as it gets."""
    longest = max((result.duration_seconds or 0 for result in recent), default=0) or 1
    drawn = []
    for place, result in enumerate(reversed(recent[:BARS]), BARS - min(len(recent), BARS)):
        share = (result.duration_seconds or 0) / longest
        height = round(LEAST_BAR + (BAR_HEIGHT - LEAST_BAR) * share, 1)
        look, _, whose = _class(result, their_side)
        took = f", {duration(result.duration_seconds)}" if result.duration_seconds is not None else ""
        title = f"{exact(result.due_at)}: {code_words(result.code)}{took} ({whose})"
        drawn.append(Bar(place * BAR_STEP, BAR_HEIGHT - height, height, look, title))
    return drawn


def bars_summary(recent: list[RecentResult], their_side: str = THE_PARTNERS) -> str:
    counts = Counter(_class(result, their_side)[2].lower() for result in recent)
    told = ", ".join(f"{count} {whose}" for whose, count in counts.most_common())
    return f"Last {len(recent)} results: {told}" if recent else "No results yet"


def _class(result: RecentResult, their_side: str) -> tuple[str, str, str]:
    look, icon, whose = CLASSES[result.outcome_class]
    return look, icon, their_side if result.outcome_class is OutcomeClass.PARTNER_FAILURE else whose


def read_signs(view: InfrastructureView) -> list[Sign]:
    """Whether it may be us, each with a level."""
    queued, runners, failures = sum(queue.depth for queue in view.queues), view.runners, view.failures_last_hour
    crowded = queued > max(runners.slots, 1) * QUEUE_WARN_PER_SLOT
    busy = f"{runners.alive} alive, {runners.busy} of {runners.slots} slots busy"
    codes = ", ".join(f"{entry.count} × {code_words(entry.code)}" for entry in failures.by_code[:3])
    return [
        _grid_sign(view),
        Sign("Queue", "warn" if crowded else "ok", f"{queued} waiting for a runner"),
        Sign("Runners", "ok", busy) if runners.alive else Sign("Runners", "bad", "None is alive"),
        _scheduler_sign(view.schedulers),
        Sign("Our failures", "warn" if failures.total else "ok", f"{codes or 'None'} in the last hour"),
    ]


def _scheduler_sign(scheduler: Schedulers) -> Sign:
    if not scheduler.alive:
        return Sign("Scheduler", "bad", "None is alive")
    late = max(scheduler.oldest_overdue_seconds, scheduler.lateness_p99_seconds or 0)
    level = "bad" if late > LATE_BAD_SECONDS else "warn" if late > LATE_WARN_SECONDS else "ok"
    return Sign("Scheduler", level, f"{scheduler.alive} alive, late by {duration(late)}")


def _grid_sign(view: InfrastructureView) -> Sign:
    grid = view.grid
    if not grid.configured:
        return Sign("Grid", "warn", "Its address is not set")
    if not grid.reachable:
        return Sign("Grid", "bad", "Does not answer")
    avoided = sum(node.avoided_until is not None for node in view.nodes)
    stuck = next((lane.trouble for lane in view.runners.lanes if lane.trouble), None)
    if grid.slots is None:
        told, level = grid.message or "Answers", "ok" if grid.ready and stuck is None else "warn"
    else:
        told = f"{grid.busy} of {grid.slots} slots busy" + (f", {grid.queued} waiting" if grid.queued else "")
        level = "ok" if grid.ready and not avoided and stuck is None else "warn"
    if grid.slots == 0:
        return Sign("Grid", "bad", "Answers, but offers no slots")
    told += f", {avoided} node{'s' if avoided > 1 else ''} avoided" if avoided else ""
    return Sign("Grid", level, f"{told}. {stuck}" if stuck else told)
