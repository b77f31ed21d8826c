"""Signing in with a key, and what its cookie is good for."""

from datetime import UTC, datetime

import httpx
import pytest

from services.api.auth import COOKIE
from services.api.keys import revoke_key
from shared.evidence_store import Place, open_store
from tests.api.conftest import ACME, Service, Starter
from tests.api.records import record, record_attempt


async def test_without_a_key_pages_lead_to_the_sign_in(browser: httpx.AsyncClient) -> None:
    answer = await browser.get("/")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/sign-in?to=/"
    assert 'name="key"' in (await browser.get("/sign-in")).text


async def test_programs_are_told_by_a_problem(browser: httpx.AsyncClient) -> None:
    for path in ("/", "/events", "/fragments/status"):
        assert (await browser.get(path, headers={"Accept": "*/*"})).status_code == 401


async def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(
    browser: httpx.AsyncClient, service: Service
) -> None:
    answer = await browser.post("/sign-in", data={"key": await service.key("wall", "read"), "to": "/results/x"})
    assert answer.headers["location"] == "/results/x"
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert (await browser.get("/")).status_code == 200


@pytest.mark.parametrize("key", ["", "pk_wrong"])
async def test_a_wrong_key_is_refused(browser: httpx.AsyncClient, key: str) -> None:
    answer = await browser.post("/sign-in", data={"key": key})
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers
    assert 'role="alert"' in answer.text


@pytest.mark.parametrize("to", ["//evil.example", "/\\evil.example", "https://evil.example", "javascript:alert(1)"])
async def test_it_never_leads_to_another_site(browser: httpx.AsyncClient, service: Service, to: str) -> None:
    answer = await browser.post("/sign-in", data={"key": await service.key("wall", "read"), "to": to})
    assert answer.headers["location"] == "/"


async def test_forms_of_other_sites_are_refused(reader: httpx.AsyncClient) -> None:
    for path in ("/sign-in", "/sign-out"):
        assert (await reader.post(path, headers={"Origin": "https://evil.example"})).status_code == 403


async def test_the_cookie_is_good_for_reading_pages_only(browser: httpx.AsyncClient, service: Service) -> None:
    await browser.post("/sign-in", data={"key": await service.key("ops", "admin")})
    assert COOKIE in browser.cookies
    assert (await browser.get("/")).status_code == 200
    assert (await browser.get("/api/v1/partners")).status_code == 401
    assert (await browser.post("/api/v1/partners", json=ACME)).status_code == 401


async def test_the_cookie_shows_evidence(reader: httpx.AsyncClient, service: Service) -> None:
    now = datetime.now(UTC)
    result = await record(service, now, "credentials_rejected")
    shot = {"name": "screenshot.png", "content_type": "image/png", "bytes": 3}
    await record_attempt(service, result, now, 1, "credentials_rejected", [shot])
    await open_store(service.settings).write(Place.of(result, now, 1), "screenshot.png", b"png")
    path = f"/api/v1/job-results/{result}/evidence/screenshot.png?attempt=1"
    assert path in (await reader.get(f"/results/{result}")).text
    assert (await reader.get(path)).content == b"png"


async def test_signing_out_and_revoking_end_it(reader: httpx.AsyncClient, service: Service) -> None:
    saved = reader.cookies[COOKIE]
    await reader.post("/sign-out")
    assert COOKIE not in reader.cookies
    async with service.resources.sessions.begin() as session:
        await revoke_key(session, "wall")
    assert (await reader.get("/", headers={"Cookie": f"{COOKIE}={saved}"})).status_code == 303


async def test_a_bearer_key_works_as_well(browser: httpx.AsyncClient, service: Service) -> None:
    key = await service.key("wall", "read")
    assert (await browser.get("/", headers={"Authorization": f"Bearer {key}"})).status_code == 200


async def test_a_link_from_another_site_does_not_end_at_the_sign_in(browser: httpx.AsyncClient) -> None:
    answer = await browser.get("/", headers={"Sec-Fetch-Site": "cross-site"})
    assert 'content="0;url=/"' in answer.text


async def test_with_authentication_off_pages_are_open(start: Starter, service: Service) -> None:
    open_service = await start(service.settings.model_copy(update={"auth": "off"}))
    async with open_service.client() as client:
        assert (await client.get("/")).status_code == 200
