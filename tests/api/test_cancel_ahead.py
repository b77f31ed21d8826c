"""Cancelling the next moment of a schedule, long before it is planned."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text

from services.scheduler.housekeeping import end_pauses
from shared.domain.schedule import Origin, Timing, scheduled_job_id
from tests.api.conftest import CLI, EVERY_QUARTER, Service, problem, schedules
from tests.api.test_races import plan
from tests.locks import until_someone_waits

# Its next moment is a year ahead at most, and never so near that a test meets it but at that very minute.
YEARLY: dict[str, Any] = {**CLI, "schedule": "0 3 1 1 *"}


async def next_one(api: httpx.AsyncClient) -> dict[str, Any]:
    [item] = (await api.get("/scheduled-jobs")).json()["items"]
    assert item["planned"] is False
    found: dict[str, Any] = item
    return found


async def call_off(api: httpx.AsyncClient) -> str:
    """The id of the next moment, which is cancelled."""
    item = await next_one(api)
    (await api.post(f"/scheduled-jobs/{item['id']}/cancel")).raise_for_status()
    found: str = item["id"]
    return found


async def recorded(service: Service) -> list[tuple[str, str]]:
    return [(str(row["id"]), row["outcome_code"]) for row in await service.execute("SELECT * FROM job_results")]


@pytest.mark.parametrize("schedule", [{"interval_seconds": 86_400}, {"cron": "0 3 * * *", "timezone": "Europe/Berlin"}])
async def test_it_is_recorded_and_the_one_after_it_is_next(
    api: httpx.AsyncClient, acme: dict[str, Any], service: Service, schedule: dict[str, Any]
) -> None:
    (await api.post("/job-configurations", json={**EVERY_QUARTER, "schedule": schedule})).raise_for_status()
    [before] = await schedules(service)
    item = await next_one(api)
    answer = await api.post(f"/scheduled-jobs/{item['id']}/cancel")
    assert answer.status_code == 200
    result = answer.json()
    assert (result["id"], result["due_at"], result["executed_at"]) == (item["id"], item["due_at"], None)
    assert result["outcome"] == {
        "code": "cancelled",
        "class": "not_run",
        "success": False,
        "message": "Cancelled by ops.",
    }
    timing = Timing(before["id"], before["interval_seconds"], before["cron"], before["timezone"])
    [after] = await schedules(service)
    assert after["next_due"] == timing.due_after(before["next_due"])
    assert await service.execute("SELECT id FROM scheduled_jobs") == []
    assert await recorded(service) == [(item["id"], "cancelled")]
    problem(await api.post(f"/scheduled-jobs/{item['id']}/cancel"), 404, "not_found")


async def test_what_comes_after_the_next_moment_is_not_found(api: httpx.AsyncClient, service: Service) -> None:
    (await api.post("/jobs", json=YEARLY)).raise_for_status()
    [schedule] = await schedules(service)
    timing = Timing(schedule["id"], cron=schedule["cron"])
    later = scheduled_job_id(schedule["id"], Origin.SCHEDULE, timing.due_after(schedule["next_due"]))
    problem(await api.post(f"/scheduled-jobs/{later}/cancel"), 404, "not_found")
    assert await schedules(service) == [schedule]


async def test_with_a_fixed_delay_no_moment_is_certain_before_it_is_planned(
    api: httpx.AsyncClient, service: Service
) -> None:
    delayed = {**CLI, "schedule": {"interval_seconds": 3600, "interval_mode": "fixed_delay"}}
    (await api.post("/jobs", json=delayed)).raise_for_status()
    before = await schedules(service)
    item = await next_one(api)
    assert "fixed delay" in problem(await api.post(f"/scheduled-jobs/{item['id']}/cancel"), 404, "not_found")["detail"]
    assert await schedules(service) == before


async def test_of_two_who_cancel_it_at_once_one_does(api: httpx.AsyncClient, service: Service) -> None:
    (await api.post("/jobs", json=YEARLY)).raise_for_status()
    item = await next_one(api)
    answers = await asyncio.gather(*(api.post(f"/scheduled-jobs/{item['id']}/cancel") for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 404, 404, 404]
    assert await recorded(service) == [(item["id"], "cancelled")]


async def test_what_the_planner_is_just_planning_is_cancelled(
    api: httpx.AsyncClient, service: Service, configuration: dict[str, Any]
) -> None:
    [schedule] = await schedules(service)
    item = await next_one(api)
    async with service.engine.connect() as planner:
        assert await plan(planner, schedule) == 1
        cancelling = asyncio.create_task(api.post(f"/scheduled-jobs/{item['id']}/cancel"))
        await until_someone_waits(service.engine)
        await planner.commit()
    assert (await cancelling).status_code == 200
    assert await recorded(service) == [(item["id"], "cancelled")]
    assert await service.execute("SELECT id FROM scheduled_jobs") == []
    [after] = await schedules(service)
    assert after["next_due"] == schedule["next_due"] + timedelta(seconds=900)


async def test_a_planner_that_read_before_plans_nothing_after_it(
    api: httpx.AsyncClient, service: Service, configuration: dict[str, Any]
) -> None:
    [schedule] = await schedules(service)
    await call_off(api)
    async with service.engine.connect() as planner:
        assert await plan(planner, schedule) == 0


@pytest.mark.parametrize("how", ["resumed", "ended by itself", "a new jitter", "a new timing with the same moment"])
async def test_it_stays_called_off(api: httpx.AsyncClient, service: Service, how: str) -> None:
    made = (await api.post("/jobs", json=YEARLY)).raise_for_status().json()
    called_off = [await call_off(api), await call_off(api)]
    [before] = await schedules(service)
    path = f"/jobs/{made['id']}"
    match how:
        case "resumed":
            (await api.post(f"{path}/pause", json={"reason": "holiday"})).raise_for_status()
            (await api.post(f"{path}/resume")).raise_for_status()
        case "ended by itself":
            pause = {"reason": "holiday", "until": "2199-01-01T00:00:00Z"}
            (await api.post(f"{path}/pause", json=pause)).raise_for_status()
            await service.execute("UPDATE jobs SET paused_until = now()")
            await end_pauses(service.engine)
        case "a new jitter":
            (await api.patch(path, json={"jitter_seconds": 5})).raise_for_status()
        case _:
            (await api.patch(path, json={"schedule": "0 3 1 */12 *"})).raise_for_status()
    [after] = await schedules(service)
    assert after["next_due"] == before["next_due"]
    assert sorted(await recorded(service)) == sorted((id_, "cancelled") for id_ in called_off)
    assert await service.execute("SELECT id FROM scheduled_jobs") == []


async def test_a_new_timing_that_is_due_before_it_makes_it_due_again(api: httpx.AsyncClient, service: Service) -> None:
    """Else its moment would run, since the planner comes by it, and have no place for its result."""
    made = (await api.post("/jobs", json=YEARLY)).raise_for_status().json()
    called_off = await call_off(api)
    (await api.patch(f"/jobs/{made['id']}", json={"schedule": "* * * * *"})).raise_for_status()
    assert await recorded(service) == []
    [schedule] = await schedules(service)
    [rows] = await service.execute("SELECT count(*) FROM scheduled_jobs")
    assert rows["count"] == 0
    assert str(scheduled_job_id(schedule["id"], Origin.SCHEDULE, schedule["next_due"])) != called_off


async def test_it_is_found_among_many(api: httpx.AsyncClient, service: Service) -> None:
    (await api.post("/jobs", json=YEARLY)).raise_for_status()
    item = await next_one(api)
    async with service.engine.begin() as connection:
        await connection.execute(
            text(
                "INSERT INTO schedules (id, kind, shard, next_due, cron, timezone, jitter_seconds, overlap, catch_up,"
                " start_deadline_seconds, priority, lane) SELECT gen_random_uuid(), 'callback', n % 64,"
                " now() + n * interval '1 minute', '* * * * *', 'UTC', 0, 'skip', 'latest', 600, 1, 'http'"
                " FROM generate_series(1, 2500) AS n"
            )
        )
    assert (await api.post(f"/scheduled-jobs/{item['id']}/cancel")).status_code == 200
    [schedule] = await service.execute("SELECT id FROM schedules WHERE job_id IS NOT NULL")
    assert UUID(item["schedule_id"]) == schedule["id"]
