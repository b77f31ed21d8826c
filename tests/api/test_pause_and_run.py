"""Pausing, stopping, resuming and running a job configuration."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import httpx
import pytest

from shared.domain.schedule import Origin, Timing, scheduled_job_id
from tests.api.conftest import WHOLE, Service, fields, make_due, schedules


@pytest.mark.parametrize("stop", ["pause", "disable", "delete"])
async def test_stopping_ends_what_is_due_and_takes_back_what_is_not(
    api: httpx.AsyncClient, configuration: dict[str, Any], service: Service, stop: str
) -> None:
    [schedule] = await schedules(service)
    due = [
        await make_due(service, schedule["id"], -5),
        await make_due(service, schedule["id"], -4, "dispatched"),
    ]
    running = await make_due(service, schedule["id"], -3, "running")
    await make_due(service, schedule["id"], 300)
    path = f"/job-configurations/{configuration['id']}"
    if stop == "pause":
        (await api.post(f"{path}/pause", json={"reason": "the partner migrates"})).raise_for_status()
    elif stop == "disable":
        (await api.patch(path, json={"enabled": False})).raise_for_status()
    else:
        assert (await api.delete(path)).status_code == 204
    assert [row["id"] for row in await service.execute("SELECT id FROM scheduled_jobs")] == [running]
    results = await service.execute("SELECT * FROM job_results ORDER BY due_at")
    assert [(row["id"], row["outcome_code"], row["attempts"]) for row in results] == [
        (due[0], "cancelled", 0),
        (due[1], "cancelled", 0),
    ]
    assert [row["never"] for row in await schedules(service)] == ([] if stop == "delete" else [True])


async def test_results_outlive_their_job_configuration(
    api: httpx.AsyncClient, configuration: dict[str, Any], service: Service
) -> None:
    [schedule] = await schedules(service)
    due = await make_due(service, schedule["id"], -5)
    await api.delete(f"/job-configurations/{configuration['id']}")
    assert (await api.get(f"/job-results/{due}")).json()["outcome"]["code"] == "cancelled"


async def test_a_pause_says_who_why_and_until_when(api: httpx.AsyncClient, configuration: dict[str, Any]) -> None:
    until = (datetime.now(UTC) + timedelta(days=1)).replace(microsecond=0)
    in_kiritimati = until.astimezone(ZoneInfo("Pacific/Kiritimati")).isoformat()
    path = f"/job-configurations/{configuration['id']}"
    paused = await api.post(f"{path}/pause", json={"reason": "holiday", "until": in_kiritimati})
    view = paused.json()["paused"]
    assert (view["reason"], view["by"], view["until"]) == ("holiday", "ops", until.isoformat().replace("+00:00", "Z"))
    assert (await api.get(path)).json() == paused.json()


async def test_resuming_is_due_at_the_first_moment_from_now(
    api: httpx.AsyncClient, configuration: dict[str, Any], service: Service
) -> None:
    [before] = await schedules(service)
    path = f"/job-configurations/{configuration['id']}"
    await api.post(f"{path}/pause", json={"reason": "holiday"})
    resumed = await api.post(f"{path}/resume")
    assert resumed.json()["paused"] is None
    [after] = await schedules(service)
    assert after["next_due"] == before["next_due"]
    assert (await api.post(f"{path}/resume")).status_code == 200


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "reason"),
        ({"reason": ""}, "reason"),
        ({"reason": "x", "until": "2020-01-01T00:00:00Z"}, "until"),
        ({"reason": "x", "until": "2030-01-01T00:00:00"}, "until"),
        ({"reason": "x", "until": "9999-12-31T23:59:59-12:00"}, "until"),
        ({"reason": "x", "until": "tomorrow"}, "until"),
        ({"reason": "x", "who": "me"}, "who"),
    ],
)
async def test_a_pause_that_can_not_be_is_refused(
    api: httpx.AsyncClient, configuration: dict[str, Any], body: dict[str, Any], field: str
) -> None:
    assert fields(await api.post(f"/job-configurations/{configuration['id']}/pause", json=body)) == [field]


async def test_run_now_makes_a_scheduled_job_a_browser_that_is_due_at_once(
    api: httpx.AsyncClient, acme: dict[str, Any], service: Service
) -> None:
    made = (await api.post("/job-configurations", json={**WHOLE, "priority": "normal"})).json()
    before = await schedules(service)
    answer = await api.post(f"/job-configurations/{made['id']}/run")
    assert answer.status_code == 202
    jobs = answer.json()["scheduled_jobs"]
    assert [(job["browser"], job["origin"], job["state"]) for job in jobs] == [
        ("chromium", "manual", "overdue"),
        ("firefox", "manual", "overdue"),
    ]
    rows = await service.execute("SELECT * FROM scheduled_jobs ORDER BY browser")
    for row, schedule in zip(rows, before, strict=True):
        assert row["id"] == scheduled_job_id(schedule["id"], Origin.MANUAL, row["due_at"])
        assert row["run_after"] == row["due_at"] <= datetime.now(UTC)
        assert row["start_by"] - row["due_at"] == timedelta(seconds=600)
        assert (row["priority"], row["overlap"], row["state"], row["kind"]) == (0, "allow", "planned", "check")
        assert (row["shard"], row["lane"]) == (schedule["shard"], schedule["lane"])
        assert (row["partner"], row["job_configuration_id"]) == ("acme", UUID(made["id"]))
    assert [row["next_due"] for row in await schedules(service)] == [row["next_due"] for row in before]


async def test_run_now_takes_a_choice_of_browsers(api: httpx.AsyncClient, acme: dict[str, Any]) -> None:
    made = (await api.post("/job-configurations", json=WHOLE)).json()
    path = f"/job-configurations/{made['id']}/run"
    jobs = (await api.post(path, json={"browsers": ["firefox"]})).json()["scheduled_jobs"]
    assert [job["browser"] for job in jobs] == ["firefox"]
    assert fields(await api.post(path, json={"browsers": ["netscape"]})) == ["browsers.0"]
    assert fields(await api.post(path, json={"browsers": []})) == ["browsers"]


async def test_the_next_runs_are_those_of_the_domain(
    api: httpx.AsyncClient, acme: dict[str, Any], service: Service
) -> None:
    made = (await api.post("/job-configurations", json=WHOLE)).json()
    items = (await api.get(f"/job-configurations/{made['id']}/next-runs", params={"count": 6})).json()["items"]
    assert [item["browser"] for item in items] == ["chromium", "firefox"] * 3
    [row, _] = await schedules(service)
    timing = Timing(row["id"], None, row["cron"], row["timezone"], row["jitter_seconds"])
    expected = row["next_due"]
    for item in items[::2]:
        assert datetime.fromisoformat(item["due_at"]) == expected
        assert datetime.fromisoformat(item["run_after"]) == timing.run_after(expected)
        expected = timing.due_after(expected)


async def test_nothing_is_next_while_it_is_paused(api: httpx.AsyncClient, configuration: dict[str, Any]) -> None:
    path = f"/job-configurations/{configuration['id']}"
    await api.post(f"{path}/pause", json={"reason": "holiday"})
    assert (await api.get(f"{path}/next-runs")).json() == {"items": []}


@pytest.mark.parametrize("how", ["pause", "retime", "delete"])
async def test_moments_that_no_scheduler_planned_still_end_in_a_result(
    api: httpx.AsyncClient, configuration: dict[str, Any], service: Service, how: str
) -> None:
    """Four came due in an outage of an hour; the newest is the one that is caught up on."""
    [schedule] = await schedules(service)
    first = schedule["next_due"] - timedelta(minutes=60)
    await service.execute("UPDATE schedules SET next_due = :first", first=first)
    path = f"/job-configurations/{configuration['id']}"
    if how == "pause":
        (await api.post(f"{path}/pause", json={"reason": "x"})).raise_for_status()
    elif how == "retime":
        (await api.patch(path, json={"schedule": {"interval_seconds": 7200}})).raise_for_status()
    else:
        (await api.delete(path)).raise_for_status()
    moments = [first + timedelta(minutes=15) * number for number in range(4)]
    results = await service.execute("SELECT due_at, outcome_code FROM job_results ORDER BY due_at")
    ended = [(row["due_at"], row["outcome_code"]) for row in results]
    expected = [(moment, "missed") for moment in moments[:3]]
    if how == "retime":
        # In one case of eight the new timing keeps the next moment, which the edit then plans as well.
        [job] = await service.execute("SELECT due_at, state FROM scheduled_jobs WHERE due_at <= now()")
        assert (job["due_at"], job["state"]) == (moments[3], "planned")
    else:
        expected.append((moments[3], "cancelled"))
        assert await service.execute("SELECT due_at FROM scheduled_jobs") == []
    assert ended == expected
