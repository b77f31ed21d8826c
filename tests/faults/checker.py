"""Compares the drained ledger with an oracle: every due moment must have ended in exactly one result."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg

from shared.domain.schedule import Timing
from tests.faults.sink import Received

Moment = tuple[UUID, datetime]

_LIVE = "SELECT schedule_id, due_at FROM scheduled_jobs WHERE origin = 'schedule'"
_RESULTS = """
    SELECT id, schedule_id, due_at, executed_at, outcome_code, outcome_class, attempts, token
    FROM job_results WHERE origin = 'schedule'
"""
_ATTEMPTS = """
    SELECT scheduled_job_id, number, token, started_at, outcome_code, due_at FROM attempts ORDER BY due_at, number
"""


@dataclass(frozen=True, slots=True)
class Watched:
    """A schedule and the stretch of time, both ends included, whose due moments are to be accounted for."""

    timing: Timing
    start: datetime
    end: datetime

    def due_moments(self) -> list[Moment]:
        """The oracle: by the rule alone, without the planner."""
        moments, moment = [], self.start
        while moment <= self.end:
            moments.append((self.timing.schedule_id, moment))
            moment = self.timing.due_after(moment)
        return moments

    def doubtful_moments(self) -> list[Moment]:
        """May be recorded or not: an edit was under way when they were due."""
        return []


@dataclass(slots=True)
class Findings:
    due: int = 0
    recorded: int = 0
    executed: int = 0
    requests: int = 0
    live: int = 0
    lost: list[Moment] = field(default_factory=list)
    duplicated: list[Moment] = field(default_factory=list)
    unexpected: list[Moment] = field(default_factory=list)
    early: list[str] = field(default_factory=list)
    inconsistent: list[str] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)

    @property
    def amplification(self) -> float:
        """Requests for each scheduled job that was executed; 1.0 when none was repeated."""
        return self.requests / self.executed if self.executed else 0.0

    def __str__(self) -> str:
        repeated = f", amplification {self.amplification:.3f}" if self.requests else ""
        return (
            f"due {self.due}, recorded {self.recorded}, live {self.live}, lost {len(self.lost)}, "
            f"duplicated {len(self.duplicated)}, unexpected {len(self.unexpected)}, early {len(self.early)}, "
            f"inconsistent {len(self.inconsistent)}{repeated}; outcomes {dict(self.outcomes)}"
        )

    def assert_none(self) -> None:
        print(self)
        wrong = {
            name: getattr(self, name)[:5]
            for name in ("lost", "duplicated", "unexpected", "early", "inconsistent")
            if getattr(self, name)
        }
        assert not wrong, f"{self}\n{wrong}"


async def check(database_url: str, watched: Iterable[Watched], requests: Sequence[Received] = ()) -> Findings:
    """What the tables say about the schedules that are watched, which must be all there are.

    To be asked when nothing is in hand any more: a job that is still live then is one that nobody will run.
    """
    connection = await asyncpg.connect(database_url.replace("+asyncpg", ""))
    try:
        # One snapshot: a job that ends between two reads would be seen in both tables, or in neither.
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            live = await connection.fetch(_LIVE)
            results = await connection.fetch(_RESULTS)
            attempts = await connection.fetch(_ATTEMPTS)
    finally:
        await connection.close()
    due = [moment for each in watched for moment in each.due_moments()]
    doubtful = [moment for each in watched for moment in each.doubtful_moments()]
    findings = compare(due, live, results, attempts, doubtful)
    if requests:
        look_at_requests(findings, requests, attempts)
    return findings


def compare(
    due: list[Moment], live: list[Any], results: list[Any], attempts: list[Any], doubtful: Sequence[Moment] = ()
) -> Findings:
    expected = set(due)
    seen = Counter((row["schedule_id"], row["due_at"].astimezone(UTC)) for row in [*results, *live])
    recorded = {(row["schedule_id"], row["due_at"].astimezone(UTC)) for row in results}
    findings = Findings(
        due=len(expected),
        recorded=len(results),
        live=len(live),
        lost=sorted(expected - recorded),
        duplicated=sorted(moment for moment, times in seen.items() if times > 1),
        unexpected=sorted(seen.keys() - expected - set(doubtful)),
        outcomes=Counter(row["outcome_code"] for row in results),
    )
    by_job: dict[UUID, list[Any]] = {}
    for attempt in attempts:
        by_job.setdefault(attempt["scheduled_job_id"], []).append(attempt)
        if attempt["started_at"] is not None and attempt["started_at"] < attempt["due_at"]:
            findings.early.append(f"attempt {attempt['number']} of {attempt['scheduled_job_id']}: {_lead(attempt)}")
    for row in results:
        if row["executed_at"] is not None and row["executed_at"] < row["due_at"]:
            findings.early.append(f"result {row['id']}: {row['due_at'] - row['executed_at']}")
        if reason := _disagreement(row, by_job.get(row["id"], [])):
            findings.inconsistent.append(f"result {row['id']}: {reason}")
    return findings


def look_at_requests(findings: Findings, requests: Sequence[Received], attempts: list[Any]) -> None:
    """What the sink saw, by its own clock: nothing early, and each attempt once, and recorded."""
    known = {(str(attempt["scheduled_job_id"]), attempt["number"]) for attempt in attempts}
    sent = Counter((request.message_id, request.attempt) for request in requests)
    findings.requests = len(requests)
    findings.executed = len({request.message_id for request in requests})
    findings.early.extend(
        f"request of {request.message_id}: {request.due_at - request.received_at} before it was due"
        for request in requests
        if request.due_at is not None and request.received_at < request.due_at
    )
    for (job, number), times in sent.items():
        if times > 1:
            findings.inconsistent.append(f"attempt {number} of {job} was sent {times} times")
        if (job, number) not in known:
            findings.inconsistent.append(f"attempt {number} of {job} was sent, but is not recorded")


def _lead(attempt: Any) -> str:
    return f"{attempt['due_at'] - attempt['started_at']} before it was due"


def _disagreement(result: Any, attempts: list[Any]) -> str:
    """Why a result and its attempts do not fit together; empty when they do."""
    numbers = [attempt["number"] for attempt in attempts]
    if numbers != list(range(1, result["attempts"] + 1)):
        return f"counts {result['attempts']} attempts, but there are {numbers}"
    if len({attempt["token"] for attempt in attempts}) != len(attempts):
        return "two attempts under one token"
    if result["outcome_class"] == "not_run":
        return "" if result["executed_at"] is None else "executed, but recorded as not run"
    if not attempts:
        return "executed without an attempt"
    last = attempts[-1]
    if (last["token"], last["outcome_code"]) != (result["token"], result["outcome_code"]):
        return "does not say what its last attempt says"
    return ""
