"""Backfill: the past moments of a schedule, made once."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from shared.domain.schedule import Origin, Timing, scheduled_job_id
from tests.api.conftest import CLI, EVERY_QUARTER, Service, fields, schedules

HOURLY = {**CLI, "schedule": "0 * * * *"}
DELAYED = {"interval_seconds": 900, "interval_mode": "fixed_delay"}


def written(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def hours_ago(hours: float) -> datetime:
    return datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=hours)


def between(since: datetime, until: datetime, **more: Any) -> dict[str, Any]:
    return {"since": written(since), "until": written(until), **more}


async def make_job(api: httpx.AsyncClient, **change: Any) -> str:
    made = (await api.post("/jobs", json={**HOURLY, **change})).raise_for_status()
    return f"/jobs/{made.json()['id']}/backfill"


async def test_the_moments_of_the_range_are_made_behind_all_others(api: httpx.AsyncClient, service: Service) -> None:
    path = await make_job(api, jitter_seconds=60)
    since, until = hours_ago(5), hours_ago(2)
    answer = await api.post(path, json=between(since, until))
    assert answer.status_code == 202, answer.text
    made = answer.json()
    assert (made["scheduled_jobs_count"], made["already_there"]) == (3, 0)
    [schedule] = await schedules(service)
    moments = [since + timedelta(hours=number) for number in range(3)]
    assert [item["due_at"] for item in made["scheduled_jobs"]] == [written(moment) for moment in moments]
    rows = await service.execute("SELECT *, run_after <= clock_timestamp() AS due FROM scheduled_jobs ORDER BY due_at")
    for row, moment in zip(rows, moments, strict=True):
        assert row["id"] == scheduled_job_id(schedule["id"], Origin.BACKFILL, moment)
        assert (row["due_at"], row["origin"], row["priority"], row["overlap"]) == (moment, "backfill", 2, "in_turn")
        assert row["start_by"] - row["run_after"] == timedelta(days=7)
        assert row["due"]
        assert (row["kind"], row["lane"], row["job_id"]) == ("callback", "http", schedule["job_id"])
    [after] = await schedules(service)
    assert after["next_due"] == schedule["next_due"]


async def test_what_waits_or_has_ended_is_not_made_again(api: httpx.AsyncClient, service: Service) -> None:
    path = await make_job(api)
    first = (await api.post(path, json=between(hours_ago(5), hours_ago(3)))).json()
    ended = UUID(first["scheduled_jobs"][0]["id"])
    assert (await api.post(f"/scheduled-jobs/{ended}/cancel")).is_success
    again = (await api.post(path, json=between(hours_ago(6), hours_ago(3)))).json()
    assert (again["scheduled_jobs_count"], again["already_there"]) == (1, 2)
    assert [item["due_at"] for item in again["scheduled_jobs"]] == [written(hours_ago(6))]
    rows = {row["id"] for row in await service.execute("SELECT id FROM scheduled_jobs")}
    assert len(rows) == 2
    assert ended not in rows


async def test_each_browser_gets_its_moments(api: httpx.AsyncClient, acme: dict[str, Any], service: Service) -> None:
    both = {**EVERY_QUARTER, "browsers": ["chromium", "firefox"]}
    path = f"/job-configurations/{(await api.post('/job-configurations', json=both)).json()['id']}/backfill"
    since, until = hours_ago(2), hours_ago(1)
    one = (await api.post(path, json=between(since, until, browsers=["firefox"]))).json()
    assert (one["scheduled_jobs_count"], {item["browser"] for item in one["scheduled_jobs"]}) == (4, {"firefox"})
    [row] = [row for row in await schedules(service) if row["browser"] == "firefox"]
    expected = Timing(row["id"], row["interval_seconds"]).due_after(since - timedelta(microseconds=1))
    assert datetime.fromisoformat(one["scheduled_jobs"][0]["due_at"]) == expected
    all_of_them = (await api.post(path, json=between(since, until))).json()
    assert (all_of_them["scheduled_jobs_count"], all_of_them["already_there"]) == (4, 4)
    assert fields(await api.post(path, json=between(since, until, browsers=["netscape"]))) == ["browsers.0"]
    assert fields(await api.post(path, json=between(since, until, browsers=[]))) == ["browsers"]


async def test_it_works_while_paused_and_the_same_key_makes_it_once(api: httpx.AsyncClient) -> None:
    path = await make_job(api)
    await api.post(path.replace("backfill", "pause"), json={"reason": "x"})
    body = between(hours_ago(3), hours_ago(1))
    answers = [await api.post(path, json=body, headers={"Idempotency-Key": "k"}) for _ in range(2)]
    assert answers[0].json() == answers[1].json()
    assert answers[0].json()["scheduled_jobs_count"] == 2


async def test_a_range_without_a_moment_makes_nothing(api: httpx.AsyncClient) -> None:
    path = await make_job(api)
    since = hours_ago(3) + timedelta(minutes=1)
    answer = await api.post(path, json=between(since, since + timedelta(minutes=58)))
    assert answer.json() == {"scheduled_jobs_count": 0, "already_there": 0, "scheduled_jobs": []}


async def test_a_thousand_at_once_and_no_more(api: httpx.AsyncClient, service: Service) -> None:
    path = await make_job(api, schedule="* * * * *")
    since = hours_ago(48)
    answer = await api.post(path, json=between(since, since + timedelta(minutes=1_001)))
    assert fields(answer) == ["since"]
    assert "more than 1,000" in answer.json()["errors"][0]["message"]
    assert await service.execute("SELECT id FROM scheduled_jobs") == []
    made = (await api.post(path, json=between(since, since + timedelta(minutes=1_000)))).json()
    assert (made["scheduled_jobs_count"], len(made["scheduled_jobs"])) == (1_000, 100)


async def test_a_fixed_delay_has_no_moments_of_its_own(api: httpx.AsyncClient, acme: dict[str, Any]) -> None:
    path = await make_job(api, schedule=DELAYED)
    assert fields(await api.post(path, json=between(hours_ago(3), hours_ago(1)))) == ["body"]
    made = (await api.post("/job-configurations", json={**EVERY_QUARTER, "schedule": DELAYED})).json()
    path = f"/job-configurations/{made['id']}/backfill"
    assert fields(await api.post(path, json=between(hours_ago(3), hours_ago(1)))) == ["body"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"since": None}, "since"),
        ({"until": None}, "until"),
        ({"since": "yesterday"}, "since"),
        ({"since": 5}, "since"),
        ({"since": "2026-11-20T00:00:00"}, "since"),
        ({"since": "nul\0"}, "since"),
        ({"until": written(datetime(2199, 1, 1, tzinfo=UTC))}, "until"),
        ({"until": "9999-12-31T23:59:59-12:00"}, "until"),
        ({"since": written(hours_ago(1))}, "since"),
        ({"since": written(hours_ago(0.5))}, "since"),
        ({"since": written(hours_ago(24 * 367))}, "since"),
        ({"since": written(datetime(2000, 1, 1, tzinfo=UTC))}, "since"),
        ({"colour": "red"}, "colour"),
        ({"browsers": ["chromium"]}, "browsers"),
    ],
)
async def test_a_range_that_can_not_be_is_refused(api: httpx.AsyncClient, change: dict[str, Any], field: str) -> None:
    path = await make_job(api)
    assert fields(await api.post(path, json={**between(hours_ago(3), hours_ago(1)), **change})) == [field]


async def test_it_needs_a_key_that_may_run(api: httpx.AsyncClient, service: Service) -> None:
    path = await make_job(api)
    body = between(hours_ago(3), hours_ago(1))
    async with service.client(await service.key("reader", "read")) as reader:
        assert (await reader.post(f"/api/v1{path}", json=body)).status_code == 403
    async with service.client(await service.key("runner", "run")) as runner:
        assert (await runner.post(f"/api/v1{path}", json=body)).status_code == 202
