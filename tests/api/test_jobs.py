"""Jobs: HTTP callbacks on a schedule."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from shared.domain.schedule import shard_of
from tests.api.conftest import CLI, WHOLE_JOB, Service, fields, make_due, problem, schedules
from tests.api.job_records import add_dead_letter, set_job_state


async def test_the_form_that_is_sent_today_is_taken_and_kept(api: httpx.AsyncClient) -> None:
    made = await api.post("/jobs", json=CLI)
    assert made.status_code == 201, made.text
    job = made.json()
    assert made.headers["location"] == f"/api/v1/jobs/{job['id']}"
    assert (await api.get(f"/jobs/{job['id']}")).json() == job
    assert {name: job[name] for name in CLI if name != "job"} == {name: CLI[name] for name in CLI if name != "job"}
    assert {name: job["job"][name] for name in CLI["job"]} == CLI["job"]


async def test_it_is_read_as_it_was_sent(api: httpx.AsyncClient) -> None:
    job = (await api.post("/jobs", json=WHOLE_JOB)).raise_for_status().json()
    assert {name: job[name] for name in WHOLE_JOB if name != "job"} == {
        name: WHOLE_JOB[name] for name in WHOLE_JOB if name != "job"
    }
    shown = {
        name: value for name, value in WHOLE_JOB["job"].items() if name not in ("secret_headers", "signing_secrets")
    }
    assert job["job"] == {**shown, "secret_headers_set": ["Authorization"], "signing_secrets_set": 1}
    assert (job["paused"], job["state"]) == (None, {"state": "unknown", "since": None})


async def test_a_payload_keeps_the_order_it_was_sent_in(api: httpx.AsyncClient) -> None:
    payload = '{"zone":1,"id":{"n":2,"b":[{"y":3,"x":4}]},"a":5}'
    made = await api.post("/jobs", json={**CLI, "job": {**CLI["job"], "payload": json.loads(payload)}})
    read = (await api.get(f"/jobs/{made.json()['id']}")).json()["job"]["payload"]
    assert json.dumps(read, separators=(",", ":")) == payload


async def test_the_defaults_are_those_of_the_contract(api: httpx.AsyncClient) -> None:
    url = "https://hooks.example.com/x"
    job = (await api.post("/jobs", json={"name": "a", "schedule": "@hourly", "job": {"callback_url": url}})).json()
    assert job["job"] == {
        "callback_url": url,
        "http_method": "post",
        "payload": {},
        "headers": {},
        "secret_headers_set": [],
        "signing_secrets_set": 0,
        "success": {"status_codes": ["200-299"], "body_contains": None},
        "max_redirects": 5,
    }
    defaults = {
        "description": "",
        "schedule": "@hourly",
        "timezone": "UTC",
        "timeout_seconds": 30.0,
        "slow_after_seconds": None,
        "enabled": True,
        "retry": {
            "attempts": 3,
            "min_backoff_seconds": 10.0,
            "max_backoff_seconds": 600.0,
            "max_age_seconds": 3600.0,
        },
        "overlap": "skip",
        "catch_up": "latest",
        "start_deadline_seconds": 3600,
        "jitter_seconds": 0,
        "failing_after": 2,
        "working_after": 1,
        "priority": "normal",
        "tags": [],
    }
    assert {name: job[name] for name in defaults} == defaults


async def test_it_gets_one_schedule_in_the_lane_of_callbacks(api: httpx.AsyncClient, service: Service) -> None:
    job = (await api.post("/jobs", json={**CLI, "priority": "high", "timezone": "Asia/Tokyo"})).json()
    [row] = await schedules(service)
    assert (row["kind"], row["lane"], row["partner"], row["browser"]) == ("callback", "http", None, None)
    assert (row["job_id"], row["job_configuration_id"]) == (UUID(job["id"]), None)
    assert (row["shard"], row["priority"], row["cron"], row["timezone"]) == (
        shard_of(row["id"]),
        0,
        "* * * * *",
        "Asia/Tokyo",
    )
    assert job["next_due"] == row["next_due"].isoformat().replace("+00:00", "Z")
    assert row["next_due"] > datetime.now(UTC) - timedelta(seconds=5)


@pytest.mark.parametrize(
    "payload", [None, [], "text", 5, True, {"a": {"b": [None, 1.5]}}, ["{{attempt}} of {{ job_id }}"]]
)
async def test_the_payload_may_be_any_json(api: httpx.AsyncClient, payload: Any) -> None:
    made = await api.post("/jobs", json={**CLI, "job": {**CLI["job"], "payload": payload}})
    assert made.json()["job"]["payload"] == payload
    assert (await api.get(f"/jobs/{made.json()['id']}")).json() == made.json()


async def test_a_replacement_brings_the_defaults_back(api: httpx.AsyncClient) -> None:
    made = (await api.post("/jobs", json=WHOLE_JOB)).json()
    replaced = (await api.put(f"/jobs/{made['id']}", json=CLI)).raise_for_status().json()
    assert (replaced["tags"], replaced["priority"], replaced["overlap"]) == ([], "normal", "skip")
    assert replaced["job"]["headers"] == {}
    assert replaced["updated_at"] > made["updated_at"]
    assert (replaced["id"], replaced["created_at"]) == (made["id"], made["created_at"])


async def test_a_patch_changes_only_what_it_names(api: httpx.AsyncClient, service: Service) -> None:
    made = (await api.post("/jobs", json=WHOLE_JOB)).json()
    change = {"job": {"payload": {"more": 1}, "headers": {"X-Source": None, "X-Other": "b"}}, "tags": None}
    patched = (await api.patch(f"/jobs/{made['id']}", json=change)).raise_for_status().json()
    assert patched["job"] == {
        **made["job"],
        "payload": {**made["job"]["payload"], "more": 1},
        "headers": {"X-Other": "b"},
    }
    assert patched["tags"] == []
    kept = ("name", "schedule", "timezone", "retry", "priority")
    assert {name: patched[name] for name in kept} == {name: made[name] for name in kept}


async def test_cron_and_interval_can_take_each_others_place(
    api: httpx.AsyncClient, job: dict[str, Any], service: Service
) -> None:
    path = f"/jobs/{job['id']}"
    interval = (await api.patch(path, json={"schedule": {"interval_seconds": 600}})).json()
    assert interval["schedule"] == {"interval_seconds": 600, "interval_mode": "fixed_rate"}
    [row] = await schedules(service)
    assert (row["interval_seconds"], row["cron"]) == (600, None)
    cron = (await api.patch(path, json={"schedule": "@daily", "timezone": "Europe/Berlin"})).json()
    assert (cron["schedule"], cron["timezone"]) == ("@daily", "Europe/Berlin")
    [row] = await schedules(service)
    assert (row["interval_seconds"], row["cron"], row["timezone"]) == (None, "@daily", "Europe/Berlin")


async def test_deleting_takes_everything_along_but_the_results(
    api: httpx.AsyncClient, job: dict[str, Any], service: Service
) -> None:
    [schedule] = await schedules(service)
    due = await make_due(service, schedule["id"], -5)
    await set_job_state(service, UUID(job["id"]), "working")
    await add_dead_letter(service, UUID(job["id"]), datetime.now(UTC))
    assert (await api.delete(f"/jobs/{job['id']}")).status_code == 204
    for table in ("jobs", "schedules", "job_states", "dead_letters", "scheduled_jobs"):
        assert await service.execute(f"SELECT * FROM {table}") == [], table
    [result] = await service.execute("SELECT id, outcome_code, job_id FROM job_results")
    assert (result["id"], result["outcome_code"], str(result["job_id"])) == (due, "cancelled", job["id"])


async def test_its_state_is_shown(api: httpx.AsyncClient, job: dict[str, Any], service: Service) -> None:
    await set_job_state(service, UUID(job["id"]), "failing")
    state = (await api.get(f"/jobs/{job['id']}")).json()["state"]
    assert (state["state"], state["since"] is not None) == ("failing", True)


async def test_the_list_can_be_narrowed_and_comes_in_pages(api: httpx.AsyncClient) -> None:
    made = [
        (await api.post("/jobs", json={**CLI, "name": name, "tags": tags, "enabled": enabled})).json()
        for name, tags, enabled in (
            ("Nightly 100%", ["a"], True),
            ("nightly_b", ["a", "b"], False),
            ("Hourly", [], True),
        )
    ]
    first = (await api.get("/jobs", params={"limit": 2})).json()
    second = (await api.get("/jobs", params={"limit": 2, "cursor": first["next_cursor"]})).json()
    assert first["items"] + second["items"] == made
    assert second["next_cursor"] is None

    async def names(**asked: Any) -> list[str]:
        return [item["name"] for item in (await api.get("/jobs", params=asked)).json()["items"]]

    assert await names(tag="a") == ["Nightly 100%", "nightly_b"]
    assert await names(tag="b", enabled="true") == []
    assert await names(enabled="false") == ["nightly_b"]
    assert await names(name="NIGHTLY") == ["Nightly 100%", "nightly_b"]
    assert await names(name="0%") == ["Nightly 100%"]
    assert await names(name="t_y") == []


@pytest.mark.parametrize(
    ("asked", "field"),
    [({"name": "\0"}, "name"), ({"tag": "\0"}, "tag"), ({"enabled": "x"}, "enabled"), ({"cursor": "x"}, "cursor")],
)
async def test_a_question_that_can_not_be_is_refused(api: httpx.AsyncClient, asked: dict[str, Any], field: str) -> None:
    answer = await api.get("/jobs", params=asked)
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert answer.status_code == 422


async def test_null_takes_nothing_away_that_there_can_not_be(api: httpx.AsyncClient, job: dict[str, Any]) -> None:
    path = f"/jobs/{job['id']}"
    answer = await api.patch(path, json={"time_zone": None, "job": {"headers": {"X-Gone": None}, "bodies": None}})
    assert sorted(fields(answer)) == ["job.bodies", "time_zone"]
    assert (await api.patch(path, json={"job": {"headers": {"X-Gone": None}}})).status_code == 200


async def test_an_unknown_job_is_not_found(api: httpx.AsyncClient) -> None:
    path = f"/jobs/{uuid4()}"
    past = {"since": "2026-01-01T00:00:00Z", "until": "2026-01-01T01:00:00Z"}
    for answer in (
        await api.get(path),
        await api.put(path, json=CLI),
        await api.patch(path, json={}),
        await api.delete(path),
        await api.post(f"{path}/pause", json={"reason": "x"}),
        await api.post(f"{path}/resume"),
        await api.post(f"{path}/run"),
        await api.get(f"{path}/next-runs"),
        await api.post(f"{path}/backfill", json=past),
    ):
        problem(answer, 404, "not_found")
    assert fields(await api.get("/jobs/5")) == ["id"]
