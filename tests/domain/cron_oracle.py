"""When a CRON expression is due, by looking at every minute of a clock in a zone. Knows nothing of `croniter`.

All numbers are whole minutes since 1970, of UTC ("instants") or of the wall clock ("shown").
"""

import calendar
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

DAY = 24 * 60
MONTHS = {name.lower(): number for number, name in enumerate(calendar.month_abbr) if name}
WEEKDAYS = {name.lower(): (number + 1) % 7 for number, name in enumerate(calendar.day_abbr)}
BOUNDS = [(0, 59, {}), (0, 23, {}), (1, 31, {}), (1, 12, MONTHS), (0, 6, WEEKDAYS)]
MACROS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_FIRST_DAY = date(1970, 1, 1).toordinal()


@dataclass(frozen=True, slots=True)
class Expression:
    minutes_of_day: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either_day: bool
    follows_elapsed_time: bool

    @classmethod
    def of(cls, text: str) -> "Expression":
        fields = MACROS.get(text.lower(), text).lower().split()
        minutes, hours, days, months, weekdays = (
            frozenset(_values(field, *bound)) for field, bound in zip(fields, BOUNDS, strict=True)
        )
        starred = [field[0] in "*?" for field in fields]
        return cls(
            tuple(hour * 60 + minute for hour in sorted(hours) for minute in sorted(minutes)),
            days,
            months,
            weekdays,
            either_day=not starred[2] and not starred[4],
            follows_elapsed_time=starred[0] or starred[1],
        )

    def shown_between(self, low: int, high: int) -> Iterator[int]:
        """The wall-clock minutes that match, `low` included, `high` not."""
        for day in range(low // DAY, (high - 1) // DAY + 1):
            if self._on(date.fromordinal(_FIRST_DAY + day)):
                for minute in self.minutes_of_day:
                    if low <= day * DAY + minute < high:
                        yield day * DAY + minute

    def _on(self, day: date) -> bool:
        by_date, by_weekday = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return day.month in self.months and (by_date or by_weekday if self.either_day else by_date and by_weekday)


def _values(field: str, low: int, high: int, names: dict[str, int]) -> Iterator[int]:
    def number(text: str) -> int:
        return names[text] if text in names else int(text)

    for part in field.split(","):
        span, _, step = part.partition("/")
        first, _, last = span.partition("-")
        if span in "*?":
            values = range(low, high + 1, int(step or 1))
        elif not last:
            values = range(number(first), high + 1, int(step)) if step else range(number(first), number(first) + 1)
        else:
            start, end = number(first), number(last)
            if start > end:  # over the end of the field, such as 22-6; the day after Saturday is 0 here
                assert not step, "what a step over the end means is not stated"
                yield from range(start, high + 1)
                start = low
            values = range(start, end + 1, int(step or 1))
        # Sunday may be written as 7.
        yield from (value % 7 if names is WEEKDAYS else value for value in values)


@dataclass(frozen=True, slots=True)
class Stretch:
    """Of a clock: from `start` to before `end`, it shows the instant plus `offset`."""

    start: int
    end: int
    offset: int


def stretches(zone: str, first: datetime, last: datetime) -> list[Stretch]:
    """Its stretches of one offset, found by reading the clock every hour, and every minute of an hour of change."""
    known, found = ZoneInfo(zone), []
    start, end = _minutes(first), _minutes(last)
    begun, offset = start, _offset(known, start)
    for hour in range(start + 60, end + 60, 60):
        if _offset(known, hour) != offset:
            change = next(minute for minute in range(hour - 59, hour + 1) if _offset(known, minute) != offset)
            found.append(Stretch(begun, change, offset))
            begun, offset = change, _offset(known, change)
    return [*found, Stretch(begun, end, offset)]


def cut(clock: list[Stretch], start: int, end: int) -> list[Stretch]:
    """What of the clock lies between the two instants."""
    parts = (Stretch(max(part.start, start), min(part.end, end), part.offset) for part in clock)
    return [part for part in parts if part.start < part.end]


def due_moments(text: str, clock: list[Stretch]) -> list[int]:
    """The instants at which the expression is due while the clock runs, in order."""
    expression = Expression.of(text)
    if expression.follows_elapsed_time:
        return [
            shown - part.offset
            for part in clock
            for shown in expression.shown_between(part.start + part.offset, part.end + part.offset)
        ]
    due: list[int] = []
    new = clock[0].start + clock[0].offset  # the first wall-clock minute that has not been shown, or skipped, yet
    for part in clock:
        low, high = part.start + part.offset, part.end + part.offset
        if any(True for _ in expression.shown_between(new, low)):
            due.append(part.start)
        later = (shown - part.offset for shown in expression.shown_between(max(new, low), high))
        due += [instant for instant in later if due[-1:] != [instant]]
        new = max(new, high)
    return due


def at(instant: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(minutes=instant)


def _minutes(moment: datetime) -> int:
    return int(moment.timestamp()) // 60


def _offset(zone: ZoneInfo, instant: int) -> int:
    offset = at(instant).astimezone(zone).utcoffset()
    assert offset is not None
    assert not offset % timedelta(minutes=1)
    return offset // timedelta(minutes=1)
