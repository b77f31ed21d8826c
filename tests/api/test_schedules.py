"""The preview of a CRON expression."""

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from services.api.schedules.queries import preview
from tests.api.conftest import fields


async def test_the_next_moments_are_shown(api: httpx.AsyncClient) -> None:
    sent = {"cron": "0 9 * * *", "timezone": "Asia/Tokyo", "count": 3}
    answer = await api.post("/schedules/preview", json=sent)
    assert answer.status_code == 200
    items = answer.json()["items"]
    assert len(items) == 3
    assert all(item["due_at"].endswith("T00:00:00Z") for item in items)
    assert all(item["local_time"].endswith("T09:00:00+09:00") for item in items)


def test_daylight_saving_is_marked() -> None:
    items = preview("30 2 * * *", "Europe/Berlin", 3, datetime(2027, 3, 27, tzinfo=UTC)).items
    assert [item.oddity for item in items] == [None, "moved_out_of_gap", None]
    assert items[1].local_time == "2027-03-28T03:00:00+02:00"


def test_a_line_that_ends_is_shown_to_its_end() -> None:
    # 29 February: from 2096 on, eight years pass without one.
    assert len(preview("0 0 29 2 *", "UTC", 50, datetime(2084, 1, 1, tzinfo=UTC)).items) == 4


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"cron": "nonsense"}, "cron"),
        ({"cron": "* * * * 8-9"}, "cron"),
        ({"cron": "H * * * *"}, "cron"),
        ({"cron": "nul\0 * * * *"}, "cron"),
        ({"timezone": "Europe"}, "timezone"),
        ({"timezone": "nul\0"}, "timezone"),
        ({"count": 0}, "count"),
        ({"count": 51}, "count"),
        ({"colour": "red"}, "colour"),
    ],
)
async def test_what_can_not_be_is_refused(api: httpx.AsyncClient, change: dict[str, Any], field: str) -> None:
    sent = {"cron": "* * * * *", "timezone": "UTC", "count": 3, **change}
    assert fields(await api.post("/schedules/preview", json=sent)) == [field]
