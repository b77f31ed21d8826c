"""Job results, their attempts and their evidence."""

import json
import shutil
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from shared.evidence_store import Place, open_store
from tests.api.conftest import Service, fields, problem
from tests.api.job_records import HOSTILE, add_job, record_callback, record_response
from tests.api.records import record, record_attempt

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def minutes(number: int) -> datetime:
    return NOON + timedelta(minutes=number)


async def ids(api: httpx.AsyncClient, **asked: Any) -> list[str]:
    answer = await api.get("/job-results", params=asked)
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json()["items"]]


async def test_results_come_newest_first_and_can_be_narrowed(api: httpx.AsyncClient, service: Service) -> None:
    job = str(uuid4())
    a = str(await record(service, minutes(0), "success", configuration=job))
    b = str(await record(service, minutes(1), "credentials_rejected", partner="other"))
    c = str(await record(service, minutes(2), "node_lost", browser="firefox"))
    d = str(await record(service, minutes(3), "missed", configuration=job))
    assert await ids(api) == [d, c, b, a]
    assert await ids(api, partner="other") == [b]
    assert await ids(api, browser="firefox") == [c]
    assert await ids(api, check="login") == [c, b, a]
    assert await ids(api, check="sso") == []
    assert await ids(api, outcome="missed") == [d]
    assert await ids(api, **{"class": "partner_failure"}) == [b]
    assert await ids(api, job=job) == [d, a]
    assert await ids(api, since="2026-11-20T12:01:00Z", until="2026-11-20T13:03:00+01:00") == [c, b]


