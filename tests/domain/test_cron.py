"""CRON in time zones: the daylight-saving rule by tables, and against an oracle that knows no shortcuts."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from shared.domain.cron import InvalidCron, parse_cron, parse_zone

MINUTE = timedelta(minutes=1)


def local_moments(expression: str, zone: str, start: str, count: int) -> list[str]:
    """The next moments as local time with offset, which tells the two passes of a repeated hour apart."""
    cron = parse_cron(expression, zone)
    moment = datetime.fromisoformat(start).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    found = []
    for _ in range(count):
        moment = cron.after(moment).due_at
        found.append(f"{moment.astimezone(ZoneInfo(zone)):%d %H:%M %z}")
    return found


BERLIN, NEW_YORK, LORD_HOWE = "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"


@pytest.mark.parametrize(
    ("expression", "zone", "start", "expected"),
    [
        # Clocks go forward: what falls in the gap runs at its end, once.
        ("30 2 * * *", BERLIN, "2026-03-28 12:00", ["29 03:00 +0200", "30 02:30 +0200"]),
        ("0,15,30 2 * * *", BERLIN, "2026-03-28 12:00", ["29 03:00 +0200", "30 02:00 +0200"]),
        ("0 2,3 * * *", BERLIN, "2026-03-28 12:00", ["29 03:00 +0200", "30 02:00 +0200"]),
        ("30 2 * * *", NEW_YORK, "2026-03-07 12:00", ["08 03:00 -0400", "09 02:30 -0400"]),
        ("15 2 * * *", LORD_HOWE, "2026-10-03 12:00", ["04 02:30 +1100", "05 02:15 +1100"]),
        # Clocks go back: what falls in the repeated hour runs the first time only.
        ("30 2 * * *", BERLIN, "2026-10-24 12:00", ["25 02:30 +0200", "26 02:30 +0100"]),
        ("30 1 * * *", NEW_YORK, "2026-10-31 12:00", ["01 01:30 -0400", "02 01:30 -0500"]),
        ("45 1 * * *", LORD_HOWE, "2026-04-04 12:00", ["05 01:45 +1100", "06 01:45 +1030"]),
        # Elapsed time: nothing extra, nothing dropped.
        ("0 * * * *", BERLIN, "2026-03-29 00:30", ["29 01:00 +0100", "29 03:00 +0200", "29 04:00 +0200"]),
        ("0 * * * *", BERLIN, "2026-10-25 01:30", ["25 02:00 +0200", "25 02:00 +0100", "25 03:00 +0100"]),
        ("*/30 * * * *", NEW_YORK, "2026-11-01 01:00", ["01 01:30 -0400", "01 01:00 -0500", "01 01:30 -0500"]),
        ("*/30 * * * *", LORD_HOWE, "2026-04-05 01:00", ["05 01:30 +1100", "05 01:30 +1030", "05 02:00 +1030"]),
        ("*/30 * * * *", LORD_HOWE, "2026-10-04 01:00", ["04 01:30 +1030", "04 02:30 +1100", "04 03:00 +1100"]),
        ("*/30 2 * * *", BERLIN, "2026-03-28 02:15", ["28 02:30 +0100", "30 02:00 +0200"]),
        # A single such day in the year, looked for across several changes.
        ("*/30 2 25 10 *", BERLIN, "2026-01-15 00:00", ["25 02:00 +0200", "25 02:30 +0200", "25 02:00 +0100"]),
    ],
)
def test_clock_changes(expression: str, zone: str, start: str, expected: list[str]) -> None:
    assert local_moments(expression, zone, start, len(expected)) == expected


def test_a_moved_moment_says_so() -> None:
    cron = parse_cron("30 2 * * *", BERLIN)
    assert cron.after(datetime(2026, 3, 28, 12, tzinfo=UTC)).oddity == "moved_out_of_gap"
    assert cron.after(datetime(2026, 10, 24, 12, tzinfo=UTC)).oddity == "first_of_repeated"
    assert cron.after(datetime(2026, 6, 1, tzinfo=UTC)).oddity is None


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("0 0 30 2 *", "no moment"),
        ("* * * *", "five fields"),
        ("* * * * * *", "five fields"),
        ("", "five fields"),
        ("@reboot", "unknown macro"),
        ("R * * * *", "random"),
        ("H * * * *", "random"),
        ("R(0-29) * * * *", "random"),
        ("60 * * * *", "out of range: minute 0-59"),
        ("* 24 * * *", "out of range: minute 0-59"),
        ("x * * * *", "can.t be read"),
        ("*/0 * * * *", "0"),
        ("0," * 130 + "0 * * * *", "longer"),
    ],
)
def test_what_cannot_be_scheduled_for_certain_is_refused(expression: str, says: str) -> None:
    with pytest.raises(InvalidCron, match=says):
        parse_cron(expression)


@pytest.mark.parametrize("zone", ["", "Mars/Olympus", "../etc/passwd", "/etc/localtime"])
def test_an_unknown_zone_is_refused(zone: str) -> None:
    with pytest.raises(InvalidCron, match="unknown time zone"):
        parse_cron("* * * * *", zone)


def test_macros_and_spaces_are_only_another_spelling() -> None:
    assert parse_cron("@Hourly").expression == "0 * * * *"
    assert parse_cron("  0   6 *  * 1-5 ").expression == "0 6 * * 1-5"


ZONES = [
    BERLIN,
    NEW_YORK,
    LORD_HOWE,
    "America/St_Johns",
    "America/Santiago",
    "America/Havana",
    "Africa/Cairo",
    "Asia/Beirut",
    "Pacific/Chatham",
    "Atlantic/Azores",
    "Africa/Casablanca",
    "Antarctica/Troll",
    "UTC",
]
EXPRESSIONS = [
    "*/13 * * * *",
    "0 * * * *",
    "*/20 1-3 * * *",
    "* 2 * * 0",
    "0 */2 * * *",
    "17 */5 * * *",
    "30 2 * * *",
    "0 0 * * *",
    "15,45 0-3 * * *",
    "5-55/10 1,2 * * *",
    "30 1 * * 0",
    "0 3 25 * 0",
    "59 23 * * 6",
    "0 2 */2 * 0",
    "45 1,2,3 25-31 3,10 *",
]


@dataclass
class Fields:
    """The five fields as sets, with Vixie's rule for the two that name days."""

    sets: list[frozenset[int]]
    either_day: bool

    @classmethod
    def of(cls, expression: str) -> "Fields":
        texts = expression.split()
        bounds = [(0, 59), (0, 23), (1, 31), (1, 12), (0, 6)]
        sets = [frozenset(_values(text, *bound)) for text, bound in zip(texts, bounds, strict=True)]
        return cls(sets, not texts[2].startswith("*") and not texts[4].startswith("*"))

    def match(self, naive: datetime) -> bool:
        minutes, hours, days, months, weekdays = self.sets
        if naive.minute not in minutes or naive.hour not in hours or naive.month not in months:
            return False
        day, weekday = naive.day in days, naive.isoweekday() % 7 in weekdays
        return (day or weekday) if self.either_day else (day and weekday)


