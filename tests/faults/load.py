"""Schedules that are due every second or two, and the way to their end: no more due moments, nothing live.

Callbacks to a sink make load that costs next to nothing; checks in a browser are for what only a browser shows.
"""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from examples.shop.app import PASSWORD, USERNAME
from shared.database import connect
from shared.domain.schedule import Timing, shard_of
from shared.models import Browser, Job, JobConfiguration, Partner, Schedule
from shared.secret_box import SecretBox
from tests.end_to_end.processes import Stack, until
from tests.faults.checker import Findings, Watched, check
from tests.faults.sink import Sink

BROWSER = "chromium"
RETRY = {
    "partner": {"attempts": 1, "backoff_seconds": 1},
    "infrastructure": {"attempts": 5, "backoff_seconds": 1},
}
ONCE = {"attempts": 1, "min_backoff_seconds": 1, "max_backoff_seconds": 10, "max_age_seconds": 3600}
RULES: dict[str, Any] = {
    "overlap": "skip",
    "catch_up": "all",
    "start_deadline_seconds": 3600,
    "jitter_seconds": 0,
}
# Reserved, so that nobody listens there: a check of it is over in a second.
CLOSED = "http://127.0.0.1:1023/login"

# What is due goes to the planner first: stopped before that, it would be planned by nobody.
_HOLD = "SELECT id, next_due FROM schedules ORDER BY id FOR UPDATE"
_IS_PAST = "SELECT clock_timestamp() >= $1"
_STOP = "UPDATE schedules SET next_due = 'infinity'"
_DRAINED = "SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM scheduled_jobs)"


def change_jobs(change: str, which: str) -> str:
    """What a test changes beside processes that run: locked in the order of ids, as they do it."""
    locked = f"SELECT id FROM scheduled_jobs WHERE {which} ORDER BY id FOR UPDATE"
    return f"UPDATE scheduled_jobs SET {change} WHERE id IN ({locked}) RETURNING id"


