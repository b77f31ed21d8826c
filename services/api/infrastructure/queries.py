"""What we ourselves are doing: from the ledger, and from the Grid."""

from collections import Counter
from dataclasses import dataclass

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from services.api.infrastructure.grid import read_grid
from services.api.infrastructure.schemas import (
    InfrastructureView,
    LaneSlots,
    OutcomeCount,
    OutcomeCounts,
    QueueDepth,
    ReplicaView,
    Runners,
    Schedulers,
)
from services.api.infrastructure.troubles import read_accounts, read_nodes
from services.api.settings import ApiSettings
from shared.domain.outcome import OutcomeClass
from shared.models import Replica

PRIORITIES = ("high", "normal", "low")

_OVERDUE = text("""
    SELECT count(*), coalesce(extract(epoch FROM clock_timestamp() - min(run_after)), 0)::float
    FROM scheduled_jobs WHERE state = 'planned' AND run_after <= clock_timestamp()
""")
_DISPATCHED = text("""
    SELECT lanes.lane, priorities.priority, count(jobs.id) AS depth
    FROM (SELECT DISTINCT lane FROM schedules UNION SELECT lane FROM scheduled_jobs WHERE state = 'dispatched') lanes
    CROSS JOIN (VALUES (0), (1), (2)) AS priorities(priority)
    LEFT JOIN scheduled_jobs jobs
           ON jobs.state = 'dispatched' AND (jobs.lane, jobs.priority) = (lanes.lane, priorities.priority)
    GROUP BY 1, 2 ORDER BY 1, 2
""")
_LAST_HOUR = text("""
    SELECT outcome_class, outcome_code, count(*) FROM job_results
    WHERE recorded_at > now() - interval '1 hour' AND outcome_class IN ('infrastructure_failure', 'not_run')
    GROUP BY 1, 2 ORDER BY 3 DESC, 2
""")


@dataclass(frozen=True, slots=True)
class LastHour:
    """Results of the last hour that say nothing about a partner or a job."""

    failures: OutcomeCounts
    not_run: OutcomeCounts


@dataclass(frozen=True, slots=True)
class Overdue:
    """Scheduled jobs that are due and not dispatched."""

    count: int
    oldest_seconds: float


async def read_infrastructure(session: AsyncSession, settings: ApiSettings) -> InfrastructureView:
    """Grid, queues, replicas, lateness and failures of the last hour. Waits at most 2 s for the Grid."""
    # The Grid first, so that no database connection is held while it is slow to answer.
    grid = await read_grid(settings.webdriver_url)
    alive = await read_alive(session)
    last_hour = await read_last_hour(session)
    return InfrastructureView(
        as_of=(await session.execute(text("SELECT now()"))).scalar_one(),
        grid=grid,
        nodes=await read_nodes(session),
        accounts=await read_accounts(session),
        queues=await read_queues(session),
        replicas=[ReplicaView.model_validate(replica) for replica in alive],
        schedulers=_schedulers(alive, await read_overdue(session)),
        runners=_runners(alive),
        failures_last_hour=last_hour.failures,
        not_run_last_hour=last_hour.not_run,
    )


async def read_alive(session: AsyncSession) -> list[Replica]:
    """The schedulers and runners that renewed their row within 3 seconds."""
    alive = select(Replica).where(Replica.renewed_at > text("clock_timestamp() - interval '3 seconds'"))
    return list(await session.scalars(alive.order_by(Replica.kind, Replica.started_at, Replica.id)))


async def read_overdue(session: AsyncSession) -> Overdue:
    count, oldest = (await session.execute(_OVERDUE)).one()
    return Overdue(count, max(oldest, 0.0))


async def read_queues(session: AsyncSession) -> list[QueueDepth]:
    rows = await session.execute(_DISPATCHED)
    return [QueueDepth(lane=lane, priority=PRIORITIES[priority], depth=depth) for lane, priority, depth in rows]


async def read_last_hour(session: AsyncSession) -> LastHour:
    found: dict[str, list[OutcomeCount]] = {OutcomeClass.INFRASTRUCTURE_FAILURE: [], OutcomeClass.NOT_RUN: []}
    for outcome_class, code, count in await session.execute(_LAST_HOUR):
        found[outcome_class].append(OutcomeCount(code=code, count=count))
    failures, not_run = (
        OutcomeCounts(total=sum(entry.count for entry in entries), by_code=entries) for entries in found.values()
    )
    return LastHour(failures, not_run)


def _schedulers(alive: list[Replica], overdue: Overdue) -> Schedulers:
    reports = [replica.report for replica in alive if replica.kind == "scheduler"]
    lateness = [float(report["lateness_p99_ms"]) for report in reports if report.get("lateness_p99_ms") is not None]
    rates = [
        float(report["dispatched_per_second"]) for report in reports if report.get("dispatched_per_second") is not None
    ]
    return Schedulers(
        alive=len(reports),
        lateness_p99_seconds=max(lateness) / 1000 if lateness else None,
        dispatched_per_second=sum(rates) if rates else None,
        overdue=overdue.count,
        oldest_overdue_seconds=overdue.oldest_seconds,
    )


def _runners(alive: list[Replica]) -> Runners:
    reports = [replica.report for replica in alive if replica.kind == "runner"]
    slots, busy = Counter[str](), Counter[str]()
    trouble: dict[str, str] = {}
    for report in reports:
        trouble |= {f"browser.{name}": why for name, why in (report.get("grid") or {}).get("trouble", {}).items()}
        for lane, told in (report.get("lanes") or {}).items():
            slots[lane] += int(told.get("slots") or 0)
            busy[lane] += int(told.get("busy") or 0)
    return Runners(
        alive=len(reports),
        slots=sum(int(report.get("slots") or 0) for report in reports),
        busy=sum(int(report.get("busy") or 0) for report in reports),
        lanes=[
            LaneSlots(lane=lane, slots=slots[lane], busy=busy[lane], trouble=trouble.get(lane))
            for lane in sorted(slots)
        ],
    )
