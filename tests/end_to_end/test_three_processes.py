"""API, scheduler and runner as processes of their own on real servers, asked through HTTP alone."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest_asyncio

from examples.shop.app import PASSWORD, REFUSAL, USERNAME
from shared.domain.schedule import Timing
from tests.end_to_end.processes import ServiceProcess, Stack, until
from tests.patience import PLAIN_HTTP
from tests.servers.grid import Grid
from tests.servers.postgres import PostgresServer
from tests.servers.rabbitmq import RabbitMQ
from tests.servers.valkey import ValkeyServer

STARTED_WITHIN_SECONDS = 5
RARELY = 86_400
CHROMIUM = {"browserName": "chrome", "pk:profile": "desktop"}
RETRY = {"infrastructure": {"attempts": 10, "backoff_seconds": 1}}


@dataclass
class Parakeet:
    stack: Stack
    shop: ServiceProcess
    key: str

    async def call(self, method: str, path: str, body: object = None) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.key}"}
        async with httpx.AsyncClient(base_url=self.stack.api_url, headers=headers, **PLAIN_HTTP) as http:
            answer = await http.request(method, path, json=body)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer

    async def get(self, path: str) -> Any:
        return (await self.call("GET", f"/api/v1/{path}")).json()

    async def post(self, path: str, body: object = None) -> Any:
        return (await self.call("POST", f"/api/v1/{path}", {} if body is None else body)).json()

    async def add(self, code: str, password: str = PASSWORD, interval_seconds: int = RARELY) -> str:
        """A partner of the shop with a job configuration, whose id is returned."""
        credentials = {"username": f"{USERNAME}-{code}", "password": password}
        entry_point = f"{self.stack.shop_url}/acme/login"
        await self.post(
            "partners", {"code": code, "name": code, "entry_point": entry_point, "credentials": credentials}
        )
        made = await self.post(
            "job-configurations",
            {
                "partner": code,
                "browsers": ["chromium"],
                "schedule": {"interval_seconds": interval_seconds},
                "timeout_seconds": 80,
                "slow_after_seconds": 79,
                "retry": RETRY,
            },
        )
        return str(made["id"])

    async def run(self, configuration: str) -> str:
        """Run it now; the id of its scheduled job, and so of its result."""
        made = await self.post(f"job-configurations/{configuration}/run")
        return str(made["scheduled_jobs"][0]["id"])

    async def result(self, job: str) -> Any:
        async def look() -> Any:
            found = await self.get("job-results?limit=100")
            return [item for item in found["items"] if item["id"] == job]

        await until(look, what=f"the result of {job}")
        return await self.get(f"job-results/{job}")

    async def state(self, partner: str) -> tuple[str, int]:
        status = await self.get(f"partners/{partner}/status")
        (check,) = status["checks"]
        return check["state"], check["failures_in_a_row"]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def parakeet(
    servers: Path, postgres_server: PostgresServer, rabbitmq_server: RabbitMQ, valkey_server: ValkeyServer, grid: Grid
) -> AsyncIterator[Parakeet]:
    database, broker = await postgres_server.create_database(), await rabbitmq_server.create_vhost()
    await valkey_server.flush()
    stack = Stack(servers / "three-processes", database, broker, valkey_server.url, grid.url)
    shop = stack.shop()
    try:
        for process in (shop, stack.api(), stack.scheduler(), stack.runner()):
            await process.start()
        key = await stack.create_key("--name", "end-to-end", "--scope", "write")
        made = Parakeet(stack, shop, key)
        await made.post("browsers", {"name": "chromium", "icon": "chromium", "capabilities": CHROMIUM})
        yield made
    finally:
        await stack.stop()
        await rabbitmq_server.delete_vhost(broker)
        await postgres_server.drop_database(database)


async def test_the_first_due_moment_is_executed_within_five_seconds(parakeet: Parakeet) -> None:
    configuration = await parakeet.add("prompt", interval_seconds=10)
    made = await parakeet.get(f"job-configurations/{configuration}")

    async def of_the_first() -> Any:
        # Moments that come while the first one's check is running are recorded before it, as skipped.
        for found in (await parakeet.get(f"job-results?job={configuration}"))["items"]:
            timing = Timing(UUID(found["schedule_id"]), 10)
            first = timing.due_after(datetime.fromisoformat(made["created_at"]))
            if datetime.fromisoformat(found["due_at"]) == first:
                return found
        return None

    result = await until(of_the_first, what="the first due moment's result")
    await parakeet.post(f"job-configurations/{configuration}/pause", {"reason": "seen enough"})
    assert result["outcome"]["code"] == "success"
    late = (datetime.fromisoformat(result["executed_at"]) - datetime.fromisoformat(result["due_at"])).total_seconds()
    assert 0 <= late <= STARTED_WITHIN_SECONDS, f"executed {late:.3f} s after it was due"


async def test_the_right_password_succeeds_and_leaves_evidence(parakeet: Parakeet) -> None:
    job = await parakeet.run(await parakeet.add("right"))
    result = await parakeet.result(job)
    assert result["outcome"]["code"] == "success"
    assert await parakeet.state("right") == ("working", 0)
    (attempt,) = result["attempts"]
    links = {item["name"]: item for item in attempt["evidence"]}
    screenshot = await parakeet.call("GET", links["screenshot.jpg"]["href"])
    assert screenshot.headers["content-type"] == "image/jpeg"
    assert screenshot.content.startswith(b"\xff\xd8\xff")
    assert "<html" in (await parakeet.call("GET", links["page.html"]["href"])).text


async def test_a_wrong_password_is_rejected_in_the_words_of_the_site(parakeet: Parakeet) -> None:
    job = await parakeet.run(await parakeet.add("wrong", password="last-years"))
    outcome = (await parakeet.result(job))["outcome"]
    assert outcome["code"] == "credentials_rejected"
    assert REFUSAL.rstrip(".") in outcome["message"]


async def test_a_stopped_shop_refuses_the_connection(parakeet: Parakeet) -> None:
    configuration = await parakeet.add("closed")
    await parakeet.shop.kill()
    try:
        result = await parakeet.result(await parakeet.run(configuration))
    finally:
        await parakeet.shop.start()
    assert result["outcome"]["code"] == "connection_refused"
    assert result["outcome"]["class"] == "partner_failure"


async def test_a_stopped_grid_is_ours_and_mends_itself(parakeet: Parakeet, grid: Grid) -> None:
    configuration = await parakeet.add("blameless")
    await parakeet.result(await parakeet.run(configuration))
    state = await parakeet.state("blameless")
    assert state == ("working", 0)
    await grid.stop()
    try:
        job = await parakeet.run(configuration)

        async def retrying() -> Any:
            listed = await parakeet.get(f"scheduled-jobs?job={configuration}&state=retrying")
            return [item for item in listed["items"] if item["id"] == job]

        (waiting,) = await until(retrying, what="the job to wait for a retry")
        assert waiting["last_outcome"] == "grid_unreachable"
        assert await parakeet.state("blameless") == state
    finally:
        await grid.start()
    result = await parakeet.result(job)
    assert result["outcome"]["code"] == "success", result["outcome"]
    *failed, last = result["attempts"]
    assert last["outcome"]["code"] == "success"
    assert failed
    assert {attempt["outcome"]["class"] for attempt in failed} == {"infrastructure_failure"}
    assert failed[0]["outcome"]["code"] == "grid_unreachable"
    assert await parakeet.state("blameless") == ("working", 0)


async def test_a_flow_is_tried_without_being_recorded(parakeet: Parakeet) -> None:
    configuration = await parakeet.add("edited", password="last-years")
    results = await parakeet.get(f"job-results?job={configuration}")
    positive = {"do": "expect", "text_visible": "Log in to Acme"}
    steps = [{"do": "navigate"}, {"do": "screenshot"}, positive]
    made = await parakeet.post(
        "partners/edited/try", {"check": "login", "browser": "chromium", "flow": {"steps": steps}}
    )

    async def ended() -> Any:
        found = await parakeet.get(f"tries/{made['id']}")
        return found if found["state"] == "ended" else None

    told = await until(ended, what="the end of the try")
    assert told["outcome"]["code"] == "success", told
    assert [step["name"] for step in told["checks"][0]["steps"]] == ["1. navigate", "2. screenshot", "3. expect"]
    names = {link["name"] for link in told["evidence"]}
    assert {"screenshot.jpg", "login-step-2.jpg", "page.html"} <= names
    picture = await parakeet.call("GET", f"/api/v1/tries/{made['id']}/evidence/login-step-2.jpg")
    assert picture.content.startswith(b"\xff\xd8")
    assert (await parakeet.get("partners/edited/status"))["checks"][0]["state"] == "unknown"
    assert await parakeet.get(f"job-results?job={configuration}") == results
