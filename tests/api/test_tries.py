"""A check that is tried: a scheduled job that belongs to no schedule, whose end is told and recorded nowhere else."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from services.runner.claim import Claimed, claim_all
from services.runner.definition import CheckDefinition
from shared.domain.outcome import Outcome
from shared.ledger import AttemptRecord, Ending, end_attempts, end_not_run
from shared.queue import Message
from tests.api.conftest import ACME, Service, fields, problem

LOGIN = {"check": "login", "browser": "chromium"}
FLOW = {"steps": [{"do": "navigate"}, {"do": "expect", "text_visible": "Welcome"}]}
PICTURE = b"\x89PNG..."


async def start(api: httpx.AsyncClient, **sent: Any) -> dict[str, Any]:
    answer = await api.post("/partners/acme/try", json={**LOGIN, **sent})
    assert answer.status_code == 202, answer.text
    made: dict[str, Any] = answer.json()
    assert answer.headers["location"] == f"/api/v1/tries/{made['id']}"
    return made


async def claim(service: Service, made: dict[str, Any]) -> Claimed:
    message = Message(UUID(made["id"]), 0, "browser.chromium", 0)
    [claimed] = await claim_all(service.engine, [message], uuid4())
    assert claimed is not None
    return claimed


async def end(service: Service, claimed: Claimed) -> None:
    check = {"check": "login", "code": "success", "class": "passed", "success": True, "message": "In."}
    step = {"name": "1. navigate", "offset_seconds": 0.0, "duration_seconds": 0.1, "ok": True, "detail": "answered 200"}
    checks = [{**check, "duration_seconds": 1.5, "steps": [step], "warnings": ["2. click: drift."]}]
    record = AttemptRecord(Outcome("success", "In."), datetime.now(UTC), 1.5, checks=checks, title="Acme")
    async with service.engine.begin() as connection:
        assert await end_attempts(connection, [Ending(claimed.id, claimed.token, record)]) == {claimed.token}


async def test_a_try_is_a_scheduled_job_ahead_of_others(
    api: httpx.AsyncClient, service: Service, acme: dict[str, Any]
) -> None:
    made = await start(api, timeout_seconds=20)
    assert (made["state"], made["outcome"], made["created_by"], made["check"]) == ("waiting", None, "ops", "login")
    [job] = await service.execute("SELECT * FROM scheduled_jobs")
    assert (str(job["id"]), job["origin"], job["state"], job["priority"]) == (made["id"], "try", "planned", 0)
    assert (job["lane"], job["overlap"], job["partner"]) == ("browser.chromium", "allow", "acme")
    # It is nobody's due moment.
    assert (await api.get("/scheduled-jobs")).json()["items"] == []
    problem(await api.post(f"/scheduled-jobs/{made['id']}/cancel"), 404, "not_found")


@pytest.mark.parametrize(
    ("sent", "used"),
    [({}, "/stored"), ({"flow": None}, None), ({"flow": FLOW}, "Welcome")],
    ids=["stored", "automatic", "own"],
)
async def test_whose_flow_is_tried(
    api: httpx.AsyncClient, service: Service, acme: dict[str, Any], sent: dict[str, Any], used: str | None
) -> None:
    stored = {"steps": [{"do": "navigate"}, {"do": "expect", "url_contains": "/stored"}]}
    await api.patch("/partners/acme", json={"login": {"flow": stored}})
    definition = (await claim(service, await start(api, timeout_seconds=20, **sent))).definition
    assert isinstance(definition, CheckDefinition)
    assert (definition.checks, definition.timeout_seconds, definition.retry.infrastructure.attempts) == (
        ("login",),
        20,
        1,
    )
    if used is None:
        assert definition.login["flow"] is None
    else:
        assert used in str(definition.login["flow"])


async def test_its_end_is_told_and_changes_nothing_else(
    api: httpx.AsyncClient, service: Service, acme: dict[str, Any]
) -> None:
    made = await start(api)
    claimed = await claim(service, made)
    running = (await api.get(f"/tries/{made['id']}")).json()
    assert running["state"] == "running"
    await service.execute(
        "INSERT INTO try_evidence VALUES (:id, 1, 'screenshot.png', 'image/png', :content)",
        id=claimed.id,
        content=PICTURE,
    )
    await end(service, claimed)
    told = (await api.get(f"/tries/{made['id']}")).json()
    assert (told["state"], told["outcome"]["code"], told["duration_seconds"]) == ("ended", "success", 1.5)
    assert (told["title"], told["checks"][0]["steps"][0]["detail"]) == ("Acme", "answered 200")
    assert told["checks"][0]["warnings"] == ["2. click: drift."]
    [link] = told["evidence"]
    picture = await api.get(link["href"].removeprefix("/api/v1"))
    assert (picture.content, picture.headers["content-type"]) == (PICTURE, "image/png")
    problem(await api.get(f"/tries/{made['id']}/evidence/page.html"), 404, "not_found")
    for table in ("job_results", "attempts", "check_states", "scheduled_jobs"):
        assert await service.execute(f"SELECT * FROM {table}") == []
    assert (await api.get("/job-results")).json()["items"] == []


async def test_one_that_nobody_starts_is_missed(api: httpx.AsyncClient, service: Service, acme: dict[str, Any]) -> None:
    made = await start(api)
    async with service.engine.begin() as connection:
        assert await end_not_run(connection, [UUID(made["id"])], "missed", "Too late.") == [UUID(made["id"])]
    told = (await api.get(f"/tries/{made['id']}")).json()
    assert (told["state"], told["outcome"]["code"], told["outcome"]["class"]) == ("ended", "missed", "not_run")
    assert await service.execute("SELECT * FROM job_results") == []


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"check": "coffee"}, "check"),
        ({"check": "product_page"}, "check"),
        ({"browser": "none"}, "browser"),
        ({"timeout_seconds": 1}, "timeout_seconds"),
        ({"flow": {"steps": [{"do": "navigate"}]}}, "flow"),
        ({"flow": {"steps": [{"do": "navigate"}, {"do": "fly"}]}}, "flow.steps.1"),
        ({"unknown": 1}, "unknown"),
    ],
)
async def test_what_can_t_be_tried(
    api: httpx.AsyncClient, service: Service, acme: dict[str, Any], change: dict[str, Any], field: str
) -> None:
    assert fields(await api.post("/partners/acme/try", json={**LOGIN, **change})) == [field]
    assert await service.execute("SELECT * FROM scheduled_jobs") == []


async def test_a_stored_credential_is_no_constant(api: httpx.AsyncClient, acme: dict[str, Any]) -> None:
    secret = ACME["credentials"]["password"]
    fill = {"do": "fill", "locators": [{"css": "#p"}], "value": secret}
    refused = await api.post("/partners/acme/try", json={**LOGIN, "flow": {"steps": [*FLOW["steps"], fill]}})
    assert fields(refused) == ["flow.steps.2.value"]
    assert secret not in refused.text


async def test_what_is_not_there(api: httpx.AsyncClient, acme: dict[str, Any]) -> None:
    problem(await api.post("/partners/nobody/try", json=LOGIN), 404, "not_found")
    problem(await api.get(f"/tries/{uuid4()}"), 404, "not_found")


async def test_a_check_that_is_switched_off_can_be_tried(
    api: httpx.AsyncClient, service: Service, acme: dict[str, Any]
) -> None:
    made = await start(api, check="express_checkout")
    assert (await claim(service, made)).definition


async def test_the_same_key_makes_one_try(api: httpx.AsyncClient, service: Service, acme: dict[str, Any]) -> None:
    answers = [await api.post("/partners/acme/try", json=LOGIN, headers={"Idempotency-Key": "k"}) for _ in range(2)]
    assert answers[0].json() == answers[1].json()
    assert len(await service.execute("SELECT * FROM tries")) == 1
