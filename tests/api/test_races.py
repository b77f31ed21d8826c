"""Edits against the planner, which plans ahead at any moment: whoever commits first, the promise holds."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
import pytest_asyncio
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from tests.api.conftest import EVERY_QUARTER, PLAN, Service, schedules

WAITING = text("""
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock' AND pid <> pg_backend_pid()
""")


@pytest_asyncio.fixture
async def planner(service: Service) -> AsyncIterator[AsyncConnection]:
    """The planner's connection; what it did is committed by the test."""
    async with service.engine.connect() as connection:
        yield connection
        await connection.rollback()


async def plan(planner: AsyncConnection, schedule: Any) -> int:
    """How many scheduled jobs the planner made of what it read before."""
    values = {"id": schedule["id"], "old": schedule["next_due"], "new": schedule["next_due"] + timedelta(minutes=15)}
    return len((await planner.execute(PLAN, values)).all())


async def until_someone_waits(service: Service, count: int = 1) -> None:
    """For a lock, as the database sees it."""
    async with asyncio.timeout(10), service.engine.connect() as connection:
        while (await connection.execute(WAITING)).scalar_one() < count:
            await connection.rollback()
            await asyncio.sleep(0)


async def stop(api: httpx.AsyncClient, how: str, configuration_id: str) -> httpx.Response:
    path = f"/job-configurations/{configuration_id}"
    match how:
        case "pause":
            return await api.post(f"{path}/pause", json={"reason": "race"})
        case "disable":
            return await api.patch(path, json={"enabled": False})
        case "delete":
            return await api.delete(path)
        case "retime":
            return await api.patch(path, json={"schedule": {"interval_seconds": 3601}})
        case "partner":
            return await api.patch("/partners/acme", json={"active": False})
        case "browser":
            return await api.patch("/browsers/chromium", json={"enabled": False})
    raise AssertionError(how)


HOWS = ["pause", "disable", "delete", "retime", "partner", "browser"]


@pytest.mark.parametrize("how", HOWS)
async def test_what_the_planner_is_just_planning_is_taken_back(
    api: httpx.AsyncClient, configuration: dict[str, Any], service: Service, planner: AsyncConnection, how: str
) -> None:
    [schedule] = await schedules(service)
    assert await plan(planner, schedule) == 1
    stopping = asyncio.create_task(stop(api, how, configuration["id"]))
    await until_someone_waits(service)
    await planner.commit()
    assert (await stopping).is_success
    assert await service.execute("SELECT id FROM scheduled_jobs") == []
    assert await service.execute("SELECT id FROM job_results") == []


@pytest.mark.parametrize("how", HOWS)
async def test_a_planner_that_read_before_the_edit_plans_nothing_after_it(
    api: httpx.AsyncClient, configuration: dict[str, Any], service: Service, planner: AsyncConnection, how: str
) -> None:
    [schedule] = await schedules(service)
    assert (await stop(api, how, configuration["id"])).is_success
    assert await plan(planner, schedule) == 0


async def test_a_new_timing_with_the_same_next_moment_is_told_from_the_old_one(
    api: httpx.AsyncClient, acme: dict[str, Any], service: Service, planner: AsyncConnection
) -> None:
    hourly = {**EVERY_QUARTER, "schedule": {"cron": "0 * * * *"}}
    made = (await api.post("/job-configurations", json=hourly)).json()
    [before] = await schedules(service)
    retimed = {"schedule": {"cron": "0 0-23 * * *"}}
    (await api.patch(f"/job-configurations/{made['id']}", json=retimed)).raise_for_status()
    assert await plan(planner, before) == 0
    [after] = await schedules(service)
    assert [row["due_at"] for row in await service.execute("SELECT due_at FROM scheduled_jobs")] == [before["next_due"]]
    assert after["next_due"] == before["next_due"] + timedelta(hours=1)


