"""The same POST with the same key happens once."""

import asyncio
import json
from typing import Any

import httpx
import pytest

from tests.api.conftest import ACME, EVERY_QUARTER, Service, fields

KEY = {"Idempotency-Key": "2f1c6d1e"}


async def test_a_repeat_gets_the_first_answer_and_does_nothing(api: httpx.AsyncClient) -> None:
    first = await api.post("/partners", json=ACME, headers=KEY)
    again = await api.post("/partners", json=ACME, headers=KEY)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert again.headers["location"] == first.headers["location"]
    assert again.headers["idempotent-replayed"] == "true"


async def test_running_now_twice_with_one_key_runs_once(
    api: httpx.AsyncClient, configuration: dict[str, Any], service: Service
) -> None:
    path = f"/job-configurations/{configuration['id']}/run"
    answers = await asyncio.gather(*(api.post(path, headers=KEY) for _ in range(5)))
    assert {answer.status_code for answer in answers} == {202}
    assert all(answer.json() == answers[0].json() for answer in answers)
    assert len(await service.execute("SELECT id FROM scheduled_jobs")) == 1


@pytest.mark.parametrize(
    ("path", "change"),
    [
        ("/job-configurations", {"priority": "high"}),
        ("/job-configurations?x=1", {}),
        ("/partners", {}),
    ],
)
async def test_a_key_belongs_to_one_request(
    api: httpx.AsyncClient, acme: dict[str, Any], path: str, change: dict[str, Any]
) -> None:
    assert (await api.post("/job-configurations", json=EVERY_QUARTER, headers=KEY)).status_code == 201
    answer = await api.post(path, json={**EVERY_QUARTER, **change}, headers=KEY)
    assert fields(answer, 422, "idempotency_key_reused") == ["Idempotency-Key"]


async def test_a_key_is_its_owners_alone(api: httpx.AsyncClient, service: Service) -> None:
    await api.post("/partners", json=ACME, headers=KEY)
    async with service.client(await service.key("another", "write")) as another:
        answer = await another.post("/api/v1/partners", json=ACME, headers=KEY)
        assert fields(answer, 409, "already_exists") == ["code"]


async def test_a_failed_request_keeps_no_key(api: httpx.AsyncClient, service: Service) -> None:
    assert (await api.post("/partners", json={**ACME, "name": ""}, headers=KEY)).status_code == 422
    assert (await api.post("/partners", json=ACME, headers=KEY)).status_code == 201
    assert fields(await api.post("/partners", json=ACME), 409, "already_exists") == ["code"]


async def test_a_key_is_forgotten_after_a_day(api: httpx.AsyncClient, service: Service) -> None:
    await api.post("/partners", json=ACME, headers=KEY)
    await service.execute("UPDATE idempotency_keys SET created_at = now() - interval '25 hours'")
    assert fields(await api.post("/partners", json=ACME, headers=KEY), 409, "already_exists") == ["code"]


async def test_no_secret_is_kept_in_the_clear(api: httpx.AsyncClient, service: Service) -> None:
    await api.post("/partners", json=ACME, headers=KEY)
    [row] = await service.execute("SELECT row_to_json(idempotency_keys)::text AS row FROM idempotency_keys")
    for secret in ("probe-user", "hunter2-hunter2", KEY["Idempotency-Key"]):
        assert secret not in row["row"]
    assert json.loads(row["row"])["body"]["answer"]["code"] == "acme"


@pytest.mark.parametrize("key", ["", "x" * 256, "a b", "a\u00fcb"])
async def test_a_bad_key_is_named(api: httpx.AsyncClient, key: str) -> None:
    answer = await api.post("/partners", json=ACME, headers={b"Idempotency-Key": key.encode("latin-1")})
    assert fields(answer) == ["Idempotency-Key"]
