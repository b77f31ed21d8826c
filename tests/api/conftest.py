"""The application on a database of the test's own, and clients that hold a key of each scope."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
import pytest_asyncio
from cryptography.fernet import Fernet
from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from services.api.app import create_app
from services.api.auth import Scope
from services.api.dependencies import Resources
from services.api.keys import create_key
from services.api.settings import ApiSettings

ACME: dict[str, Any] = {
    "code": "acme",
    "name": "Acme Inc.",
    "entry_point": "https://shop.acme.example/login",
    "credentials": {"username": "probe-user", "password": "hunter2-hunter2"},
}
CHROMIUM: dict[str, Any] = {"name": "chromium", "icon": "chromium", "capabilities": {"browserName": "chrome"}}
FIREFOX: dict[str, Any] = {"name": "firefox", "icon": "firefox", "capabilities": {"browserName": "firefox"}}
EVERY_QUARTER: dict[str, Any] = {
    "partner": "acme",
    "browsers": ["chromium"],
    "schedule": {"interval_seconds": 900},
}

WHOLE: dict[str, Any] = {
    "partner": "acme",
    "browsers": ["chromium", "firefox"],
    "checks": ["login"],
    "schedule": {"cron": "*/5 7-19 * * MON-FRI", "timezone": "Europe/Berlin"},
    "timeout_seconds": 90.0,
    "slow_after_seconds": 20.0,
    "enabled": True,
    "retry": {
        "partner": {"attempts": 2, "backoff_seconds": 5.0},
        "infrastructure": {"attempts": 4, "backoff_seconds": 30.0},
    },
    "overlap": "queue_one",
    "catch_up": "all",
    "start_deadline_seconds": 600,
    "jitter_seconds": 7,
    "failing_after": 3,
    "working_after": 2,
    "priority": "high",
    "step_screenshots": "always",
}

CLI: dict[str, Any] = {
    "name": "CLI",
    "description": "From CLI",
    "schedule": "* * * * *",
    "job": {"callback_url": "https://hooks.example.com/cli", "http_method": "post", "payload": {}},
    "timezone": "UTC",
    "timeout_seconds": 30,
    "enabled": True,
}
WHOLE_JOB: dict[str, Any] = {
    "name": "Nightly export",
    "description": "Asks for the export.",
    "schedule": {"interval_seconds": 900, "interval_mode": "fixed_delay"},
    "job": {
        "callback_url": "https://hooks.example.com/{{job_id}}?due={{due_at}}",
        "http_method": "put",
        "payload": {"id": "{{scheduled_job_id}}", "n": 1},
        "headers": {"X-Source": "attempt {{attempt}}"},
        "secret_headers": {"Authorization": "Bearer canary-token"},
        "signing_secrets": ["whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="],
        "success": {"status_codes": ["200-299", "304"], "body_contains": "ok"},
        "max_redirects": 0,
    },
    "timezone": "Europe/Berlin",
    "timeout_seconds": 90.0,
    "slow_after_seconds": 20.0,
    "enabled": True,
    "retry": {
        "attempts": 5,
        "min_backoff_seconds": 5.0,
        "max_backoff_seconds": 50.0,
        "max_age_seconds": 600.0,
    },
    "overlap": "queue_one",
    "catch_up": "all",
    "start_deadline_seconds": 600,
    "jitter_seconds": 7,
    "failing_after": 3,
    "working_after": 2,
    "priority": "high",
    "tags": ["emea"],
}


@dataclass(frozen=True)
class Service:
    """The running application and what a test needs to look behind it."""

    app: FastAPI
    settings: ApiSettings

    @property
    def resources(self) -> Resources:
        found: Resources = self.app.state.resources
        return found

    @property
    def engine(self) -> AsyncEngine:
        return self.resources.engine

    async def execute(self, statement: str, **values: Any) -> list[Any]:
        """The rows of one statement, in a transaction of its own."""
        async with self.engine.begin() as connection:
            answer = await connection.execute(text(statement), values)
            return list(answer.mappings()) if answer.returns_rows else []

    def client(self, key: str | None = None) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(app=self.app)
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        return httpx.AsyncClient(transport=transport, base_url="http://localhost", headers=headers)

    async def key(self, name: str, scope: Scope) -> str:
        async with self.resources.sessions.begin() as session:
            return await create_key(session, name, [scope])


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> ApiSettings:
    return ApiSettings.model_validate(
        {
            "database_url": database_url,
            "secret_keys": Fernet.generate_key().decode(),
            "evidence_dir": tmp_path / "evidence",
        }
    )


Starter = Callable[[ApiSettings], Awaitable[Service]]


@pytest_asyncio.fixture
async def start() -> AsyncIterator[Starter]:
    """Starts an application with other settings than usual."""
    async with AsyncExitStack() as running:

        async def start_with(settings: ApiSettings) -> Service:
            app = create_app(settings)
            await running.enter_async_context(app.router.lifespan_context(app))
            return Service(app, settings)

        yield start_with


@pytest.fixture(scope="session")
def application() -> FastAPI:
    """To be started by one test after the other: what takes long to build is only its routes."""
    nowhere = {"database_url": "postgresql://localhost/none", "secret_keys": Fernet.generate_key().decode()}
    return create_app(ApiSettings.model_validate(nowhere))


@pytest_asyncio.fixture
async def service(application: FastAPI, settings: ApiSettings) -> AsyncIterator[Service]:
    application.state.settings = settings
    async with application.router.lifespan_context(application):
        yield Service(application, settings)


@pytest_asyncio.fixture
async def api(service: Service) -> AsyncIterator[httpx.AsyncClient]:
    """A client whose key, `ops`, may do everything."""
    async with service.client(await service.key("ops", "admin")) as client:
        client.base_url = httpx.URL("http://localhost/api/v1")
        yield client


@pytest_asyncio.fixture
async def session(service: Service) -> AsyncIterator[AsyncSession]:
    async with service.resources.sessions.begin() as session:
        yield session


@pytest_asyncio.fixture
async def acme(api: httpx.AsyncClient) -> dict[str, Any]:
    """A partner, and two browsers."""
    for browser in (CHROMIUM, FIREFOX):
        (await api.post("/browsers", json=browser)).raise_for_status()
    made: dict[str, Any] = (await api.post("/partners", json=ACME)).raise_for_status().json()
    return made


@pytest_asyncio.fixture
async def configuration(api: httpx.AsyncClient, acme: dict[str, Any], service: Service) -> dict[str, Any]:
    """Acme's log-in in Chromium, every 15 minutes, but not within a minute: none comes due while a test counts."""
    while True:
        made: dict[str, Any] = (await api.post("/job-configurations", json=EVERY_QUARTER)).raise_for_status().json()
        [schedule] = await schedules(service)
        if schedule["next_due"] > datetime.now(UTC) + timedelta(minutes=1):
            return made
        # Its phase comes from its id, so another one has another.
        await service.execute("DELETE FROM schedules")
        await service.execute("DELETE FROM job_configurations")