class Load:
    """The schedules of one test, and when each began."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._started: dict[UUID, tuple[Timing, datetime]] = {}

    async def add(
        self, *, schedules: int, interval_seconds: int, entry_point: str = CLOSED, overlap: str = "skip"
    ) -> list[UUID]:
        """A partner for each schedule; the first due moment is the next of its interval, or at once if that is long."""
        box = SecretBox([self._stack.secret_keys])

        def rows(now: datetime) -> tuple[Any, ...]:
            rules = {**RULES, "overlap": overlap}
            return _check_rows(box, interval_seconds, entry_point, rules, now)

        return await self._add(schedules, rows)

    async def add_callbacks(
        self,
        *,
        jobs: int,
        interval_seconds: int,
        url: str,
        retry: dict[str, Any] | None = None,
        first_due_in: float | None = None,
        quiet: tuple[float, float] | None = None,
        **rules: Any,
    ) -> list[UUID]:
        """As `add`, with a job for each schedule. `rules` replaces those of RULES; overlap is `allow`.

        With `first_due_in` all have their first due moment so many seconds from now, before now if negative. With
        `quiet` none but that one falls between so and so many seconds from now.
        """
        given = {**RULES, "overlap": "allow", **rules}

        def rows(now: datetime) -> tuple[Any, ...]:
            job, schedule = _callback_rows(url, interval_seconds, retry or ONCE, given, now, quiet)
            if first_due_in is not None:
                schedule.next_due = now + timedelta(seconds=first_due_in)
            return job, schedule

        return await self._add(jobs, rows)

    async def _add(self, count: int, rows_of: Callable[[datetime], tuple[Any, ...]]) -> list[UUID]:
        engine = connect(self._stack.database_url, application_name="parakeet test")
        try:
            async with AsyncSession(engine, expire_on_commit=False) as session, session.begin():
                now: datetime = (await session.execute(text("SELECT clock_timestamp()"))).scalar_one()
                if await session.get(Browser, BROWSER) is None:
                    session.add(Browser(name=BROWSER, icon=BROWSER, capabilities={"browserName": "chrome"}))
                rows = [rows_of(now) for _ in range(count)]
                for layer in zip(*rows, strict=True):
                    session.add_all(layer)
                    await session.flush()
        finally:
            await engine.dispose()
        schedules: list[Schedule] = [row[-1] for row in rows]
        self._started.update({schedule.id: (schedule.timing(), schedule.next_due) for schedule in schedules})
        return [schedule.id for schedule in schedules]

    async def stop(self) -> list[Watched]:
        """Once the planner has caught up, no schedule is due any more; returns what is to be accounted for."""
        planned_until = await until(self._stop_when_caught_up, what="the planner caught up")
        return [
            Watched(timing, start, planned_until[identity] - timedelta(microseconds=1))
            for identity, (timing, start) in self._started.items()
        ]

    async def _stop_when_caught_up(self) -> dict[UUID, datetime]:
        """By schedule the first moment that will not be planned any more; empty when something is due yet."""
        async with self._stack.transaction() as connection:
            next_due = {row["id"]: row["next_due"].astimezone(UTC) for row in await connection.fetch(_HOLD)}
            if await connection.fetchval(_IS_PAST, min(next_due.values())):
                return {}
            await connection.execute(_STOP)
            return next_due

    async def compare(self, watched: Iterable[Watched], sink: Sink | None = None) -> Findings:
        return await check(self._stack.database_url, watched, sink.requests if sink else ())

    async def findings(self, sink: Sink | None = None) -> Findings:
        """Stop, await that everything is recorded, and compare; also with what the sink of all callbacks saw."""
        watched = await self.stop()
        await self.drained()
        return await self.compare(watched, sink)

    async def drained(self) -> None:
        await self._stack.until(_DRAINED)


def _check_rows(
    box: SecretBox, interval: int, entry_point: str, rules: dict[str, Any], now: datetime
) -> tuple[Partner, JobConfiguration, Schedule]:
    code = f"p-{uuid4().hex[:8]}"
    partner = Partner(
        code=code,
        name="Load",
        entry_point=entry_point,
        sealed_credentials=box.seal({"username": f"{USERNAME}-{code}", "password": PASSWORD, "totp_secret": None}),
    )
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
    schedule = _schedule(interval, rules, now)
    schedule.kind, schedule.lane = "check", f"browser.{BROWSER}"
    schedule.job_configuration_id, schedule.partner, schedule.browser = configuration.id, partner.code, BROWSER
    return partner, configuration, schedule


def _callback_rows(
    url: str,
    interval: int,
    retry: dict[str, Any],
    rules: dict[str, Any],
    now: datetime,
    quiet: tuple[float, float] | None,
) -> tuple[Job, Schedule]:
    job = Job(
        id=uuid4(),
        name="Load",
        schedule={"interval_seconds": interval, "interval_mode": "fixed_rate", "timezone": "UTC"},
        callback_url=url,
        http_method="post",
        payload={"attempt": "{{attempt}}", "due_at": "{{due_at}}"},
        success={"status_codes": ["200-299"], "body_contains": None},
        max_redirects=0,
        timeout_seconds=30,
        retry=retry,
        failing_after=2,
        working_after=1,
        priority="normal",
        **rules,
    )
    schedule = _schedule(interval, rules, now, quiet)
    schedule.kind, schedule.lane, schedule.job_id = "callback", "http", job.id
    return job, schedule


def _schedule(
    interval: int, rules: dict[str, Any], now: datetime, quiet: tuple[float, float] | None = None
) -> Schedule:
    # The phase of an interval comes from the identity. One of an hour is due once, now, and not again during the test.
    quiet = quiet or ((0, 900) if interval >= 3600 else None)
    identities = iter(uuid4, None)
    identity = next(each for each in identities if quiet is None or _is_quiet(Timing(each, interval), now, *quiet))
    timing = Timing(identity, interval_seconds=interval)
    return Schedule(
        id=identity,
        shard=shard_of(identity),
        # The last moment that has passed, of a long interval, is due at once.
        next_due=timing.due_after(now - timedelta(seconds=interval if interval > 10 else 0)),
        interval_seconds=interval,
        fixed_delay=False,
        timezone="UTC",
        priority=1,
        **rules,
    )


def _is_quiet(timing: Timing, now: datetime, start: float, end: float) -> bool:
    return timing.due_after(now + timedelta(seconds=start)) > now + timedelta(seconds=end)
