"""Pausing, resuming and running a job, and when it runs next."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from shared.domain.schedule import Origin, Timing, scheduled_job_id
from tests.api.conftest import CLI, Service, fields, make_due, schedules


@pytest.mark.parametrize("stop", ["pause", "disable", "delete"])
async def test_stopping_ends_what_is_due_and_takes_back_what_is_not(
    api: httpx.AsyncClient, job: dict[str, Any], service: Service, stop: str
) -> None:
    [schedule] = await schedules(service)
    due = [await make_due(service, schedule["id"], -5), await make_due(service, schedule["id"], -4, "dispatched")]
    running = await make_due(service, schedule["id"], -3, "running")
    await make_due(service, schedule["id"], 300)
    path = f"/jobs/{job['id']}"
    if stop == "pause":
        (await api.post(f"{path}/pause", json={"reason": "the receiver moves"})).raise_for_status()
    elif stop == "disable":
        (await api.patch(path, json={"enabled": False})).raise_for_status()
    else:
        assert (await api.delete(path)).status_code == 204
    assert [row["id"] for row in await service.execute("SELECT id FROM scheduled_jobs")] == [running]
    results = await service.execute("SELECT * FROM job_results ORDER BY due_at")
    assert [(row["id"], row["outcome_code"], str(row["job_id"])) for row in results] == [
        (id_, "cancelled", job["id"]) for id_ in due
    ]
    assert [row["never"] for row in await schedules(service)] == ([] if stop == "delete" else [True])
    if stop != "delete":
        assert (await api.get(path)).json()["next_due"] is None


async def test_a_pause_says_who_why_and_until_when(api: httpx.AsyncClient, job: dict[str, Any]) -> None:
    until = (datetime.now(UTC) + timedelta(days=1)).isoformat().replace("+00:00", "Z")
    path = f"/jobs/{job['id']}"
    paused = await api.post(f"{path}/pause", json={"reason": "holiday", "until": until})
    view = paused.json()["paused"]
    assert (view["reason"], view["by"], view["until"]) == ("holiday", "ops", until)
    assert (await api.get(path)).json() == paused.json()
    assert (await api.put(path, json=CLI)).json()["paused"] == view
    assert (await api.get(f"{path}/next-runs")).json() == {"items": []}
    resumed = (await api.post(f"{path}/resume")).json()
    assert (resumed["paused"], resumed["next_due"] is not None) == (None, True)
    assert (await api.post(f"{path}/resume")).status_code == 200


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "reason"),
        ({"reason": " "}, "reason"),
        ({"reason": "nul\0"}, "reason"),
        ({"reason": "x", "until": "2020-01-01T00:00:00Z"}, "until"),
        ({"reason": "x", "until": "2030-01-01T00:00:00"}, "until"),
        ({"reason": "x", "who": "me"}, "who"),
    ],
)
async def test_a_pause_that_can_not_be_is_refused(
    api: httpx.AsyncClient, job: dict[str, Any], body: dict[str, Any], field: str
) -> None:
    assert fields(await api.post(f"/jobs/{job['id']}/pause", json=body)) == [field]


async def test_run_now_makes_a_scheduled_job_that_is_due_at_once(
    api: httpx.AsyncClient, job: dict[str, Any], service: Service
) -> None:
    [before] = await schedules(service)
    path = f"/jobs/{job['id']}"
    await api.post(f"{path}/pause", json={"reason": "also while it is paused"})
    answer = await api.post(f"{path}/run", headers={"Idempotency-Key": "k"})
    assert answer.status_code == 202
    [made] = answer.json()["scheduled_jobs"]
    assert (made["origin"], made["kind"], made["state"], made["job_id"]) == ("manual", "callback", "overdue", job["id"])
    [row] = await service.execute("SELECT * FROM scheduled_jobs")
    assert row["id"] == scheduled_job_id(before["id"], Origin.MANUAL, row["due_at"])
    assert row["run_after"] == row["due_at"] <= datetime.now(UTC)
    assert (row["priority"], row["overlap"], row["lane"], row["shard"]) == (0, "allow", "http", before["shard"])
    assert (row["job_id"], row["job_configuration_id"], row["partner"]) == (UUID(job["id"]), None, None)
    assert (await api.post(f"{path}/run", headers={"Idempotency-Key": "k"})).json() == answer.json()
    assert len(await service.execute("SELECT id FROM scheduled_jobs")) == 1


async def test_the_next_runs_are_those_of_the_domain(api: httpx.AsyncClient, service: Service) -> None:
    made = (await api.post("/jobs", json={**CLI, "jitter_seconds": 20})).json()
    items = (await api.get(f"/jobs/{made['id']}/next-runs", params={"count": 3})).json()["items"]
    [row] = await schedules(service)
    timing = Timing(row["id"], None, row["cron"], row["timezone"], row["jitter_seconds"])
    expected = row["next_due"]
    for item in items:
        assert item["browser"] is None
        assert datetime.fromisoformat(item["due_at"]) == expected
        assert datetime.fromisoformat(item["run_after"]) == timing.run_after(expected)
        expected = timing.due_after(expected)
    assert fields(await api.get(f"/jobs/{made['id']}/next-runs", params={"count": 101})) == ["count"]


async def test_daylight_saving_is_marked(api: httpx.AsyncClient) -> None:
    nightly = {**CLI, "schedule": "30 2 * * *", "timezone": "Europe/Berlin"}
    path = f"/jobs/{(await api.post('/jobs', json=nightly)).json()['id']}"
    runs = [*(await api.get(f"{path}/next-runs", params={"count": 100})).json()["items"]]
    yearly = {"schedule": "30 2 28 3 *"}
    (await api.patch(path, json=yearly)).raise_for_status()
    runs += (await api.get(f"{path}/next-runs", params={"count": 30})).json()["items"]
    assert {run["oddity"] for run in runs} >= {None, "moved_out_of_gap"}


async def test_what_is_planned_a_moment_ahead_is_not_left_out(
    api: httpx.AsyncClient, job: dict[str, Any], service: Service
) -> None:
    """The planner has moved the schedule on, and the moment itself is yet to come."""
    [row] = await schedules(service)
    planned = await make_due(service, row["id"], 30)
    [ahead] = await service.execute("SELECT due_at FROM scheduled_jobs WHERE id = :id", id=planned)
    following = row["next_due"] + timedelta(minutes=2)
    await service.execute("UPDATE schedules SET next_due = :following", following=following)
    items = (await api.get(f"/jobs/{job['id']}/next-runs", params={"count": 2})).json()["items"]
    assert [datetime.fromisoformat(item["due_at"]) for item in items] == [ahead["due_at"], following]
    assert datetime.fromisoformat((await api.get(f"/jobs/{job['id']}")).json()["next_due"]) == ahead["due_at"]
    [listed] = (await api.get("/jobs")).json()["items"]
    assert datetime.fromisoformat(listed["next_due"]) == ahead["due_at"]


@pytest.mark.parametrize("how", ["pause", "retime", "delete"])
async def test_moments_that_no_scheduler_planned_still_end_in_a_result(
    api: httpx.AsyncClient, service: Service, how: str
) -> None:
    hourly = (await api.post("/jobs", json={**CLI, "schedule": "0 * * * *", "start_deadline_seconds": 86_400})).json()
    [schedule] = await schedules(service)
    first = schedule["next_due"] - timedelta(hours=3)
    await service.execute("UPDATE schedules SET next_due = :first", first=first)
    path = f"/jobs/{hourly['id']}"
    if how == "pause":
        (await api.post(f"{path}/pause", json={"reason": "x"})).raise_for_status()
    elif how == "retime":
        (await api.patch(path, json={"schedule": "30 0 1 1 *"})).raise_for_status()
    else:
        (await api.delete(path)).raise_for_status()
    results = await service.execute("SELECT due_at, outcome_code FROM job_results ORDER BY due_at")
    ended = [(row["due_at"], row["outcome_code"]) for row in results]
    moments = [first + timedelta(hours=number) for number in range(3)]
    expected = [(moment, "missed") for moment in moments[:2]]
    if how == "retime":
        [row] = await service.execute("SELECT due_at FROM scheduled_jobs")
        assert row["due_at"] == moments[2]
    else:
        expected.append((moments[2], "cancelled"))
    assert ended == expected


async def test_what_is_caught_up_after_an_outage_runs_in_turn(api: httpx.AsyncClient, service: Service) -> None:
    late = {**CLI, "schedule": "0 * * * *", "start_deadline_seconds": 86_400, "catch_up": "all"}
    path = f"/jobs/{(await api.post('/jobs', json=late)).json()['id']}"
    await service.execute("UPDATE schedules SET next_due = next_due - interval '3 hours'")

    async def overlaps() -> list[str]:
        found = await service.execute("SELECT overlap FROM scheduled_jobs WHERE due_at < now() - interval '11 s'")
        return [row["overlap"] for row in found]

    for change, expected in (({"name": "a"}, "in_turn"), ({"name": "b"}, "in_turn"), ({"overlap": "allow"}, "allow")):
        (await api.patch(path, json=change)).raise_for_status()
        assert set(await overlaps()) == {expected}