@pytest_asyncio.fixture
async def job(api: httpx.AsyncClient) -> dict[str, Any]:
    """A callback every minute."""
    made: dict[str, Any] = (await api.post("/jobs", json=CLI)).raise_for_status().json()
    return made


def problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The problem document, after checking that it is one."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = answer.json()
    assert document["code"] == code, document
    assert document["status"] == status
    assert {"type", "title", "status", "detail", "code", "errors"} <= document.keys()
    return document


def fields(answer: httpx.Response, status: int = 422, code: str = "invalid_request") -> list[str]:
    """The names of the fields that a problem is about."""
    return [error["field"] for error in problem(answer, status, code)["errors"]]


async def schedules(service: Service) -> list[Any]:
    return await service.execute("SELECT *, next_due = 'infinity' AS never FROM schedules ORDER BY browser")


async def make_due(service: Service, schedule_id: UUID, offset_seconds: float, state: str = "planned") -> UUID:
    """A scheduled job of the schedule that is due so long from now (negative: ago)."""
    rows = await service.execute(
        """
        INSERT INTO scheduled_jobs (id, schedule_id, origin, due_at, kind, shard, lane, priority, overlap,
            job_configuration_id, partner, browser, job_id, run_after, start_by, state, dispatched_at, lease_until,
            attempt)
        SELECT gen_random_uuid(), id, 'schedule', moment, kind, shard, lane, priority, overlap, job_configuration_id,
               partner, browser, job_id, moment, moment + interval '1 hour', CAST(:state AS text),
               CASE WHEN :state <> 'planned' THEN moment END, CASE WHEN :state = 'running' THEN now() END,
               CASE WHEN :state = 'running' THEN 1 ELSE 0 END
        FROM schedules, LATERAL (SELECT clock_timestamp() + CAST(:offset AS float) * interval '1 second') AS m(moment)
        WHERE id = :id RETURNING id
        """,
        id=schedule_id,
        offset=offset_seconds,
        state=state,
    )
    found: UUID = rows[0]["id"]
    return found
