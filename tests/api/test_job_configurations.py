"""Job configurations, and the schedules they make."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from shared.domain.schedule import shard_of
from tests.api.conftest import EVERY_QUARTER, WHOLE, Service, fields, make_due, problem, schedules


async def test_it_is_read_as_it_was_sent(api: httpx.AsyncClient, acme: dict[str, Any]) -> None:
    made = await api.post("/job-configurations", json=WHOLE)
    assert made.status_code == 201
    configuration = made.json()
    assert made.headers["location"] == f"/api/v1/job-configurations/{configuration['id']}"
    assert (await api.get(f"/job-configurations/{configuration['id']}")).json() == configuration
    sent = {**WHOLE, "schedule": {**WHOLE["schedule"], "interval_seconds": None, "interval_mode": None}}
    assert {name: configuration[name] for name in WHOLE} == sent
    assert configuration["paused"] is None


async def test_the_defaults_are_those_of_the_contract(configuration: dict[str, Any]) -> None:
    defaults = {
        "checks": ["login"],
        "timeout_seconds": 60.0,
        "slow_after_seconds": None,
        "enabled": True,
        "retry": {
            "partner": {"attempts": 1, "backoff_seconds": 10.0},
            "infrastructure": {"attempts": 3, "backoff_seconds": 15.0},
        },
        "overlap": "skip",
        "catch_up": "latest",
        "start_deadline_seconds": 3600,
        "jitter_seconds": 0,
        "failing_after": 2,
        "working_after": 1,
        "priority": "normal",
    }
    assert {name: configuration[name] for name in defaults} == defaults


async def test_each_browser_gets_a_schedule(api: httpx.AsyncClient, acme: dict[str, Any], service: Service) -> None:
    made = (await api.post("/job-configurations", json=WHOLE)).json()
    rows = await schedules(service)
    assert [row["browser"] for row in rows] == ["chromium", "firefox"]
    for row in rows:
        assert row["lane"] == f"browser.{row['browser']}"
        assert row["shard"] == shard_of(row["id"])
        assert (row["kind"], row["partner"], row["priority"]) == ("check", "acme", 0)
        assert row["job_configuration_id"] == UUID(made["id"])
        assert row["next_due"] > datetime.now(UTC) - timedelta(minutes=1)
        assert row["next_due"].minute % 5 == 0


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"colour": "red"}, "colour"),
        ({"partner": "nobody"}, "partner"),
        ({"partner": "No Body"}, "partner"),
        ({"browsers": ["chromium", "netscape"]}, "browsers.1"),
        ({"browsers": ["chromium", "chromium"]}, "browsers"),
        ({"browsers": []}, "browsers"),
        ({"browsers": "chromium"}, "browsers"),
        ({"browsers": ["nul\0"]}, "browsers.0"),
        ({"checks": []}, "checks"),
        ({"checks": ["sso", "sso"]}, "checks"),
        ({"checks": ["logout"]}, "checks.0"),
        ({"schedule": {"interval_seconds": 9}}, "schedule.interval_seconds"),
        ({"schedule": {"interval_seconds": 10.5}}, "schedule.interval_seconds"),
        ({"schedule": {"interval_seconds": "900"}}, "schedule.interval_seconds"),
        ({"schedule": {"interval_seconds": True}}, "schedule.interval_seconds"),
        ({"schedule": {"interval_seconds": 32 * 86_400}}, "schedule.interval_seconds"),
        ({"schedule": {"interval_seconds": 10**30}}, "schedule.interval_seconds"),
        ({"schedule": {"interval_seconds": 900, "cron": "* * * * *"}}, "schedule"),
        ({"schedule": {"cron": "61 * * * *", "interval_seconds": None}}, "schedule.cron"),
        ({"schedule": {"cron": "* * * * * *", "interval_seconds": None}}, "schedule.cron"),
        ({"schedule": {"cron": "R * * * *", "interval_seconds": None}}, "schedule.cron"),
        ({"schedule": {"cron": "0 0 31 2 *", "interval_seconds": None}}, "schedule.cron"),
        ({"schedule": {"cron": "", "interval_seconds": None}}, "schedule.cron"),
        ({"schedule": {"cron": "*" * 257, "interval_seconds": None}}, "schedule.cron"),
        ({"schedule": {"cron": "* * * * *", "interval_seconds": None, "timezone": "Mars/Base"}}, "schedule.timezone"),
        ({"schedule": {"cron": "* * * * *", "interval_seconds": None, "timezone": "../../x"}}, "schedule.timezone"),
        ({"timeout_seconds": 4}, "timeout_seconds"),
        ({"timeout_seconds": 301}, "timeout_seconds"),
        ({"slow_after_seconds": 60}, "slow_after_seconds"),
        ({"slow_after_seconds": 0}, "slow_after_seconds"),
        ({"retry": {"partner": {"attempts": 0}}}, "retry.partner.attempts"),
        ({"retry": {"infrastructure": {"attempts": 11}}}, "retry.infrastructure.attempts"),
        ({"retry": {"infrastructure": {"backoff_seconds": -1}}}, "retry.infrastructure.backoff_seconds"),
        ({"overlap": "maybe"}, "overlap"),
        ({"catch_up": "some"}, "catch_up"),
        ({"start_deadline_seconds": 0}, "start_deadline_seconds"),
        ({"jitter_seconds": 900}, "jitter_seconds"),
        ({"failing_after": 0}, "failing_after"),
        ({"working_after": 10**9}, "working_after"),
        ({"priority": "urgent"}, "priority"),
    ],
)
async def test_what_can_not_be_is_refused_by_the_name_of_the_field(
    api: httpx.AsyncClient, configuration: dict[str, Any], change: dict[str, Any], field: str
) -> None:
    assert fields(await api.post("/job-configurations", json={**EVERY_QUARTER, **change})) == [field]
    assert fields(await api.patch(f"/job-configurations/{configuration['id']}", json=change)) == [field]
    assert (await api.get(f"/job-configurations/{configuration['id']}")).json() == configuration


async def test_no_schedule_is_no_timing(api: httpx.AsyncClient, acme: dict[str, Any]) -> None:
    for schedule in ({}, {"timezone": "UTC"}):
        assert fields(await api.post("/job-configurations", json={**EVERY_QUARTER, "schedule": schedule})) == [
            "schedule"
        ]


async def test_a_partner_can_not_be_exchanged(
    api: httpx.AsyncClient, configuration: dict[str, Any], acme: dict[str, Any]
) -> None:
    await api.post("/partners", json={"code": "b", "name": "B", "entry_point": "http://b.example"})
    assert fields(await api.patch(f"/job-configurations/{configuration['id']}", json={"partner": "b"})) == ["partner"]


async def test_a_new_timing_takes_back_what_was_planned_ahead_and_leaves_what_is_due(
    api: httpx.AsyncClient, configuration: dict[str, Any], service: Service
) -> None:
    [before] = await schedules(service)
    due = await make_due(service, before["id"], -5)
    await make_due(service, before["id"], 300)
    change = {"schedule": {"interval_seconds": None, "cron": "0 3 * * *", "timezone": "Asia/Tokyo"}}
    (await api.patch(f"/job-configurations/{configuration['id']}", json=change)).raise_for_status()
    [after] = await schedules(service)
    assert after["id"] == before["id"]
    assert (after["cron"], after["timezone"], after["interval_seconds"]) == ("0 3 * * *", "Asia/Tokyo", None)
    assert (after["next_due"].hour, after["next_due"].minute) == (18, 0)
    assert [row["id"] for row in await service.execute("SELECT id FROM scheduled_jobs")] == [due]
    assert await service.execute("SELECT id FROM job_results") == []


async def test_an_edit_that_leaves_the_timing_alone_leaves_the_due_moments_alone(
    api: httpx.AsyncClient, configuration: dict[str, Any], service: Service
) -> None:
    [before] = await schedules(service)
    ahead = await make_due(service, before["id"], 300)
    change = {"overlap": "allow", "priority": "high", "start_deadline_seconds": 60, "timeout_seconds": 30}
    (await api.patch(f"/job-configurations/{configuration['id']}", json=change)).raise_for_status()
    [after] = await schedules(service)
    assert after["next_due"] == before["next_due"]
    assert (after["overlap"], after["priority"], after["start_deadline_seconds"]) == ("allow", 0, 60)
    [job] = await service.execute("SELECT *, start_by - due_at AS span FROM scheduled_jobs")
    assert (job["id"], job["overlap"], job["priority"], job["span"]) == (ahead, "allow", 0, timedelta(seconds=60))


async def test_a_browser_that_is_taken_out_takes_its_schedule_along(
    api: httpx.AsyncClient, acme: dict[str, Any], service: Service
) -> None:
    made = (await api.post("/job-configurations", json=WHOLE)).json()
    rows = {row["browser"]: row["id"] for row in await schedules(service)}
    due = await make_due(service, rows["firefox"], -5)
    (await api.patch(f"/job-configurations/{made['id']}", json={"browsers": ["chromium"]})).raise_for_status()
    assert [row["id"] for row in await schedules(service)] == [rows["chromium"]]
    [result] = await service.execute("SELECT * FROM job_results")
    assert (result["id"], result["outcome_code"]) == (due, "cancelled")


async def test_an_unknown_job_configuration_is_not_found(api: httpx.AsyncClient) -> None:
    path = f"/job-configurations/{uuid4()}"
    for answer in (
        await api.get(path),
        await api.patch(path, json={}),
        await api.delete(path),
        await api.post(f"{path}/pause", json={"reason": "x"}),
        await api.post(f"{path}/resume"),
        await api.post(f"{path}/run"),
        await api.get(f"{path}/next-runs"),
    ):
        problem(answer, 404, "not_found")
    assert fields(await api.get("/job-configurations/5")) == ["id"]


async def test_the_list_can_be_narrowed_and_comes_in_pages(api: httpx.AsyncClient, acme: dict[str, Any]) -> None:
    made = [(await api.post("/job-configurations", json=EVERY_QUARTER)).json()["id"] for _ in range(3)]
    both = (await api.post("/job-configurations", json=WHOLE)).json()["id"]
    first = (await api.get("/job-configurations", params={"limit": 3})).json()
    second = (await api.get("/job-configurations", params={"cursor": first["next_cursor"]})).json()
    assert [item["id"] for item in first["items"] + second["items"]] == [*made, both]
    assert second["next_cursor"] is None
    narrowed = (await api.get("/job-configurations", params={"browser": "firefox"})).json()
    assert [item["id"] for item in narrowed["items"]] == [both]
    assert (await api.get("/job-configurations", params={"partner": "nobody"})).json()["items"] == []
