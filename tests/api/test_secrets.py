"""Credentials go in and never come out."""

import json
import logging
from typing import Any

import httpx
import pytest
from cryptography.fernet import Fernet
from fastapi import FastAPI

from services.api.app import create_app
from services.api.keys import rotate
from services.api.settings import ApiSettings
from shared.secret_box import SecretBox, SecretUnreadable
from tests.api.conftest import ACME, CHROMIUM, EVERY_QUARTER, Service, Starter, fields, problem

USERNAME, PASSWORD, TOTP = "canary-username", "canary-password", "JBSWY3DPEHPK3PXP"
CREDENTIALS = {"username": USERNAME, "password": PASSWORD, "totp_secret": TOTP}
JSON = {"Content-Type": "application/json"}
WITH_SECRETS: dict[str, Any] = {
    **ACME,
    "credentials": CREDENTIALS,
    "sso": {"enabled": True, "entry_point": "https://shop.acme.example/sso", "credentials": CREDENTIALS},
}


def assert_silent(text: str) -> None:
    for secret in (USERNAME, PASSWORD, TOTP):
        assert secret not in text


async def test_no_answer_and_no_log_ever_holds_them(
    api: httpx.AsyncClient, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    wrong = [
        {**WITH_SECRETS, "colour": "red"},
        {**WITH_SECRETS, "credentials": {**CREDENTIALS, "totp_secret": f"{TOTP}!{PASSWORD}"}},
        {**WITH_SECRETS, "credentials": {**CREDENTIALS, "pin": PASSWORD}},
        {**WITH_SECRETS, "credentials": [USERNAME, PASSWORD, TOTP]},
        {**WITH_SECRETS, "credentials": PASSWORD},
        {**WITH_SECRETS, "entry_point": f"https://{USERNAME}:{PASSWORD}@shop.example"},
    ]
    answers = [await api.post("/partners", json=body) for body in wrong]
    answers += [
        await api.post("/browsers", json=CHROMIUM),
        await api.post("/partners", json=WITH_SECRETS, headers={"Idempotency-Key": "k"}),
        await api.post("/partners", json=WITH_SECRETS, headers={"Idempotency-Key": "k"}),
        await api.post("/partners", json=WITH_SECRETS),
        await api.patch("/partners/acme", json={"credentials": {"password": PASSWORD + "2", "totp_secret": "!"}}),
        await api.patch("/partners/acme", json={"credentials": {"password": PASSWORD + "2"}}),
        await api.post(
            "/partners", content=json.dumps(WITH_SECRETS)[:-1], headers={"Content-Type": "application/json"}
        ),
        await api.post("/job-configurations", json=EVERY_QUARTER),
    ]
    paths = ("/partners", "/partners/acme", "/partners/acme/status", "/status", "/infrastructure", "/job-results")
    answers += [await api.get(path) for path in paths]
    answers += [await api.get("http://localhost/metrics"), await api.get("http://localhost/openapi.json")]
    for answer in answers:
        assert answer.status_code < 500
        assert_silent(answer.text + str(answer.headers))
    printed = capfd.readouterr()
    assert_silent(caplog.text + printed.out + printed.err)


async def test_a_crash_in_the_database_does_not_log_them(
    api: httpx.AsyncClient, service: Service, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    await service.execute("ALTER TABLE partners ADD COLUMN surprise text NOT NULL")
    body = {**WITH_SECRETS, "notes": PASSWORD}
    assert_silent(json.dumps(problem(await api.post("/partners", json=body), 500, "internal_error")))
    printed = capfd.readouterr()
    assert_silent(caplog.text + printed.out + printed.err)


async def test_they_are_not_stored_in_the_clear(api: httpx.AsyncClient, service: Service) -> None:
    await api.post("/partners", json=WITH_SECRETS)
    [row] = await service.execute("SELECT row_to_json(partners)::text AS row, sealed_credentials FROM partners")
    assert_silent(row["row"])
    assert service.resources.secret_box.open(bytes(row["sealed_credentials"])) == CREDENTIALS


def with_keys(settings: ApiSettings, *keys: str) -> ApiSettings:
    return ApiSettings.model_validate(
        {"database_url": settings.database_url, "evidence_dir": settings.evidence_dir, "secret_keys": ",".join(keys)}
    )


async def test_after_a_rotation_the_old_key_can_go(settings: ApiSettings, start: Starter) -> None:
    old, new = settings.keys()[0], Fernet.generate_key().decode()
    service = await start(settings)
    async with service.client(await service.key("ops", "admin")) as client:
        await client.post("/api/v1/partners", json=WITH_SECRETS)
    async with service.resources.sessions.begin() as session:
        assert await rotate(session, SecretBox([new, old])) == 1
    for column in ("sealed_credentials", "sealed_sso_credentials"):
        [row] = await service.execute(f"SELECT {column} AS sealed FROM partners")
        assert SecretBox([new]).open(bytes(row["sealed"])) == CREDENTIALS
        with pytest.raises(SecretUnreadable):
            SecretBox([old]).open(bytes(row["sealed"]))


async def test_a_rotation_without_the_right_key_changes_nothing(api: httpx.AsyncClient, service: Service) -> None:
    await api.post("/partners", json=WITH_SECRETS)
    with pytest.raises(SecretUnreadable):
        async with service.resources.sessions.begin() as session:
            await rotate(session, SecretBox([Fernet.generate_key().decode()]))
    assert (await api.get("/partners/acme")).json()["credentials"]["totp_secret_set"] is True


async def test_with_the_key_lost_partners_can_still_be_read_and_given_new_credentials(
    settings: ApiSettings, start: Starter
) -> None:
    before = await start(settings)
    key = await before.key("ops", "admin")
    async with before.client(key) as client:
        await client.post("/api/v1/partners", json=WITH_SECRETS)
    after = await start(with_keys(settings, Fernet.generate_key().decode()))
    async with after.client(key) as client:
        path = "/api/v1/partners/acme"
        unknown = {"username_set": True, "password_set": True, "totp_secret_set": None}
        assert (await client.get(path)).json()["credentials"] == unknown
        assert (await client.patch(path, json={"notes": "x"})).status_code == 200
        assert fields(await client.patch(path, json={"credentials": {"password": "p"}})) == ["credentials.username"]
        renewed = await client.patch(path, json={"credentials": {"username": "u", "password": "p"}})
        assert renewed.json()["credentials"]["totp_secret_set"] is False


async def test_an_idempotency_key_outlives_a_rotation(settings: ApiSettings, start: Starter) -> None:
    old, new = settings.keys()[0], Fernet.generate_key().decode()
    before, after = await start(settings), await start(with_keys(settings, new, old))
    key = await before.key("ops", "admin")
    for service in (before, after):
        async with service.client(key) as client:
            answer = await client.post("/api/v1/partners", json=WITH_SECRETS, headers={"Idempotency-Key": "k"})
            assert answer.status_code == 201


def test_without_keys_it_does_not_start(settings: ApiSettings) -> None:
    def without() -> FastAPI:
        return create_app(ApiSettings.model_validate({"database_url": settings.database_url}))

    with pytest.raises(ValueError, match="PARAKEET_SECRET_KEYS"):
        without()