async def test_a_planner_that_comes_in_the_middle_of_an_edit_waits_and_plans_nothing(
    api: httpx.AsyncClient, configuration: dict[str, Any], service: Service, planner: AsyncConnection
) -> None:
    [schedule] = await schedules(service)
    async with service.engine.connect() as holder:
        # Holds up the pause at its last step: after the schedules, before its commit.
        job = await service.execute(
            "INSERT INTO scheduled_jobs (id, schedule_id, origin, due_at, kind, shard, lane, priority, overlap,"
            " run_after, start_by) VALUES (gen_random_uuid(), :id, 'schedule', now() + interval '1 h', 'check', 0, 'x',"
            " 1, 'skip', now(), now()) RETURNING id",
            id=schedule["id"],
        )
        await holder.execute(text("SELECT 1 FROM scheduled_jobs WHERE id = :id FOR UPDATE"), {"id": job[0]["id"]})
        stopping = asyncio.create_task(stop(api, "pause", configuration["id"]))
        await until_someone_waits(service)
        planning = asyncio.create_task(plan(planner, schedule))
        await until_someone_waits(service, 2)
        await holder.rollback()
    assert (await stopping).is_success
    assert await planning == 0


async def test_a_runner_that_claims_during_a_pause_keeps_its_job(
    api: httpx.AsyncClient, configuration: dict[str, Any], service: Service
) -> None:
    [made] = (await api.post(f"/job-configurations/{configuration['id']}/run")).json()["scheduled_jobs"]
    async with service.engine.connect() as runner:
        claim = "UPDATE scheduled_jobs SET state = 'running', attempt = 1 WHERE id = :id AND state = 'planned'"
        assert (await runner.execute(text(claim), {"id": UUID(made["id"])})).rowcount == 1
        pausing = asyncio.create_task(stop(api, "pause", configuration["id"]))
        await until_someone_waits(service)
        await runner.commit()
    assert (await pausing).is_success
    assert [row["state"] for row in await service.execute("SELECT state FROM scheduled_jobs")] == ["running"]
    assert await service.execute("SELECT id FROM job_results") == []


async def test_a_partner_switched_off_while_a_job_configuration_is_made_stops_it_all_the_same(
    api: httpx.AsyncClient, acme: dict[str, Any], service: Service
) -> None:
    made, off = await asyncio.gather(
        api.post("/job-configurations", json=EVERY_QUARTER), api.patch("/partners/acme", json={"active": False})
    )
    assert (made.status_code, off.status_code) == (201, 200)
    assert [row["never"] for row in await schedules(service)] == [True]


async def test_edits_from_everywhere_at_once_neither_block_each_other_nor_leave_a_schedule_wrong(
    api: httpx.AsyncClient, acme: dict[str, Any], service: Service
) -> None:
    both = {"partner": "acme", "browsers": ["chromium", "firefox"], "schedule": {"interval_seconds": 60}}
    made = [(await api.post("/job-configurations", json=both)).json()["id"] for _ in range(3)]
    rounds = [
        *(api.patch(f"/job-configurations/{id_}", json={"browsers": ["firefox", "chromium"]}) for id_ in made),
        *(api.patch(f"/job-configurations/{id_}", json={"schedule": {"interval_seconds": 90}}) for id_ in made),
        *(api.post(f"/job-configurations/{id_}/pause", json={"reason": "x"}) for id_ in made),
        *(api.post(f"/job-configurations/{id_}/resume") for id_ in made),
        *(api.post(f"/job-configurations/{id_}/run") for id_ in made),
        *(api.patch("/partners/acme", json={"active": active}) for active in (False, True)),
        *(api.patch("/browsers/firefox", json={"enabled": enabled}) for enabled in (False, True)),
    ]
    answers = await asyncio.gather(*rounds)
    assert {answer.status_code for answer in answers} <= {200, 202}
    partner, browsers = (await api.get("/partners/acme")).json(), (await api.get("/browsers")).json()["items"]
    enabled = {browser["name"] for browser in browsers if browser["enabled"]}
    paused = {item["id"] for item in (await api.get("/job-configurations")).json()["items"] if item["paused"]}
    for row in await schedules(service):
        runs = partner["active"] and row["browser"] in enabled and str(row["job_configuration_id"]) not in paused
        assert row["never"] is not runs
        assert row["interval_seconds"] == 90
