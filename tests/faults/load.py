"""Schedules that are due every second or two, and the way to their end: no more due moments, nothing live."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from examples.shop.app import PASSWORD, USERNAME
from shared.database import connect
from shared.domain.schedule import Timing, shard_of
from shared.models import Browser, JobConfiguration, Partner, Schedule
from shared.secret_box import SecretBox
from tests.end_to_end.processes import Stack
from tests.faults.checker import Findings, Watched, check

BROWSER = "chromium"
RETRY = {
    "partner": {"attempts": 1, "backoff_seconds": 1},
    "infrastructure": {"attempts": 5, "backoff_seconds": 1},
}
# Reserved, so that nobody listens there: a check of it is over in a second.
CLOSED = "http://127.0.0.1:1023/login"

_STOP = """
    UPDATE schedules SET next_due = 'infinity' FROM (SELECT id, next_due FROM schedules FOR UPDATE) AS before
    WHERE schedules.id = before.id RETURNING schedules.id, before.next_due, clock_timestamp() AS stopped_at
"""
_PLANNED_SO_FAR = "SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM schedules WHERE next_due <= clock_timestamp())"
_DRAINED = "SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM scheduled_jobs)"


class Load:
    """The schedules of one test, and when each began."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._started: dict[UUID, tuple[Timing, datetime]] = {}

    async def add(
        self, *, schedules: int, interval_seconds: int, entry_point: str = CLOSED, overlap: str = "skip"
    ) -> list[UUID]:
        """A partner for each schedule; the first due moment is the next of its interval, or at once if that is long."""
        engine = connect(self._stack.database_url, application_name="parakeet test")
        box = SecretBox([self._stack.secret_keys])
        try:
            async with AsyncSession(engine, expire_on_commit=False) as session, session.begin():
                now: datetime = (await session.execute(text("SELECT clock_timestamp()"))).scalar_one()
                if await session.get(Browser, BROWSER) is None:
                    session.add(Browser(name=BROWSER, icon=BROWSER, capabilities={"browserName": "chrome"}))
                rows = [self._rows(box, interval_seconds, entry_point, overlap, now) for _ in range(schedules)]
                for layer in zip(*rows, strict=True):
                    session.add_all(layer)
                    await session.flush()
        finally:
            await engine.dispose()
        return [schedule.id for _, _, schedule in rows]

    def _rows(
        self, box: SecretBox, interval: int, entry_point: str, overlap: str, now: datetime
    ) -> tuple[Partner, JobConfiguration, Schedule]:
        partner = Partner(
            code=f"p-{uuid4().hex[:8]}",
            name="Load",
            entry_point=entry_point,
            sealed_credentials=box.seal({"username": USERNAME, "password": PASSWORD, "totp_secret": None}),
        )
        rules: dict[str, Any] = {
            "overlap": overlap,
            "catch_up": "all",
            "start_deadline_seconds": 3600,
            "jitter_seconds": 0,
        }
        configuration = JobConfiguration(
            id=uuid4(),
            partner=partner.code,
            browsers=[BROWSER],
            checks=["login"],
            schedule={"interval_seconds": interval},
            timeout_seconds=30,
            slow_after_seconds=None,
            retry=RETRY,
            failing_after=2,
            working_after=1,
            priority="normal",
            **rules,
        )
        identity = uuid4()
        timing = Timing(identity, interval_seconds=interval)
        # The last moment that has passed, of a long interval, is due at once.
        first = timing.due_after(now - timedelta(seconds=interval if interval > 10 else 0))
        schedule = Schedule(
            id=identity,
            kind="check",
            shard=shard_of(identity),
            next_due=first,
            interval_seconds=interval,
            timezone="UTC",
            priority=1,
            lane=f"browser.{BROWSER}",
            job_configuration_id=configuration.id,
            partner=partner.code,
            browser=BROWSER,
            **rules,
        )
        self._started[identity] = (timing, first)
        return partner, configuration, schedule

    async def stop(self) -> list[Watched]:
        """Once the planner has caught up, no schedule is due any more; returns what is to be accounted for."""
        await self._stack.until(_PLANNED_SO_FAR)
        stopped = {row["id"]: row for row in await self._stack.fetch(_STOP)}
        return [
            Watched(timing, start, _end(stopped[identity]["next_due"], stopped[identity]["stopped_at"]))
            for identity, (timing, start) in self._started.items()
        ]

    async def compare(self, watched: list[Watched]) -> Findings:
        return await check(self._stack.database_url, watched)

    async def findings(self) -> Findings:
        """Stop, await that everything is recorded, and compare."""
        watched = await self.stop()
        await self._stack.until(_DRAINED, seconds=90)
        return await self.compare(watched)


def _end(next_due: datetime, stopped_at: datetime) -> datetime:
    """The last moment to account for: what was planned ahead counts, and so does all that had come due by then."""
    planned = next_due.astimezone(UTC) - timedelta(microseconds=1)
    return max(planned, stopped_at.astimezone(UTC))
