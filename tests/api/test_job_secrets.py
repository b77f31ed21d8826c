"""The secrets of jobs go in and never come out; headers that can't be sent are refused."""

import base64
import json
import logging
from typing import Any

import httpx
import pytest
from cryptography.fernet import Fernet

from services.api.keys import rotate
from services.api.settings import ApiSettings
from shared.secret_box import SecretBox
from tests.api.conftest import CLI, Service, Starter, fields, problem

TOKEN = "Bearer canary-token"


def signing(letter: str, size: int = 32) -> str:
    return "whsec_" + base64.b64encode(letter.encode() * size).decode()


OLD, NEW = signing("o"), signing("n")


def with_job(**change: Any) -> dict[str, Any]:
    return {**CLI, "job": {**CLI["job"], **change}}


WITH_SECRETS = with_job(secret_headers={"Authorization": TOKEN}, signing_secrets=[OLD])


def assert_silent(text: str) -> None:
    for secret in ("canary", OLD, NEW, OLD.removeprefix("whsec_"), NEW.removeprefix("whsec_")):
        assert secret not in text


async def opened(service: Service) -> tuple[Any, Any]:
    """What is stored of the secrets, in the clear."""
    [row] = await service.execute("SELECT sealed_headers, sealed_signing_secrets FROM jobs")
    box = service.resources.secret_box
    headers, secrets = (row["sealed_headers"], row["sealed_signing_secrets"])
    return headers and box.open(bytes(headers)), secrets and box.open(bytes(secrets))


