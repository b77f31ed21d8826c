"""Five-field CRON in a time zone, with a stated rule for daylight saving.

`croniter` is the engine. It is iterated on naive wall-clock time only, and the mapping to UTC is ours: iterating it in
local time fires a fixed time twice when clocks go back and drops a tick at half-hour changes. The rule:

- A fixed time that falls in the gap runs once, at the first valid minute after the gap.
- A fixed time in the repeated hour runs once, the first time.
- An expression whose minute or hour field starts with `*` follows elapsed time: nothing extra, nothing dropped.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from croniter import CroniterBadDateError, croniter

MAX_EXPRESSION_LENGTH = 256
MAX_YEARS_AHEAD = 5
_MACROS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_FIELDS = re.compile(r"^[0-9A-Za-z*/,\-#?]+( [0-9A-Za-z*/,\-#?]+){4}$")
# The engine takes `9-9` for the whole field.
_RANGE_OF_ONE = re.compile(r"(^|[ ,])(\w+)-\2(/\d+)?(?=[ ,]|$)", re.IGNORECASE)
_RANDOM_FORM = re.compile(r"(^|[ ,])[RHrh]([/(,\- ]|$)")
_ANY_LEAP_YEAR = datetime(2024, 1, 1)  # noqa: DTZ001 - wall-clock time has no zone here
_MICROSECOND = timedelta(microseconds=1)

# Files beside the zones: they differ from host to host, or stand for none.
_NO_PLACES = frozenset({"localtime", "posixrules", "Factory"})

Oddity = Literal["moved_out_of_gap", "first_of_repeated"]


class InvalidCron(ValueError):
    """The expression or its time zone can't be used; the text says why."""


@dataclass(frozen=True, slots=True)
class CronMoment:
    due_at: datetime
    oddity: Oddity | None = None


@dataclass(frozen=True, slots=True)
class Cron:
    """A checked expression in a zone. Make one with `parse_cron`."""

    expression: str
    zone: ZoneInfo
    follows_elapsed_time: bool

    def after(self, moment: datetime) -> CronMoment:
        """The first due moment strictly after `moment` (aware), in UTC. Raises `InvalidCron` when none comes."""
        return self._elapsed_after(moment) if self.follows_elapsed_time else self._fixed_after(moment)

    def shortest_gap(self, start: datetime, moments: int = 30) -> timedelta:
        """The least time between two of the next due moments after `start`."""
        found = [self.after(start).due_at]
        while len(found) < moments:
            found.append(self.after(found[-1]).due_at)
        return min(later - earlier for earlier, later in pairwise(found))

    def _walk(self, naive_local: datetime) -> Iterator[datetime]:
        engine = croniter(
            self.expression, naive_local, max_years_between_matches=MAX_YEARS_AHEAD, implement_cron_bug=True
        )
        while True:
            try:
                yield engine.get_next(datetime)
            except CroniterBadDateError:
                raise InvalidCron(f"{self.expression!r} has no moment within {MAX_YEARS_AHEAD} years") from None

    def _local(self, moment: datetime) -> datetime:
        return moment.astimezone(self.zone).replace(tzinfo=None, fold=0)

    def _offset(self, moment: datetime) -> timedelta:
        offset = moment.astimezone(self.zone).utcoffset()
        assert offset is not None
        return offset

    def _fixed_after(self, moment: datetime) -> CronMoment:
        # A later wall-clock time never maps to an earlier instant, and what the clock shows now was first shown by now:
        # so nothing up to the present wall-clock time can still come.
        for naive in self._walk(self._local(moment)):
            mapped = self._map_fixed(naive)
            if mapped.due_at > moment:
                return mapped
        raise AssertionError("the walk never ends")

    def _map_fixed(self, naive: datetime) -> CronMoment:
        first, second = (naive.replace(tzinfo=self.zone, fold=fold) for fold in (0, 1))
        early, late = first.utcoffset(), second.utcoffset()
        assert early is not None and late is not None
        instant = (naive - early).replace(tzinfo=UTC)
        if early == late:
            return CronMoment(instant)
        if early > late:
            return CronMoment(instant, "first_of_repeated")
        return CronMoment(self._change_between(instant - timedelta(days=1), instant), "moved_out_of_gap")

    def _elapsed_after(self, moment: datetime) -> CronMoment:
        start = moment
        naive_start = self._local(moment)
        while True:
            offset = self._offset(start)
            naive = next(self._walk(naive_start))
            instant = (naive - offset).replace(tzinfo=UTC)
            change = self._first_change(start, instant)
            if change is None:
                return CronMoment(instant)
            # The offset changes on the way, perhaps there and back: look again from the change on, itself included.
            start = change
            naive_start = self._local(start) - _MICROSECOND

    def _first_change(self, start: datetime, end: datetime) -> datetime | None:
        """The first instant after `start`, `end` included, at which the offset is another; looked for day by day."""
        offset, low = self._offset(start), start
        while low < end:
            high = min(low + timedelta(days=1), end)
            if self._offset(high) != offset:
                return self._change_between(low, high)
            low = high
        return None

    def _change_between(self, low: datetime, high: datetime) -> datetime:
        """The instant, to the minute, at which the offset becomes that of `high`; `low` has another offset."""
        low, high = low.astimezone(UTC), high.astimezone(UTC)
        after = self._offset(high)
        low_minute, high_minute = int(low.timestamp()) // 60, -(-int(high.timestamp()) // 60)
        while high_minute - low_minute > 1:
            middle = (low_minute + high_minute) // 2
            if self._offset(datetime.fromtimestamp(middle * 60, UTC)) == after:
                high_minute = middle
            else:
                low_minute = middle
        return datetime.fromtimestamp(high_minute * 60, UTC)


@lru_cache(maxsize=10_000)
def parse_cron(expression: str, timezone: str = "UTC") -> Cron:
    """Check an expression and its zone. Raises `InvalidCron` for anything that can't be scheduled for certain."""
    zone = parse_zone(timezone)
    text = " ".join(expression.split())
    if len(expression) > MAX_EXPRESSION_LENGTH:
        raise InvalidCron(f"longer than {MAX_EXPRESSION_LENGTH} characters")
    if text.startswith("@"):
        if text.lower() not in _MACROS:
            raise InvalidCron(f"unknown macro {text!r}; known are {', '.join(sorted(_MACROS))}")
        text = _MACROS[text.lower()]
    if _RANDOM_FORM.search(text):
        raise InvalidCron("random and hashed forms (R, H) are not allowed: they differ from parse to parse")
    if not _FIELDS.match(text):
        raise InvalidCron("five fields are needed: minute hour day-of-month month day-of-week")
    try:
        croniter(text)
    except (ValueError, KeyError):
        raise InvalidCron(
            "a field can't be read or is out of range: minute 0-59, hour 0-23, day of month 1-31, month 1-12, "
            "day of week 0-7"
        ) from None
    text = _RANGE_OF_ONE.sub(r"\1\2", text)
    minute, hour, *_ = text.split(" ")
    cron = Cron(text, zone, follows_elapsed_time=minute.startswith("*") or hour.startswith("*"))
    next(cron._walk(_ANY_LEAP_YEAR))
    return cron


def parse_zone(name: str) -> ZoneInfo:
    """An IANA zone by name. Raises `InvalidCron` for an unknown one."""
    try:
        if name in _NO_PLACES:
            raise ValueError
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidCron(f"unknown time zone {name!r}; use an IANA name such as Europe/Berlin") from None