def _values(text: str, low: int, high: int) -> Iterator[int]:
    for part in text.split(","):
        span, _, step = part.partition("/")
        first, _, last = span.partition("-")
        start, end = (low, high) if span == "*" else (int(first), int(last or first))
        yield from range(start, end + 1, int(step or 1))


def windows(zone: ZoneInfo) -> Iterator[tuple[datetime, datetime]]:
    """A day and a half around each change of the year; without any, around New Year."""
    hours = [datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=n) for n in range(365 * 24)]
    offsets = [hour.astimezone(zone).utcoffset() for hour in hours]
    changes = [hour for hour, (before, after) in zip(hours, pairwise(offsets), strict=False) if before != after]
    for change in changes or hours[:1]:
        yield change - timedelta(hours=36), change + timedelta(hours=36)


@pytest.mark.parametrize("name", ZONES)
def test_every_moment_around_a_change_agrees_with_brute_force(name: str) -> None:
    zone = ZoneInfo(name)
    for start, end in windows(zone):
        instants = [start + MINUTE * n for n in range((end - start) // MINUTE + 1)]
        local = {instant: instant.astimezone(zone).replace(tzinfo=None, fold=0) for instant in instants}
        fixed = dict(_where_wall_times_go(local))
        for expression in EXPRESSIONS:
            cron, fields = parse_cron(expression, name), Fields.of(expression)
            if cron.follows_elapsed_time:
                expected = {instant for instant, naive in local.items() if fields.match(naive)}
            else:
                expected = {instant for naive, instant in fixed.items() if fields.match(naive)}
            found, moment = [], start
            while (moment := cron.after(moment).due_at) <= end:
                found.append(moment)
            assert found == sorted(expected - {start}), (name, expression, start)


def _where_wall_times_go(local: dict[datetime, datetime]) -> Iterator[tuple[datetime, datetime]]:
    """Each wall-clock minute of the window with the instant of its first showing, or of the end of its gap."""
    shown: set[datetime] = set()
    before = min(local.values()) - MINUTE
    for instant, naive in sorted(local.items()):
        skipped = before + MINUTE
        while skipped < naive:
            shown.add(skipped)
            yield skipped, instant
            skipped += MINUTE
        if naive not in shown:
            shown.add(naive)
            yield naive, instant
        before = naive


@pytest.mark.parametrize("name", ["localtime", "posixrules", "Factory"])
def test_a_file_beside_the_zones_is_none(name: str) -> None:
    with pytest.raises(InvalidCron, match="unknown time zone"):
        parse_zone(name)


@pytest.mark.parametrize(
    ("expression", "seconds"), [("* * * * *", 60), ("*/5 * * * *", 300), ("0,1 9 * * *", 60), ("0 9 * * MON", 604_800)]
)
def test_the_shortest_gap_between_moments(expression: str, seconds: int) -> None:
    gap = parse_cron(expression).shortest_gap(datetime(2026, 1, 1, tzinfo=UTC))
    assert gap == timedelta(seconds=seconds)