async def test_pages_stay_whole_while_new_results_arrive(api: httpx.AsyncClient, service: Service) -> None:
    made = [str(await record(service, minutes(number // 3), "success")) for number in range(10)]
    seen: list[str] = []
    asked: dict[str, Any] = {"limit": 4}
    while True:
        page = (await api.get("/job-results", params=asked)).json()
        seen += [item["id"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        asked["cursor"] = page["next_cursor"]
        await record(service, minutes(100), "success")
    assert sorted(seen) == sorted(made)
    assert len(seen) == 10


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"class": "bad"}, "class"),
        ({"outcome": "bad"}, "outcome"),
        ({"check": "logout"}, "check"),
        ({"since": "yesterday"}, "since"),
        ({"since": "2026-01-01T00:00:00"}, "since"),
        ({"until": "0001-01-01T00:00:00+14:00"}, "until"),
        ({"partner": "nul\0"}, "partner"),
        ({"outcome_class": "passed"}, "outcome_class"),
    ],
)
async def test_a_bad_filter_is_named(api: httpx.AsyncClient, asked: dict[str, str], field: str) -> None:
    assert fields(await api.get("/job-results", params=asked)) == [field]


async def test_one_result_shows_every_attempt_with_its_steps(api: httpx.AsyncClient, service: Service) -> None:
    result = await record(service, NOON, "success", attempts=2)
    shot = {"name": "screenshot.png", "content_type": "image/png", "bytes": 3}
    await record_attempt(service, result, NOON, 2, "success", [])
    await record_attempt(service, result, NOON, 1, "node_lost", [shot])
    view = (await api.get(f"/job-results/{result}")).json()
    assert view["due_at"] == "2026-11-20T12:00:00Z"
    assert view["outcome"] == {"code": "success", "class": "passed", "success": True, "message": "m"}
    assert [(attempt["number"], attempt["outcome"]["code"]) for attempt in view["attempts"]] == [
        (1, "node_lost"),
        (2, "success"),
    ]
    [check] = view["attempts"][0]["checks"]
    assert check["check"] == "login"
    assert [step["name"] for step in check["steps"]] == ["open", "fill"]
    assert check["steps"][0]["url"] == "https://shop.acme.example/login"
    [link] = view["attempts"][0]["evidence"]
    assert link == {**shot, "href": f"/api/v1/job-results/{result}/evidence/screenshot.png?attempt=1"}


async def test_the_results_of_a_job_say_whose_they_are_and_what_they_repeat(
    api: httpx.AsyncClient, service: Service
) -> None:
    job, other = await add_job(service), await add_job(service, "Invoices")
    first = await record_callback(service, job, minutes(0), "callback_rejected")
    await record_callback(service, other, minutes(1))
    again = await record_callback(service, job, minutes(2), replay_of=first)
    await record(service, minutes(3), "success", configuration=str(uuid4()))
    answer = (await api.get("/job-results", params={"job": str(job)})).json()
    assert [(item["id"], item["job_id"], item["replay_of"]) for item in answer["items"]] == [
        (str(again), str(job), str(first)),
        (str(first), str(job), None),
    ]
    [older] = (await api.get("/job-results", params={"job": str(job), "class": "partner_failure"})).json()["items"]
    assert (older["id"], older["kind"], older["partner"]) == (str(first), "callback", None)
    newest = (await api.get("/job-results", params={"job": str(job), "limit": 1})).json()
    assert [item["id"] for item in newest["items"]] == [str(again)]
    assert await ids(api, job=str(job), cursor=newest["next_cursor"]) == [str(first)]


async def test_an_attempt_shows_what_the_callback_was_answered(api: httpx.AsyncClient, service: Service) -> None:
    result = await record_callback(service, await add_job(service), NOON, "callback_rejected")
    await record_response(service, result, NOON)
    [attempt] = (await api.get(f"/job-results/{result}")).json()["attempts"]
    assert attempt["response"] == {
        "status": 422,
        "headers": {"content-type": "text/html", "x-answered-by": HOSTILE},
        "body": HOSTILE,
        "truncated": False,
        "bytes": 25,
        "url": "https://hooks.example/run?token=hunter2",
        "redirects": [],
        "address": "203.0.113.7",
    }


async def test_a_check_has_no_response(api: httpx.AsyncClient, service: Service) -> None:
    result = await record(service, NOON, "success")
    await record_attempt(service, result, NOON, 1, "success", [])
    view = (await api.get(f"/job-results/{result}")).json()
    assert (view["job_id"], view["replay_of"], view["attempts"][0]["response"]) == (None, None, None)


async def test_an_unknown_result_is_not_found(api: httpx.AsyncClient) -> None:
    problem(await api.get(f"/job-results/{uuid4()}"), 404, "not_found")


async def with_evidence(service: Service, name: str, content_type: str, content: bytes) -> str:
    result = await record(service, NOON, "element_missing", attempts=2)
    store = open_store(service.settings)
    for number in (1, 2):
        entry = {"name": name, "content_type": content_type, "bytes": len(content)}
        await record_attempt(service, result, NOON, number, "element_missing", [entry])
        await store.write(Place.of(result, NOON, number), name, content + str(number).encode())
    return f"/job-results/{result}/evidence/{name}"


async def test_a_screenshot_is_shown(api: httpx.AsyncClient, service: Service) -> None:
    path = await with_evidence(service, "screenshot.png", "image/png", b"\x89PNG")
    newest = await api.get(path)
    assert newest.headers["content-type"] == "image/png"
    assert newest.content == b"\x89PNG2"
    assert (await api.get(path, params={"attempt": 1})).content == b"\x89PNG1"
    problem(await api.get(path, params={"attempt": 3}), 404, "not_found")
    assert fields(await api.get(path, params={"attempt": 0})) == ["attempt"]


@pytest.mark.parametrize("kind", ["text/html", "image/svg+xml", "application/xhtml+xml", "text/html\r\nX: y"])
async def test_captured_page_source_is_never_run(api: httpx.AsyncClient, service: Service, kind: str) -> None:
    path = await with_evidence(service, "page.html", kind, b"<script>alert(1)</script>")
    answer = await api.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"].startswith("sandbox")
    assert answer.headers["content-disposition"].startswith("attachment")


async def test_evidence_that_no_attempt_noted_is_not_found(api: httpx.AsyncClient, service: Service) -> None:
    path = await with_evidence(service, "screenshot.png", "image/png", b"x")
    problem(await api.get(path.replace("screenshot", "other")), 404, "not_found")
    assert fields(await api.get(path.replace("screenshot.png", "..%2f..%2fx")), 404, "not_found") == []
    assert fields(await api.get(path.replace("screenshot.png", ".hidden"))) == ["name"]


async def test_evidence_that_was_cleared_away_is_not_found(api: httpx.AsyncClient, service: Service) -> None:
    path = await with_evidence(service, "screenshot.png", "image/png", b"x")
    for file in service.settings.evidence_dir.rglob("*.png"):
        file.unlink()
    problem(await api.get(path), 404, "not_found")


async def test_a_failure_tells_how_it_looked_when_it_last_worked(api: httpx.AsyncClient, service: Service) -> None:
    job, shot = str(uuid4()), {"name": "screenshot.jpg", "content_type": "image/jpeg", "bytes": 3}
    two = json.dumps([{"check": "login", "code": "success"}, {"check": "sso", "code": "success"}])
    made = [
        await record(service, minutes(number), code, **{"configuration": job, **change})
        for number, code, change in (
            (0, "success", {}),
            (1, "slow", {}),
            (2, "success", {"browser": "firefox"}),
            (3, "success", {"configuration": str(uuid4())}),
            (4, "success", {"checks": two}),
            (5, "node_lost", {}),
            (6, "credentials_rejected", {}),
            (7, "success", {}),
        )
    ]
    await record_attempt(service, made[1], minutes(1), 1, "slow", [shot])
    failed = (await api.get(f"/job-results/{made[6]}")).json()
    href = f"/api/v1/job-results/{made[1]}/evidence/screenshot.jpg?attempt=1"
    assert failed["last_good"] == {
        "id": str(made[1]),
        "due_at": "2026-11-20T12:01:00Z",
        "evidence": {**shot, "href": href},
    }
    assert (await api.get(f"/job-results/{made[7]}")).json()["last_good"] is None
    await service.execute("UPDATE attempts SET evidence_removed_at = now()")
    assert (await api.get(f"/job-results/{made[6]}")).json()["last_good"]["evidence"] is None


async def test_evidence_that_is_no_longer_kept_is_not_linked(api: httpx.AsyncClient, service: Service) -> None:
    path = await with_evidence(service, "screenshot.png", "image/png", b"x")
    await service.execute("UPDATE attempts SET evidence_removed_at = now()")
    [first, _] = (await api.get(path.partition("/evidence")[0])).json()["attempts"]
    assert first["evidence"] == []
    assert first["evidence_removed_at"] is not None
    assert "no longer kept" in problem(await api.get(path), 404, "not_found")["detail"]


async def test_a_store_that_is_away_is_said_to_be(api: httpx.AsyncClient, service: Service) -> None:
    path = await with_evidence(service, "screenshot.png", "image/png", b"x")
    shutil.rmtree(service.settings.evidence_dir)
    service.settings.evidence_dir.write_text("no folder")
    assert "store" in problem(await api.get(path), 503, "dependency_unavailable")["detail"]
