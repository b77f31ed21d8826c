"""Edits against the planner, which plans ahead at any moment: whoever commits first, the promise holds."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import httpx
import pytest
import pytest_asyncio
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.scheduler.planner import _PLAN, _arguments, _Planned
from shared.domain.schedule import Plan, Timing
from tests.api.conftest import CLI, EVERY_QUARTER, Service, schedules
from tests.locks import until_someone_waits


@pytest_asyncio.fixture
async def planner(service: Service) -> AsyncIterator[AsyncConnection]:
    """The planner's connection; what it did is committed by the test."""
    async with service.engine.connect() as connection:
        yield connection
        await connection.rollback()


async def plan(planner: AsyncConnection, schedule: Any) -> int:
    """How many scheduled jobs the planner made of what it read before."""
    timing = Timing(
        schedule["id"], schedule["interval_seconds"], schedule["cron"], schedule["timezone"], schedule["jitter_seconds"]
    )
    due = schedule["next_due"]
    made = Plan(run=(due,), missed=(), next_due=timing.due_after(due))
    await planner.execute(_PLAN, _arguments([_Planned(schedule, timing, made)]))
    return int((await planner.execute(text("SELECT count(*) FROM scheduled_jobs"))).scalar_one())


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
    await until_someone_waits(service.engine)
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
    assert after["next_due"] == before["next_due"]


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
        await until_someone_waits(service.engine)
        planning = asyncio.create_task(plan(planner, schedule))
        await until_someone_waits(service.engine, 2)
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
        await until_someone_waits(service.engine)
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


JOB_HOWS = ["pause", "disable", "delete", "retime", "replace", "tag"]


async def stop_job(api: httpx.AsyncClient, how: str, job_id: str) -> httpx.Response:
    path = f"/jobs/{job_id}"
    match how:
        case "pause":
            return await api.post(f"{path}/pause", json={"reason": "race"})
        case "disable":
            return await api.patch(path, json={"enabled": False})
        case "delete":
            return await api.delete(path)
        case "retime":
            return await api.patch(path, json={"schedule": {"interval_seconds": 3601}})
        case "replace":
            return await api.put(path, json={**CLI, "schedule": "0 0 1 1 *"})
        case "tag":
            return await api.post("/schedules/pause", json={"tag": "race", "reason": "race"})
    raise AssertionError(how)


@pytest_asyncio.fixture
async def tagged_job(api: httpx.AsyncClient) -> dict[str, Any]:
    """An hourly job with the tag `race`."""
    made: dict[str, Any] = (await api.post("/jobs", json={**CLI, "schedule": "0 * * * *", "tags": ["race"]})).json()
    return made


@pytest.mark.parametrize("how", JOB_HOWS)
async def test_what_the_planner_is_just_planning_of_a_job_is_taken_back(
    api: httpx.AsyncClient, tagged_job: dict[str, Any], service: Service, planner: AsyncConnection, how: str
) -> None:
    [schedule] = await schedules(service)
    assert await plan(planner, schedule) == 1
    stopping = asyncio.create_task(stop_job(api, how, tagged_job["id"]))
    await until_someone_waits(service.engine)
    await planner.commit()
    assert (await stopping).is_success
    assert await service.execute("SELECT id FROM scheduled_jobs") == []
    assert await service.execute("SELECT id FROM job_results") == []


@pytest.mark.parametrize("how", JOB_HOWS)
async def test_a_planner_that_read_before_the_edit_of_a_job_plans_nothing_after_it(
    api: httpx.AsyncClient, tagged_job: dict[str, Any], service: Service, planner: AsyncConnection, how: str
) -> None:
    [schedule] = await schedules(service)
    assert (await stop_job(api, how, tagged_job["id"])).is_success
    assert await plan(planner, schedule) == 0


async def test_pauses_by_tag_and_edits_from_everywhere_neither_block_each_other_nor_leave_a_schedule_wrong(
    api: httpx.AsyncClient, acme: dict[str, Any], service: Service
) -> None:
    await api.patch("/partners/acme", json={"tags": ["race"]})
    configurations = [(await api.post("/job-configurations", json=EVERY_QUARTER)).json()["id"] for _ in range(2)]
    jobs = [(await api.post("/jobs", json={**CLI, "tags": ["race"]})).json()["id"] for _ in range(2)]
    past = {"since": "2026-11-01T00:00:00Z", "until": "2026-11-01T01:00:00Z"}
    rounds = [
        *(api.post("/schedules/pause", json={"tag": "race", "reason": "x"}) for _ in range(2)),
        *(api.post("/schedules/resume", json={"tag": "race"}) for _ in range(2)),
        *(api.post("/schedules/pause", json={"partner": "acme", "reason": "y"}) for _ in range(2)),
        *(api.patch(f"/job-configurations/{id_}", json={"priority": "high"}) for id_ in configurations),
        *(api.patch("/partners/acme", json={"active": active}) for active in (False, True)),
        *(api.post(f"/jobs/{id_}/{call}") for id_ in jobs for call in ("run", "resume")),
        *(api.put(f"/jobs/{id_}", json={**CLI, "tags": ["race"], "schedule": "@daily"}) for id_ in jobs),
        *(api.post(f"/jobs/{id_}/backfill", json=past) for id_ in (*jobs, *jobs)),
        api.post("/schedules/resume", json={"partner": "acme"}),
    ]
    answers = await asyncio.gather(*rounds)
    assert {answer.status_code for answer in answers} <= {200, 202}
    active = (await api.get("/partners/acme")).json()["active"]
    found = [*(await api.get("/job-configurations")).json()["items"], *(await api.get("/jobs")).json()["items"]]
    paused = {item["id"] for item in found if item["paused"]}
    for row in await schedules(service):
        runs = str(row["job_configuration_id"] or row["job_id"]) not in paused and (active or row["job_id"] is not None)
        assert row["never"] is not runs


@pytest.mark.parametrize("end", ["before", "after"])
async def test_a_backfill_does_not_make_again_what_ends_meanwhile(
    api: httpx.AsyncClient, tagged_job: dict[str, Any], service: Service, end: str
) -> None:
    path = f"/jobs/{tagged_job['id']}/backfill"
    past = {"since": "2026-11-01T00:00:00Z", "until": "2026-11-01T01:00:00Z"}
    [first] = (await api.post(path, json=past)).json()["scheduled_jobs"]
    ended = """
        WITH ended AS (DELETE FROM scheduled_jobs WHERE id = :id RETURNING *)
        INSERT INTO job_results (id, due_at, schedule_id, origin, kind, job_id, outcome_code, outcome_class, message)
        SELECT id, due_at, schedule_id, origin, kind, job_id, 'success', 'passed', 'm' FROM ended
    """
    async with service.engine.connect() as runner:
        await runner.execute(text(ended), {"id": UUID(first["id"])})
        if end == "before":
            await runner.commit()
            again = await api.post(path, json=past)
        else:
            asking = asyncio.create_task(api.post(path, json=past))
            await until_someone_waits(service.engine)
            await runner.commit()
            again = await asking
    assert again.json() == {"scheduled_jobs_count": 0, "already_there": 1, "scheduled_jobs": []}
    assert await service.execute("SELECT id FROM scheduled_jobs") == []
