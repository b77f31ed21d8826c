"""When a schedule is due, and which of its past moments still run.

Everything here is pure: `now` comes in as an argument, and the same input gives the same moments in every process.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from uuid import UUID, uuid5

from shared.domain.cron import parse_cron

SHARDS = 64
MIN_INTERVAL_SECONDS = 10
# A moment this late is an ordinary delay (a restarted scheduler), not downtime to catch up on.
LATE_AFTER = timedelta(seconds=10)
MAX_CATCH_UP = 100
MAX_MOMENTS_A_PLAN = 1_000
# Written as PostgreSQL's `infinity`: the schedule is paused. The driver reads it back naive, so compare it in SQL.
NEVER = datetime.max.replace(tzinfo=UTC)


class Origin(StrEnum):
    SCHEDULE = "schedule"
    MANUAL = "manual"
    BACKFILL = "backfill"
    TRY = "try"
    """Asked for while a check is edited: it belongs to no schedule, and its result is kept apart, and not for long."""


class Overlap(StrEnum):
    """`in_turn` can't be chosen: it is what becomes of `skip` and `queue_one` where each moment is wanted."""

    SKIP = "skip"
    ALLOW = "allow"
    QUEUE_ONE = "queue_one"
    IN_TURN = "in_turn"


class CatchUp(StrEnum):
    NONE = "none"
    LATEST = "latest"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Timing:
    """When a schedule is due: every `interval_seconds`, or by a CRON expression in a zone. Exactly one of both.

    An interval is a fixed rate with a phase of its own, or, with `fixed_delay`, counts from the end of the run before.
    """

    schedule_id: UUID
    interval_seconds: int | None = None
    cron: str | None = None
    timezone: str = "UTC"
    jitter_seconds: int = 0
    fixed_delay: bool = False

    def due_after(self, moment: datetime) -> datetime:
        """The first due moment strictly after `moment`, in UTC. With a fixed delay `moment` is the end of a run."""
        if self.cron is not None:
            return parse_cron(self.cron, self.timezone).after(moment).due_at
        assert self.interval_seconds is not None
        if self.fixed_delay:
            return moment + timedelta(seconds=self.interval_seconds)
        interval = self.interval_seconds * 1_000_000
        # Microseconds in whole numbers: floats would drift off the phase.
        since_epoch = (moment - _EPOCH) // _MICROSECOND
        turns = (since_epoch - self._phase(interval)) // interval + 1
        return _EPOCH + timedelta(microseconds=turns * interval + self._phase(interval))

    def _phase(self, interval: int) -> int:
        """Microseconds, stable per schedule, so that schedules of one interval do not all fire together."""
        return _hash("phase", self.schedule_id) % (interval // 1000) * 1000

    def run_after(self, due_at: datetime) -> datetime:
        """When it starts at the earliest: jitter is derived from schedule and due moment, never drawn at random."""
        if not self.jitter_seconds:
            return due_at
        milliseconds = _hash("jitter", self.schedule_id, due_at.isoformat()) % (self.jitter_seconds * 1000)
        return due_at + timedelta(milliseconds=milliseconds)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do about one schedule now: moments to run, moments to record as `missed`, and the next due moment.

    The first `caught_up` of those to run are late, and only run because the catch-up policy says so.
    """

    run: tuple[datetime, ...]
    missed: tuple[datetime, ...]
    next_due: datetime
    caught_up: int = 0


def plan(
    timing: Timing, catch_up: CatchUp, start_deadline: timedelta, *, next_due: datetime, now: datetime, until: datetime
) -> Plan:
    """Split the moments from `next_due` to `until` (both inclusive). Always advances from the nominal moment.

    After a long downtime only the oldest moments are taken at once; the rest comes with the next call. With a fixed
    delay there is one moment only: the end of its run moves the next due moment to where it belongs.
    """
    if timing.fixed_delay:
        due = [next_due] if next_due <= until else []
        return _split(due, catch_up, start_deadline, now, timing.due_after(max(next_due, now)) if due else next_due)
    moments: list[datetime] = []
    for moment in _moments(timing, next_due):
        if moment > until:
            return _split(moments, catch_up, start_deadline, now, next_due=moment)
        if len(moments) == MAX_MOMENTS_A_PLAN:
            # The newest of them may be among those that `latest` or `all` still runs: leave these to the next call.
            decided = moments[: MAX_MOMENTS_A_PLAN - MAX_CATCH_UP]
            return Plan((), tuple(decided), moments[len(decided)])
        moments.append(moment)
    raise AssertionError("moments never end")


def _split(
    moments: list[datetime], catch_up: CatchUp, start_deadline: timedelta, now: datetime, next_due: datetime
) -> Plan:
    late = [moment for moment in moments if moment <= now - LATE_AFTER]
    fresh = moments[len(late) :]
    in_time = [moment for moment in late if moment >= now - start_deadline]
    if catch_up is CatchUp.ALL:
        caught_up = in_time[-MAX_CATCH_UP:]
    elif catch_up is CatchUp.LATEST and not any(moment <= now for moment in fresh):
        caught_up = in_time[-1:]
    else:
        caught_up = []
    missed = late[: len(late) - len(caught_up)]
    return Plan((*caught_up, *fresh), tuple(missed), next_due, len(caught_up))


def _moments(timing: Timing, first: datetime) -> Iterator[datetime]:
    moment = first
    while True:
        yield moment
        moment = timing.due_after(moment)


def scheduled_job_id(schedule_id: UUID, origin: Origin, due_at: datetime) -> UUID:
    """The identity of a due moment as one id: whoever plans it twice makes the same row."""
    return uuid5(schedule_id, f"{origin}:{due_at.astimezone(UTC).isoformat(timespec='microseconds')}")


def shard_of(schedule_id: UUID) -> int:
    """0..63, stable per schedule."""
    return _hash("shard", schedule_id) % SHARDS


def _hash(*parts: object) -> int:
    text = ":".join(str(part) for part in parts)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
