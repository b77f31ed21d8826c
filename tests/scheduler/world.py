"""A database with one partner, one browser and one job configuration, and what the duties need around it."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.clock import DatabaseClock
from shared.domain.schedule import SHARDS, Origin, scheduled_job_id, shard_of
from shared.queue import Message, Unconfirmed

LANE = "browser.chromium"
IDLE_IN_TRANSACTION = """
    SELECT count(*) AS number FROM pg_stat_activity
    WHERE datname = current_database() AND state = 'idle in transaction'
"""
RETRY = {
    "partner": {"attempts": 1, "backoff_seconds": 10},
    "infrastructure": {"attempts": 3, "backoff_seconds": 15},
}


@dataclass
class World:
    engine: AsyncEngine
    clock: DatabaseClock
    configuration: UUID = field(default_factory=uuid4)

    async def execute(self, statement: str, **values: Any) -> list[Any]:
        async with self.engine.begin() as connection:
            result = await connection.execute(text(statement), values)
            return list(result.all()) if result.returns_rows else []

    async def one(self, statement: str, **values: Any) -> Any:
        [row] = await self.execute(statement, **values)
        return row

    async def settle_in(self) -> None:
        await self.clock.synchronise()
        await self.execute(
            "INSERT INTO partners (code, name, entry_point) VALUES ('acme', 'Acme', 'https://acme.example/')"
        )
        await self.execute("INSERT INTO browsers (name, icon, capabilities) VALUES ('chromium', 'chromium', '{}')")
        await self.execute(
            "INSERT INTO job_configurations (id, partner, browsers, checks, schedule, timeout_seconds, retry, overlap,"
            " catch_up, start_deadline_seconds, jitter_seconds, failing_after, working_after, priority)"
            " VALUES (:id, 'acme', '{chromium}', '{login}', '{}', 60, CAST(:retry AS jsonb), 'skip', 'latest', 300, 0,"
            " 2, 2, 'normal')",
            id=self.configuration,
            retry=json.dumps(RETRY),
        )

    def in_seconds(self, seconds: float) -> datetime:
        return self.clock.now() + timedelta(seconds=seconds)

    async def schedule(self, next_due: datetime | None, **change: Any) -> UUID:
        """A schedule without a job configuration of its own, every minute unless told otherwise; None is paused."""
        id_ = uuid4()
        values = {
            "id": id_,
            "shard": shard_of(id_),
            "interval": 60,
            "cron": None,
            "timezone": "UTC",
            "overlap": "skip",
            "catch_up": "latest",
            "deadline": 300,
            "priority": 1,
            "configuration": None,
            **change,
        }
        due = ":next_due" if next_due is not None else "'infinity'"
        if next_due is not None:
            values["next_due"] = next_due
        await self.execute(
            "INSERT INTO schedules (id, kind, shard, next_due, interval_seconds, cron, timezone, jitter_seconds,"
            " overlap, catch_up, start_deadline_seconds, priority, lane, job_configuration_id, partner, browser)"
            f" VALUES (:id, 'check', :shard, {due}, :interval, :cron, :timezone, 0, :overlap, :catch_up, :deadline,"
            " :priority, 'browser.chromium', :configuration, 'acme', 'chromium')",
            **values,
        )
        return id_

    async def job(self, schedule: UUID | None = None, due_in: float = 0, **change: Any) -> UUID:
        """A scheduled job of the job configuration, planned unless told otherwise; further columns by name."""
        schedule = schedule or uuid4()
        due_at = self.in_seconds(due_in)
        columns = {
            "id": scheduled_job_id(schedule, Origin.SCHEDULE, due_at),
            "schedule_id": schedule,
            "origin": "schedule",
            "due_at": due_at,
            "kind": "check",
            "shard": shard_of(schedule),
            "lane": LANE,
            "priority": 1,
            "overlap": "skip",
            "job_configuration_id": self.configuration,
            "partner": "acme",
            "browser": "chromium",
            "run_after": due_at,
            "start_by": due_at + timedelta(seconds=300),
            **change,
        }
        names = ", ".join(columns)
        marks = ", ".join(f":{name}" for name in columns)
        await self.execute(f"INSERT INTO scheduled_jobs ({names}) VALUES ({marks})", **columns)
        found: UUID = columns["id"]
        return found

    async def running(self, due_in: float = -60, lease_in: float = -1, **change: Any) -> tuple[UUID, UUID]:
        """A job that a runner claimed, with its token; by default its lease has expired."""
        token = uuid4()
        given = {"attempt": 1, "started_at": self.in_seconds(due_in), "runner": uuid4(), **change}
        lease = self.in_seconds(lease_in)
        return await self.job(due_in=due_in, state="running", token=token, lease_until=lease, **given), token

    async def the_job(self, job: UUID) -> Any:
        return await self.one("SELECT * FROM scheduled_jobs WHERE id = :id", id=job)

    async def jobs(self) -> list[Any]:
        return await self.execute("SELECT * FROM scheduled_jobs ORDER BY due_at, schedule_id")

    async def results(self) -> list[Any]:
        return await self.execute("SELECT * FROM job_results ORDER BY due_at, schedule_id")

    async def attempts(self) -> list[Any]:
        return await self.execute("SELECT * FROM attempts ORDER BY due_at, number")


class AllShards:
    """Stands for `Replicas`: it owns every shard and may fire, as the only scheduler does; two of it are two owners."""

    def __init__(self, shards: Iterable[int] = range(SHARDS)) -> None:
        self.shards = frozenset(shards)
        self.firing = True

    def may_fire(self) -> bool:
        return self.firing


class Wire:
    """Stands for the queue where a test decides what the broker answers."""

    def __init__(self) -> None:
        self.published: list[Message] = []
        self.down = False
        self.refused = 0

    async def publish(self, message: Message) -> None:
        if self.down:
            self.refused += 1
            raise Unconfirmed("the test took the broker away")
        self.published.append(message)