async def test_no_answer_and_no_log_ever_holds_them(
    api: httpx.AsyncClient, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    wrong = [
        {**WITH_SECRETS, "colour": "red"},
        with_job(secret_headers={"Host": TOKEN}),
        with_job(secret_headers={"X-Key": f"{TOKEN}\r\n"}),
        with_job(secret_headers={"X-Key": f"{TOKEN} {{{{canary}}}}"}),
        with_job(secret_headers={TOKEN: "X-Key"}),
        with_job(secret_headers={"X-Key": [TOKEN]}),
        with_job(secret_headers=[TOKEN]),
        with_job(secret_headers=TOKEN),
        with_job(signing_secrets=NEW),
        with_job(signing_secrets=[NEW + "!"]),
        with_job(signing_secrets=[NEW.removeprefix("whsec_")]),
        with_job(signing_secrets=[OLD, OLD]),
        with_job(headers={"Authorization": TOKEN}),
        with_job(callback_url="https://canary:canary@hooks.example.com"),
    ]
    answers = [await api.post("/jobs", json=body) for body in wrong]
    assert {answer.status_code for answer in answers} == {422}
    made = await api.post("/jobs", json=WITH_SECRETS, headers={"Idempotency-Key": "k"})
    path = f"/jobs/{made.json()['id']}"
    answers += [
        made,
        await api.post("/jobs", json=WITH_SECRETS, headers={"Idempotency-Key": "k"}),
        await api.put(path, json=WITH_SECRETS),
        await api.patch(path, json={"job": {"secret_headers": {"X-Key": TOKEN}, "signing_secrets": [NEW, OLD]}}),
        await api.patch(path, json={"job": {"secret_headers": {"X-Key": TOKEN + "\n"}}}),
        await api.patch(path, json={"job": {"signing_secrets": [NEW, "whsec_x"]}}),
        await api.post("/jobs", content=json.dumps(WITH_SECRETS)[:-1], headers={"Content-Type": "application/json"}),
        await api.post(f"{path}/run"),
        await api.post(f"{path}/pause", json={"reason": "x"}),
        await api.post(f"{path}/resume"),
    ]
    answers += [await api.get(place) for place in ("/jobs", path, f"{path}/next-runs", "/status", "/scheduled-jobs")]
    answers += [await api.get("http://localhost/metrics"), await api.get("http://localhost/openapi.json")]
    for answer in answers:
        assert answer.status_code < 500
        assert_silent(answer.text + str(answer.headers))
    printed = capfd.readouterr()
    assert_silent(caplog.text + printed.out + printed.err)


async def test_a_crash_in_the_database_does_not_log_them(
    api: httpx.AsyncClient, service: Service, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    await service.execute("ALTER TABLE jobs ADD COLUMN surprise text NOT NULL")
    assert_silent(json.dumps(problem(await api.post("/jobs", json=WITH_SECRETS), 500, "internal_error")))
    printed = capfd.readouterr()
    assert_silent(caplog.text + printed.out + printed.err)


async def test_they_are_stored_sealed(api: httpx.AsyncClient, service: Service) -> None:
    made = (await api.post("/jobs", json=WITH_SECRETS)).json()
    assert (made["job"]["secret_headers_set"], made["job"]["signing_secrets_set"]) == (["Authorization"], 1)
    [row] = await service.execute("SELECT row_to_json(jobs)::text AS row FROM jobs")
    assert_silent(row["row"])
    assert await opened(service) == ({"Authorization": TOKEN}, {"secrets": [OLD]})


async def test_a_replacement_keeps_what_it_does_not_send(api: httpx.AsyncClient, service: Service) -> None:
    path = f"/jobs/{(await api.post('/jobs', json=WITH_SECRETS)).json()['id']}"
    await api.put(path, json=CLI)
    assert await opened(service) == ({"Authorization": TOKEN}, {"secrets": [OLD]})
    await api.put(path, json=with_job(secret_headers={"X-Key": "k"}))
    assert await opened(service) == ({"X-Key": "k"}, {"secrets": [OLD]})
    replaced = await api.put(path, json=with_job(secret_headers=None, signing_secrets=[]))
    assert await opened(service) == (None, None)
    shown = replaced.json()["job"]
    assert (shown["secret_headers_set"], shown["signing_secrets_set"]) == ([], 0)


async def test_a_patch_merges_headers_by_name_and_replaces_signing_secrets(
    api: httpx.AsyncClient, service: Service
) -> None:
    path = f"/jobs/{(await api.post('/jobs', json=WITH_SECRETS)).json()['id']}"
    patched = await api.patch(path, json={"job": {"secret_headers": {"X-Key": "k"}, "signing_secrets": [NEW, OLD]}})
    shown = patched.json()["job"]
    assert (shown["secret_headers_set"], shown["signing_secrets_set"]) == (["Authorization", "X-Key"], 2)
    assert await opened(service) == ({"Authorization": TOKEN, "X-Key": "k"}, {"secrets": [NEW, OLD]})
    await api.patch(path, json={"job": {"secret_headers": {"Authorization": None}, "signing_secrets": [NEW]}})
    assert await opened(service) == ({"X-Key": "k"}, {"secrets": [NEW]})
    await api.patch(path, json={"name": "other", "job": {"max_redirects": 1}})
    assert await opened(service) == ({"X-Key": "k"}, {"secrets": [NEW]})
    await api.patch(path, json={"job": {"secret_headers": None, "signing_secrets": None}})
    assert await opened(service) == (None, None)


async def test_after_a_rotation_the_old_key_can_go(api: httpx.AsyncClient, service: Service) -> None:
    await api.post("/jobs", json=WITH_SECRETS)
    await api.post("/jobs", json=CLI)
    new = Fernet.generate_key().decode()
    async with service.resources.sessions.begin() as session:
        assert await rotate(session, SecretBox([new, *service.settings.keys()])) == 1
    [row] = await service.execute(
        "SELECT sealed_headers, sealed_signing_secrets FROM jobs WHERE sealed_headers IS NOT NULL"
    )
    assert SecretBox([new]).open(bytes(row["sealed_headers"])) == {"Authorization": TOKEN}
    assert SecretBox([new]).open(bytes(row["sealed_signing_secrets"])) == {"secrets": [OLD]}


async def test_with_the_key_lost_a_job_can_still_be_read_and_given_new_secrets(
    settings: ApiSettings, start: Starter
) -> None:
    before = await start(settings)
    key = await before.key("ops", "admin")
    async with before.client(key) as client:
        path = f"/api/v1/jobs/{(await client.post('/api/v1/jobs', json=WITH_SECRETS)).json()['id']}"
    other = {"database_url": settings.database_url, "secret_keys": Fernet.generate_key().decode()}
    after = await start(ApiSettings.model_validate(other))
    async with after.client(key) as client:
        shown = (await client.patch(path, json={"description": "x"})).json()["job"]
        assert (shown["secret_headers_set"], shown["signing_secrets_set"]) == (None, None)
        renewed = {"job": {"secret_headers": {"X-Key": "k"}, "signing_secrets": [NEW]}}
        shown = (await client.patch(path, json=renewed)).json()["job"]
        assert (shown["secret_headers_set"], shown["signing_secrets_set"]) == (["X-Key"], 1)


TOO_MANY = {f"X-{number}": "a" for number in range(51)}
FOR_BOTH: list[dict[str, Any]] = [
    *(
        {name: "a"}
        for name in ("Host", "content-length", "Transfer-Encoding", "Connection", "Upgrade", "TE", "trailer")
    ),
    {"webhook-id": "a"},
    {"Webhook-Signature": "a"},
    {"": "a"},
    {"X Key": "a"},
    {"X-Key:": "a"},
    {"Schlüssel": "a"},
    {"X-Key\n": "a"},
    {"X-\0": "a"},
    {"X-Key": "a\r\nX-Other: b"},
    {"X-Key": "a\0"},
    {"X-Key": "\u20ac"},
    {"X-Key": "{{password}}"},
    {"X-Key": "a" * 8_193},
    {f"X-{number}": "a" * 8_000 for number in range(5)},
    {"X-Key": "a", "x-key": "b"},
    TOO_MANY,
]


@pytest.mark.parametrize("name", ["headers", "secret_headers"])
@pytest.mark.parametrize("headers", FOR_BOTH, ids=lambda headers: ascii(next(iter(headers))))
async def test_headers_that_can_not_be_sent_are_refused(
    api: httpx.AsyncClient, job: dict[str, Any], name: str, headers: dict[str, Any]
) -> None:
    assert fields(await api.post("/jobs", json=with_job(**{name: headers}))) == [f"job.{name}"]
    assert fields(await api.patch(f"/jobs/{job['id']}", json={"job": {name: headers}})) == [f"job.{name}"]


async def test_a_header_that_is_a_secret_is_asked_for_as_one(api: httpx.AsyncClient) -> None:
    for name in ("Authorization", "proxy-authorization", "COOKIE"):
        answer = await api.post("/jobs", json=with_job(headers={name: "a"}))
        [error] = problem(answer, 422, "invalid_request")["errors"]
        assert error["field"] == "job.headers"
        assert "secret_headers" in error["message"]


@pytest.mark.parametrize("value", [5, None, ["a"]])
async def test_a_value_of_the_wrong_type_is_named(api: httpx.AsyncClient, value: Any) -> None:
    for name in ("headers", "secret_headers"):
        assert fields(await api.post("/jobs", json=with_job(**{name: {"X-Key": value}}))) == [f"job.{name}.X-Key"]


async def test_half_a_character_in_a_secret_is_refused(api: httpx.AsyncClient) -> None:
    body = json.dumps(with_job(secret_headers={"X-Key": "HERE"})).replace("HERE", r"\ud800")
    answer = await api.post("/jobs", content=body, headers={"Content-Type": "application/json"})
    problem(answer, 422, "invalid_request")


@pytest.mark.parametrize(
    ("secrets", "field"),
    [
        ([OLD, NEW, signing("a"), signing("b")], "job.signing_secrets"),
        (["whsec_"], "job.signing_secrets"),
        (["secret"], "job.signing_secrets"),
        (["whsec_not base64!"], "job.signing_secrets"),
        ([signing("a", 23)], "job.signing_secrets"),
        ([signing("a", 65)], "job.signing_secrets"),
        ([OLD, OLD], "job.signing_secrets"),
        (OLD, "job.signing_secrets"),
        ([5], "job.signing_secrets.0"),
        (["whsec_\0"], "job.signing_secrets"),
    ],
)
async def test_signing_secrets_have_one_form(api: httpx.AsyncClient, secrets: Any, field: str) -> None:
    assert fields(await api.post("/jobs", json=with_job(signing_secrets=secrets))) == [field]


async def test_three_of_them_may_sign(api: httpx.AsyncClient) -> None:
    secrets = [signing("a", 24), signing("b", 64), OLD]
    made = await api.post("/jobs", json=with_job(signing_secrets=secrets))
    assert made.json()["job"]["signing_secrets_set"] == 3
