"""40 zones x 60 expressions x 3 years: `Cron.after` against an oracle that looks at every minute."""

from bisect import bisect_left
from datetime import UTC, datetime, timedelta
from functools import cache
from random import Random

import pytest

from shared.domain.cron import parse_cron
from tests.domain.cron_oracle import DAY, Stretch, at, cut, due_moments, stretches

SEED = 20260310
YEARS = 3
# With the year that is looked at first, where the zone did something odd then.
ZONES = {
    "UTC": 2024,
    "Europe/Berlin": 2024,
    "Europe/London": 2024,
    "Europe/Dublin": 2024,
    "Europe/Lisbon": 2024,
    "Europe/Istanbul": 2015,
    "Europe/Moscow": 2010,
    "Europe/Volgograd": 2018,
    "Europe/Chisinau": 2024,
    "America/New_York": 2024,
    "America/Los_Angeles": 2024,
    "America/St_Johns": 2010,
    "America/Havana": 2024,
    "America/Santiago": 2024,
    "America/Asuncion": 2023,
    "America/Nuuk": 2022,
    "America/Sao_Paulo": 2017,
    "America/Caracas": 2015,
    "America/Scoresbysund": 2022,
    "America/Mexico_City": 2021,
    "Pacific/Easter": 2024,
    "Pacific/Apia": 2010,  # skipped a whole day, over the date line
    "Pacific/Fakaofo": 2010,
    "Pacific/Chatham": 2024,
    "Pacific/Auckland": 2024,
    "Pacific/Norfolk": 2018,
    "Pacific/Bougainville": 2013,
    "Australia/Lord_Howe": 2024,
    "Australia/Adelaide": 2024,
    "Africa/Casablanca": 2024,
    "Africa/Cairo": 2022,
    "Africa/Juba": 2019,
    "Asia/Gaza": 2023,
    "Asia/Beirut": 2022,
    "Asia/Tehran": 2020,
    "Asia/Kathmandu": 2024,
    "Asia/Kolkata": 2024,
    "Asia/Pyongyang": 2014,
    "Atlantic/Azores": 2024,
    "Antarctica/Troll": 2024,
}
EXPRESSIONS = (
    """
* * * * *|*/2 * * * *|*/7 * * * *|*/13 * * * *|*/59 * * * *|0 * * * *|30 * * * *|59 * * * *|0,30 * * * *|5-55/10 * * * *
* 2 * * *|*/30 2 * * *|*/15 0-3 * * *|* 2 * * 0|*/30 2 25 10 *|0 */2 * * *|17 */5 * * *|45 */23 * * *|3,33 * * 3,10 0
*/5 1-2 25-31 3,10 0
0 0 * * *|30 0 * * *|0 1 * * *|30 1 * * *|0 2 * * *|30 2 * * *|15 2 * * *|59 2 * * *|0 3 * * *|30 3 * * *|59 23 * * *
1-59 1-23 * * *|0-59 0-23 * * *|0,15,30,45 0-3 * * *|5-55/10 1,2 * * *|0 22-2 * * *|45 23-1 * * *|0 9-9 * * *
7-7 3 * * *|10/20 2/11 * * *|59/15 1 * * *
0 2 1 * *|30 2 31 * *|0 0 29 2 *|0 3 */2 * *|0 2 */2 * 0|30 1 * * 0|30 1 * * 7|0 2 * * sun|0 0 * * 5-7|15 2 * * mon-fri
0 3 25 * 0|0 0 13 * fri|30 2 8-14 3,11 *|0 2 ? * 1|45 1,2,3 25-31 mar,oct *|0 12 1-1 jan-jun/2 *|@daily|@weekly|@yearly
""".strip()
    .replace("\n", "|")
    .split("|")
)
EVERY_PAIR = pytest.mark.parametrize("zone", ZONES)


def test_there_are_as_many_as_promised() -> None:
    assert (len(ZONES), len(set(EXPRESSIONS))) == (40, 60)
    changing = [zone for zone in ZONES if len(clock_of(zone)) > 1]
    assert len(changing) == 37, "all but UTC and two zones of a constant, odd offset"


@cache
def clock_of(zone: str) -> list[Stretch]:
    year = ZONES[zone]
    return stretches(zone, datetime(year, 1, 1, tzinfo=UTC), datetime(year + YEARS, 1, 1, tzinfo=UTC))


def disagreements(zone: str, expression: str, clock: list[Stretch], due: list[int], places: set[int]) -> list[str]:
    """Ask for what follows each of these due moments, and a moment between it and the next; numbers of `due`."""
    cron, found = parse_cron(expression, zone), []
    random = Random(f"{SEED} {zone} {expression}")
    start = clock[0].start - 1
    for place in sorted(places):
        before = due[place - 1] if place else start
        # The due moment before it, or any instant from there on.
        asked = at(before) + timedelta(
            microseconds=random.choice([0, random.randrange((due[place] - before) * 60_000_000)])
        )
        answer = cron.after(asked).due_at
        if answer != at(due[place]):
            found.append(f"{expression!r} in {zone} after {asked}: {answer}, by the oracle {at(due[place])}")
    last = at(due[-1] if due else start)
    if cron.after(last).due_at < at(clock[-1].end):
        found.append(f"{expression!r} in {zone}: due after {last}, not so by the oracle")
    return found


def near(due: list[int], instants: list[int], each_way: int) -> set[int]:
    """The numbers of the due moments that lie around each of these instants."""
    return {
        place
        for instant in instants
        for middle in [bisect_left(due, instant)]
        for place in range(max(middle - each_way, 0), min(middle + each_way, len(due)))
    }


@EVERY_PAIR
def test_around_the_changes_of_the_clock(zone: str) -> None:
    print(f"seed {SEED}")
    clock, random, found = clock_of(zone), Random(f"{SEED} {zone}"), []
    changes = [part.start for part in clock[1:]] or [random.randrange(clock[0].start, clock[0].end)]
    for change in random.sample(changes, 1):
        window = cut(clock, change - 3 * DAY, change + 3 * DAY)
        for expression in EXPRESSIONS:
            due = due_moments(expression, window)
            found += disagreements(zone, expression, window, due, near(due, [change], 5))
    assert found == []


@pytest.mark.parametrize(
    ("zone", "expression"),
    [
        ("Europe/Berlin", "30 2 * * *"),
        ("Pacific/Apia", "0 0 * * 5-7"),
        ("Africa/Casablanca", "5-55/10 1,2 * * *"),
        ("Antarctica/Troll", "45 */23 * * *"),
        ("Australia/Lord_Howe", "0 22-2 * * *"),
    ],
)
def test_whole_years(zone: str, expression: str) -> None:
    clock = clock_of(zone)
    due = due_moments(expression, clock)
    assert disagreements(zone, expression, clock, due, set(range(len(due)))) == []


@pytest.mark.long
@pytest.mark.timeout(1200)
@EVERY_PAIR
def test_three_years(zone: str) -> None:
    """Every due moment of the sparse ones; of the dense, all around the changes and a thousand in between."""
    print(f"seed {SEED}")
    clock, random, found = clock_of(zone), Random(f"{SEED} {zone}"), []
    changes = [part.start for part in clock[1:]]
    for expression in EXPRESSIONS:
        due = due_moments(expression, clock)
        some = range(len(due)) if len(due) <= 1200 else random.sample(range(len(due)), 1000)
        found += disagreements(zone, expression, clock, due, near(due, changes, 60) | set(some))
    assert found == []
