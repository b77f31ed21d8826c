"""Intervals that count from the end of the run before."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.api.conftest import CLI, EVERY_QUARTER, Service, fields, make_due, schedules

DELAYED = {"interval_seconds": 900, "interval_mode": "fixed_delay"}


def near(moment: datetime, seconds: float) -> bool:
    return abs(moment - datetime.now(UTC) - timedelta(seconds=seconds)) < timedelta(seconds=20)


async def test_a_job_configuration_may_have_one(api: httpx.AsyncClient, acme: dict[str, Any], service: Service) -> None:
    made = (await api.post("/job-configurations", json={**EVERY_QUARTER, "schedule": DELAYED})).json()
    assert made["schedule"] == {**DELAYED, "cron": None, "timezone": None}
    [row] = await schedules(service)
    assert (row["fixed_delay"], row["interval_seconds"]) == (True, 900)
    assert near(row["next_due"], 900)


async def test_a_rate_is_the_default(configuration: dict[str, Any], service: Service) -> None:
    assert configuration["schedule"]["interval_mode"] == "fixed_rate"
    assert [row["fixed_delay"] for row in await schedules(service)] == [False]


async def test_a_job_may_have_one(api: httpx.AsyncClient, service: Service) -> None:
    made = (await api.post("/jobs", json={**CLI, "schedule": DELAYED, "jitter_seconds": 30})).json()
    assert made["schedule"] == DELAYED
    [row] = await schedules(service)
    assert (row["fixed_delay"], row["jitter_seconds"]) == (True, 30)
    assert near(row["next_due"], 900)


@pytest.mark.parametrize(
    ("schedule", "field"),
    [
        ({"cron": "* * * * *", "interval_mode": "fixed_delay"}, "schedule.interval_mode"),
        ({"interval_seconds": 900, "interval_mode": "sometimes"}, "schedule.interval_mode"),
        ({"interval_seconds": 900, "interval_mode": 1}, "schedule.interval_mode"),
        ({"interval_mode": "fixed_delay"}, "schedule"),
    ],
)
async def test_what_can_not_be_is_refused(
    api: httpx.AsyncClient, acme: dict[str, Any], schedule: dict[str, Any], field: str
) -> None:
    assert fields(await api.post("/job-configurations", json={**EVERY_QUARTER, "schedule": schedule})) == [field]


async def test_a_change_of_the_mode_is_a_new_timing(
    api: httpx.AsyncClient, configuration: dict[str, Any], service: Service
) -> None:
    [before] = await schedules(service)
    await make_due(service, before["id"], 300)
    path = f"/job-configurations/{configuration['id']}"
    (await api.patch(path, json={"schedule": {"interval_mode": "fixed_delay"}})).raise_for_status()
    [after] = await schedules(service)
    assert near(after["next_due"], 900)
    assert await service.execute("SELECT id FROM scheduled_jobs") == []
    cron = {"schedule": {"interval_seconds": None, "interval_mode": None, "cron": "0 * * * *"}}
    (await api.patch(path, json=cron)).raise_for_status()
    [after] = await schedules(service)
    assert (after["fixed_delay"], after["next_due"].minute) == (False, 0)


async def test_resuming_counts_from_now(api: httpx.AsyncClient, service: Service) -> None:
    made = (await api.post("/jobs", json={**CLI, "schedule": DELAYED})).json()
    await api.post(f"/jobs/{made['id']}/pause", json={"reason": "x"})
    await service.execute("UPDATE jobs SET paused_at = paused_at - interval '1 day'")
    resumed = (await api.post(f"/jobs/{made['id']}/resume")).json()
    assert near(datetime.fromisoformat(resumed["next_due"]), 900)


async def test_an_edit_after_an_outage_leaves_the_moment_that_was_due_its_result(
    api: httpx.AsyncClient, service: Service
) -> None:
    made = (await api.post("/jobs", json={**CLI, "schedule": DELAYED, "catch_up": "none"})).json()
    await service.execute("UPDATE schedules SET next_due = now() - interval '1 hour'")
    changed = (await api.patch(f"/jobs/{made['id']}", json={"description": "x"})).json()
    assert near(datetime.fromisoformat(changed["next_due"]), 900)
    assert [row["outcome_code"] for row in await service.execute("SELECT * FROM job_results")] == ["missed"]


async def test_only_the_next_run_is_known(api: httpx.AsyncClient, service: Service) -> None:
    made = (await api.post("/jobs", json={**CLI, "schedule": DELAYED})).json()
    items = (await api.get(f"/jobs/{made['id']}/next-runs")).json()["items"]
    assert [(item["due_at"], item["browser"], item["oddity"]) for item in items] == [(made["next_due"], None, None)]


async def test_while_the_run_before_is_live_nothing_is_due(api: httpx.AsyncClient, service: Service) -> None:
    made = (await api.post("/jobs", json={**CLI, "schedule": DELAYED})).json()
    [schedule] = await schedules(service)
    running = await make_due(service, schedule["id"], -1000, "running")
    await service.execute("UPDATE schedules SET next_due = now() - interval '100 s'")
    (await api.patch(f"/jobs/{made['id']}", json={"description": "x"})).raise_for_status()
    assert [row["id"] for row in await service.execute("SELECT id FROM scheduled_jobs")] == [running]
    assert await service.execute("SELECT id FROM job_results") == []


async def test_once_it_has_ended_the_delay_counts_from_its_end(api: httpx.AsyncClient, service: Service) -> None:
    made = (await api.post("/jobs", json={**CLI, "schedule": DELAYED})).json()
    [schedule] = await schedules(service)
    due = await make_due(service, schedule["id"], -1000)
    assert (await api.post(f"/scheduled-jobs/{due}/cancel")).is_success
    await service.execute("UPDATE schedules SET next_due = now() - interval '100 s'")
    changed = (await api.patch(f"/jobs/{made['id']}", json={"description": "x"})).json()
    assert near(datetime.fromisoformat(changed["next_due"]), 900)
    assert await service.execute("SELECT id FROM scheduled_jobs") == []
