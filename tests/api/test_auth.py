"""Keys and scopes."""

from typing import Any
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI

from services.api.auth import SCOPES, Scope
from services.api.keys import revoke_key
from services.api.settings import ApiSettings
from tests.api.conftest import ACME, Service, Starter, problem

ID = str(uuid4())
V1 = "/api/v1"
ROUTES: dict[tuple[str, str], Scope] = {
    ("GET", f"{V1}/partners"): "read",
    ("POST", f"{V1}/partners"): "write",
    ("GET", f"{V1}/partners/{{code}}"): "read",
    ("PATCH", f"{V1}/partners/{{code}}"): "write",
    ("DELETE", f"{V1}/partners/{{code}}"): "write",
    ("GET", f"{V1}/partners/{{code}}/status"): "read",
    ("GET", f"{V1}/partners/{{code}}/job-configurations"): "read",
    ("GET", f"{V1}/browsers"): "read",
    ("POST", f"{V1}/browsers"): "write",
    ("GET", f"{V1}/browsers/{{name}}"): "read",
    ("PATCH", f"{V1}/browsers/{{name}}"): "write",
    ("DELETE", f"{V1}/browsers/{{name}}"): "write",
    ("GET", f"{V1}/job-configurations"): "read",
    ("POST", f"{V1}/job-configurations"): "write",
    ("GET", f"{V1}/job-configurations/{{id}}"): "read",
    ("PATCH", f"{V1}/job-configurations/{{id}}"): "write",
    ("DELETE", f"{V1}/job-configurations/{{id}}"): "write",
    ("POST", f"{V1}/job-configurations/{{id}}/pause"): "write",
    ("POST", f"{V1}/job-configurations/{{id}}/resume"): "write",
    ("POST", f"{V1}/job-configurations/{{id}}/run"): "run",
    ("GET", f"{V1}/job-configurations/{{id}}/next-runs"): "read",
    ("POST", f"{V1}/job-configurations/{{id}}/backfill"): "run",
    ("GET", f"{V1}/jobs"): "read",
    ("POST", f"{V1}/jobs"): "write",
    ("GET", f"{V1}/jobs/{{id}}"): "read",
    ("PUT", f"{V1}/jobs/{{id}}"): "write",
    ("PATCH", f"{V1}/jobs/{{id}}"): "write",
    ("DELETE", f"{V1}/jobs/{{id}}"): "write",
    ("POST", f"{V1}/jobs/{{id}}/pause"): "write",
    ("POST", f"{V1}/jobs/{{id}}/resume"): "write",
    ("POST", f"{V1}/jobs/{{id}}/run"): "run",
    ("POST", f"{V1}/jobs/{{id}}/backfill"): "run",
    ("GET", f"{V1}/jobs/{{id}}/next-runs"): "read",
    ("GET", f"{V1}/scheduled-jobs"): "read",
    ("POST", f"{V1}/scheduled-jobs/{{id}}/cancel"): "run",
    ("GET", f"{V1}/dead-letters"): "read",
    ("POST", f"{V1}/dead-letters/replay"): "run",
    ("POST", f"{V1}/dead-letters/{{id}}/replay"): "run",
    ("DELETE", f"{V1}/dead-letters/{{id}}"): "write",
    ("GET", f"{V1}/job-results"): "read",
    ("GET", f"{V1}/job-results/{{id}}"): "read",
    ("GET", f"{V1}/job-results/{{id}}/evidence/{{name}}"): "read",
    ("GET", f"{V1}/outcome-types"): "read",
    ("GET", f"{V1}/status"): "read",
    ("GET", f"{V1}/infrastructure"): "read",
    ("POST", f"{V1}/schedules/preview"): "read",
    ("POST", f"{V1}/schedules/pause"): "write",
    ("POST", f"{V1}/schedules/resume"): "write",
    ("POST", f"{V1}/flows/validate"): "read",
    ("POST", f"{V1}/flows/import"): "read",
    ("POST", f"{V1}/partners/{{code}}/try"): "run",
    ("GET", f"{V1}/tries/{{id}}"): "read",
    ("GET", f"{V1}/tries/{{id}}/evidence/{{name}}"): "read",
    ("GET", "/metrics"): "read",
}
OPEN = {("GET", "/healthz"), ("GET", "/readyz")}
BODIES: dict[str, Any] = {
    f"{V1}/partners": {"code": "x", "name": "X", "entry_point": "http://x.example"},
    f"{V1}/browsers": {"name": "x", "icon": "x", "capabilities": {"browserName": "x"}},
    f"{V1}/job-configurations": {"partner": "none", "browsers": ["none"], "schedule": {"interval_seconds": 60}},
    f"{V1}/job-configurations/{{id}}/pause": {"reason": "x"},
    f"{V1}/schedules/preview": {"cron": "* * * * *"},
    f"{V1}/schedules/pause": {"tag": "none", "reason": "x"},
    f"{V1}/schedules/resume": {"tag": "none"},
    f"{V1}/jobs": {"name": "X", "schedule": "* * * * *", "job": {"callback_url": "http://x.example"}},
    f"{V1}/jobs/{{id}}": {"name": "X", "schedule": "* * * * *", "job": {"callback_url": "http://x.example"}},
    f"{V1}/jobs/{{id}}/pause": {"reason": "x"},
    f"{V1}/jobs/{{id}}/backfill": {"since": "2026-01-01T00:00:00Z", "until": "2026-01-02T00:00:00Z"},
    f"{V1}/job-configurations/{{id}}/backfill": {"since": "2026-01-01T00:00:00Z", "until": "2026-01-02T00:00:00Z"},
    f"{V1}/dead-letters/replay": {"job": ID},
    f"{V1}/flows/validate": {"flow": {}},
    f"{V1}/flows/import": {"recording": {"steps": []}},
    f"{V1}/partners/{{code}}/try": {"check": "login", "browser": "none"},
}


