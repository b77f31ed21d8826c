"""Jobs: HTTP callbacks on a schedule."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from services.api.settings import ApiSettings
from shared.domain.schedule import shard_of
from tests.api.conftest import CLI, WHOLE_JOB, Service, Starter, fields, make_due, problem, schedules
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


def in_job(**change: Any) -> dict[str, Any]:
    return {"job": {**CLI["job"], **change}}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"colour": "red"}, "colour"),
        ({"name": ""}, "name"),
        ({"name": " "}, "name"),
        ({"name": "nul\0"}, "name"),
        ({"name": "x" * 201}, "name"),
        ({"description": "x" * 10_001}, "description"),
        ({"description": 5}, "description"),
        ({"schedule": ""}, "schedule"),
        ({"schedule": "61 * * * *"}, "schedule"),
        ({"schedule": "* * * * * *"}, "schedule"),
        ({"schedule": "@fortnightly"}, "schedule"),
        ({"schedule": "0 0 31 2 *"}, "schedule"),
        ({"schedule": "H * * * *"}, "schedule"),
        ({"schedule": "nul\0 * * * *"}, "schedule"),
        ({"schedule": "*" * 257}, "schedule"),
        ({"schedule": 60}, "schedule"),
        ({"schedule": ["* * * * *"]}, "schedule"),
        ({"schedule": {"interval_seconds": 9}}, "schedule.interval_seconds"),
        ({"schedule": {"interval_seconds": "60"}}, "schedule.interval_seconds"),
        ({"schedule": {"interval_seconds": 10**30}}, "schedule.interval_seconds"),
        ({"schedule": {"interval_seconds": 60, "interval_mode": "never"}}, "schedule.interval_mode"),
        ({"schedule": {"interval_seconds": 60, "cron": "* * * * *"}}, "schedule.cron"),
        ({"timezone": "Mars/Base"}, "timezone"),
        ({"timezone": "../../etc/passwd"}, "timezone"),
        ({"timezone": "nul\0"}, "timezone"),
        ({"job": []}, "job"),
        ({"timeout_seconds": 0.5}, "timeout_seconds"),
        ({"timeout_seconds": 301}, "timeout_seconds"),
        ({"timeout_seconds": "30"}, "timeout_seconds"),
        ({"slow_after_seconds": 30}, "slow_after_seconds"),
        ({"slow_after_seconds": 0}, "slow_after_seconds"),
        ({"enabled": "yes"}, "enabled"),
        ({"retry": {"attempts": 0}}, "retry.attempts"),
        ({"retry": {"attempts": 21}}, "retry.attempts"),
        ({"retry": {"min_backoff_seconds": -1}}, "retry.min_backoff_seconds"),
        ({"retry": {"min_backoff_seconds": 601}}, "retry.max_backoff_seconds"),
        ({"retry": {"max_age_seconds": 0}}, "retry.max_age_seconds"),
        ({"retry": {"max_age_seconds": 604_801}}, "retry.max_age_seconds"),
        ({"overlap": "maybe"}, "overlap"),
        ({"catch_up": "some"}, "catch_up"),
        ({"start_deadline_seconds": 9}, "start_deadline_seconds"),
        ({"jitter_seconds": -1}, "jitter_seconds"),
        ({"schedule": {"interval_seconds": 60}, "jitter_seconds": 60}, "jitter_seconds"),
        ({"failing_after": 0}, "failing_after"),
        ({"working_after": 101}, "working_after"),
        ({"priority": "urgent"}, "priority"),
        ({"tags": ["a", "a"]}, "tags"),
        ({"tags": [""]}, "tags.0"),
        ({"tags": [f"t{number}" for number in range(51)]}, "tags"),
        (in_job(colour="red"), "job.colour"),
        (in_job(callback_url="ftp://a.example"), "job.callback_url"),
        (in_job(callback_url="https://user:secret@a.example"), "job.callback_url"),
        (in_job(callback_url="https://a.example/\0"), "job.callback_url"),
        (in_job(callback_url="https://a.example/" + "x" * 2048), "job.callback_url"),
        (in_job(callback_url="https://{{job_id}}.example/"), "job.callback_url"),
        (in_job(callback_url="https://%7B%7Bjob_id%7D%7D.example/"), "job.callback_url"),
        (in_job(callback_url="https://a.example/{{password}}"), "job.callback_url"),
        (in_job(callback_url="https://a.example/?a={{due}}"), "job.callback_url"),
        (in_job(http_method="connect"), "job.http_method"),
        (in_job(http_method="post\n"), "job.http_method"),
        (in_job(http_method=5), "job.http_method"),
        (in_job(payload={"a": ["{{when}}"]}), "job.payload"),
        (in_job(payload="nul\0"), "job.payload"),
        (in_job(payload={"nul\0": 1}), "job.payload"),
        (in_job(payload=2**63), "job.payload"),
        (in_job(payload="x" * 65_535), "job.payload"),
        (in_job(success={"status_codes": []}), "job.success.status_codes"),
        (in_job(success={"status_codes": ["2xx"]}), "job.success.status_codes"),
        (in_job(success={"status_codes": ["299-200"]}), "job.success.status_codes"),
        (in_job(success={"status_codes": [200]}), "job.success.status_codes.0"),
        (in_job(success={"body_contains": ""}), "job.success.body_contains"),
        (in_job(max_redirects=11), "job.max_redirects"),
        (in_job(max_redirects=-1), "job.max_redirects"),
    ],
)
async def test_what_can_not_be_is_refused_by_the_name_of_the_field(
    api: httpx.AsyncClient, job: dict[str, Any], change: dict[str, Any], field: str
) -> None:
    assert fields(await api.post("/jobs", json={**CLI, **change})) == [field]
    assert fields(await api.put(f"/jobs/{job['id']}", json={**CLI, **change})) == [field]
    assert fields(await api.patch(f"/jobs/{job['id']}", json=change)) == [field]
    assert (await api.get(f"/jobs/{job['id']}")).json() == job


@pytest.mark.parametrize("missing", ["name", "schedule", "job"])
async def test_three_fields_are_required(api: httpx.AsyncClient, missing: str) -> None:
    assert fields(await api.post("/jobs", json={**CLI, missing: CLI[missing]} | {missing: None})) == [missing]
    assert fields(await api.post("/jobs", json={name: CLI[name] for name in CLI if name != missing})) == [missing]


async def test_a_callback_needs_a_url(api: httpx.AsyncClient) -> None:
    assert fields(await api.post("/jobs", json={**CLI, "job": {}})) == ["job.callback_url"]


async def test_half_a_character_is_refused(api: httpx.AsyncClient) -> None:
    for member in (r'"\ud800"', r'{"\ud800": 1}', "NaN", "1e999"):
        url = '"https://a.example"'
        body = f'{{"name": "a", "schedule": "@daily", "job": {{"callback_url": {url}, "payload": {member}}}}}'
        answer = await api.post("/jobs", content=body, headers={"Content-Type": "application/json"})
        assert fields(answer) == ["job.payload"], member


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "a.localhost", "2130706433", "0x7f.1", "127.1", "[::1]", "[::ffff:127.0.0.1]"],
)
async def test_a_loopback_address_is_refused_in_every_spelling(
    api: httpx.AsyncClient, job: dict[str, Any], host: str
) -> None:
    change = in_job(callback_url=f"http://{host}:8080/hook")
    for answer in (
        await api.post("/jobs", json={**CLI, **change}),
        await api.put(f"/jobs/{job['id']}", json={**CLI, **change}),
        await api.patch(f"/jobs/{job['id']}", json=change),
    ):
        [error] = problem(answer, 422, "invalid_request")["errors"]
        assert error["field"] == "job.callback_url"
        assert "is a loopback address; an operator can allow it with PARAKEET_CALLBACK_ALLOW" in error["message"]


@pytest.mark.parametrize("host", ["10.1.2.3", "169.254.169.254", "192.168.0.1", "[fe80::1]", "0.0.0.0"])
async def test_other_addresses_that_are_not_public_are_refused(api: httpx.AsyncClient, host: str) -> None:
    answer = await api.post("/jobs", json={**CLI, **in_job(callback_url=f"http://{host}/")})
    assert fields(answer) == ["job.callback_url"]


async def test_an_operator_can_allow_an_address(settings: ApiSettings, start: Starter) -> None:
    url = {"database_url": settings.database_url, "secret_keys": settings.keys()[0]}
    allowing = await start(ApiSettings.model_validate({**url, "callback_allow": "127.0.0.1:8080, 10.0.0.0/8"}))
    key = await allowing.key("ops", "admin")
    path = "/api/v1/jobs"
    async with allowing.client(key) as client:
        made = await client.post(path, json={**CLI, **in_job(callback_url="http://127.0.0.1:8080/hook")})
        assert made.status_code == 201
        other_port = {**CLI, **in_job(callback_url="http://127.0.0.1:8081/hook")}
        assert fields(await client.post(path, json=other_port)) == ["job.callback_url"]
    # What is no longer allowed can still be switched off.
    strict = await start(settings)
    async with strict.client(key) as client:
        stopped = await client.patch(f"{path}/{made.json()['id']}", json={"enabled": False})
        assert stopped.status_code == 200


def test_an_allow_list_that_nobody_understands_is_refused_at_the_start(settings: ApiSettings) -> None:
    with pytest.raises(ValueError, match="not an address!"):
        ApiSettings.model_validate({"database_url": settings.database_url, "callback_allow": "not an address!"})


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
