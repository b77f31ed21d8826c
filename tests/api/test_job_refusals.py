"""Jobs that can't be: each field refused by its name, and addresses that callbacks must not go to."""

from typing import Any

import httpx
import pytest

from services.api.settings import ApiSettings
from tests.api.conftest import CLI, Starter, fields, problem


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


async def test_a_refusal_is_told_in_words_not_as_a_regular_expression(api: httpx.AsyncClient) -> None:
    sent = {"name": " ", "schedule": "61 * * * *", "job": {"callback_url": "ftp://a.example", "http_method": "brew"}}
    answer = await api.post("/jobs", json=sent)
    told = {problem["field"]: problem["message"] for problem in answer.json()["errors"]}
    assert told["name"] == "must not be blank"
    assert told["job.callback_url"] == "must be an http or https URL with a host and no user name"
    assert told["job.http_method"] == "must be one of get, post, put, patch, delete, head"
    assert "minute 0-59" in told["schedule"]