def described(app: FastAPI) -> set[tuple[str, str]]:
    return {(method.upper(), path) for path, methods in app.openapi()["paths"].items() for method in methods}


async def call(client: httpx.AsyncClient, method: str, template: str) -> httpx.Response:
    path = template.format(id=ID, code="none", name="none")
    body = {} if method == "PATCH" else BODIES.get(template)
    return await client.request(method, path, json=body if method in ("POST", "PUT", "PATCH") else None)


async def test_every_route_has_its_scope_in_this_list(service: Service) -> None:
    assert described(service.app) == ROUTES.keys() | OPEN


async def test_without_a_key_nothing_is_answered(service: Service) -> None:
    async with service.client() as client:
        for method, template in ROUTES:
            answer = await call(client, method, template)
            problem(answer, 401, "unauthenticated")
            assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("held", SCOPES)
async def test_a_key_may_do_what_its_scope_includes_and_no_more(service: Service, held: Scope) -> None:
    async with service.client(await service.key("someone", held)) as client:
        for (method, template), needed in ROUTES.items():
            answer = await call(client, method, template)
            if SCOPES.index(held) < SCOPES.index(needed):
                problem(answer, 403, "forbidden")
            else:
                assert answer.status_code not in (401, 403, 500), f"{method} {template}: {answer.text}"


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic b3BzOm9wcw==", "Bearer pk_wrong", "Bearer \u00fc"])
async def test_what_is_no_key_opens_nothing(service: Service, header: str) -> None:
    async with service.client() as client:
        answer = await client.get("/api/v1/status", headers={b"Authorization": header.encode("latin-1")})
        problem(answer, 401, "unauthenticated")


async def test_a_revoked_key_opens_nothing(service: Service) -> None:
    async with service.client(await service.key("gone", "admin")) as client:
        assert (await client.get("/api/v1/status")).status_code == 200
        async with service.resources.sessions.begin() as session:
            assert await revoke_key(session, "gone")
        problem(await client.get("/api/v1/status"), 401, "unauthenticated")


async def test_keys_are_not_stored(service: Service) -> None:
    key = await service.key("ops", "read")
    [row] = await service.execute("SELECT row_to_json(api_keys)::text AS row FROM api_keys")
    assert key not in row["row"]


async def test_with_authentication_off_the_author_is_anonymous(settings: ApiSettings, start: Starter) -> None:
    service = await start(settings.model_copy(update={"auth": "off"}))
    async with service.client() as client:
        assert (await client.post("/api/v1/partners", json=ACME)).status_code == 201
        browser = {"name": "chromium", "icon": "chromium", "capabilities": {"browserName": "chrome"}}
        await client.post("/api/v1/browsers", json=browser)
        sent = {"partner": "acme", "browsers": ["chromium"], "schedule": {"interval_seconds": 60}}
        made = (await client.post("/api/v1/job-configurations", json=sent)).json()
        paused = await client.post(f"/api/v1/job-configurations/{made['id']}/pause", json={"reason": "x"})
        assert paused.json()["paused"]["by"] == "anonymous"


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:1"},
    ],
)
async def test_with_authentication_off_foreign_web_pages_are_refused(
    settings: ApiSettings, start: Starter, headers: dict[str, str]
) -> None:
    service = await start(settings.model_copy(update={"auth": "off"}))
    async with service.client() as client:
        problem(await client.post("/api/v1/partners", json=ACME, headers=headers), 403, "forbidden")
        own = {"Origin": "http://localhost"}
        assert (await client.get("/api/v1/partners", headers=own)).status_code == 200
