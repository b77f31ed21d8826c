"""Scheduled jobs: what has not ended yet, and cancelling it."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from shared.domain.schedule import Origin, scheduled_job_id
from tests.api.conftest import EVERY_QUARTER, Service, fields, make_due, problem
from tests.api.job_records import add_dead_letter, add_job


async def schedule_id(service: Service) -> UUID:
    found: UUID = (await service.execute("SELECT id FROM schedules LIMIT 1"))[0]["id"]
    return found


async def listed(api: httpx.AsyncClient, **asked: Any) -> list[dict[str, Any]]:
    answer = await api.get("/scheduled-jobs", params=asked)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def test_the_next_moment_of_every_schedule_is_in_the_future(
    api: httpx.AsyncClient, configuration: dict[str, Any], service: Service
) -> None:
    [schedule] = await service.execute("SELECT * FROM schedules")
    [item] = await listed(api, state="future")
    assert item["id"] == str(scheduled_job_id(schedule["id"], Origin.SCHEDULE, schedule["next_due"]))
    assert datetime.fromisoformat(item["due_at"]) == schedule["next_due"]
    assert (item["state"], item["planned"], item["attempt"]) == ("future", False, 0)
    assert (item["partner"], item["browser"]) == ("acme", "chromium")
    assert item["job_configuration_id"] == configuration["id"]


async def test_a_paused_schedule_has_no_future(api: httpx.AsyncClient, configuration: dict[str, Any]) -> None:
    await api.post(f"/job-configurations/{configuration['id']}/pause", json={"reason": "holiday"})
    assert await listed(api) == []


async def test_each_state_is_told_apart(
    api: httpx.AsyncClient, configuration: dict[str, Any], service: Service
) -> None:
    schedule = await schedule_id(service)
    ids = {
        "overdue": await make_due(service, schedule, -5),
        "dispatched": await make_due(service, schedule, -4, "dispatched"),
        "running": await make_due(service, schedule, -3, "running"),
        "retrying": await make_due(service, schedule, -2),
        "future": await make_due(service, schedule, 1),
    }
    await service.execute(
        "UPDATE scheduled_jobs SET attempt = 1, last_outcome = 'node_lost', run_after = now() + interval '9 s'"
        " WHERE id = :id",
        id=ids["retrying"],
    )
    for state, job_id in ids.items():
        found = [item for item in await listed(api, state=state) if item["planned"]]
        assert [(item["id"], item["state"]) for item in found] == [(str(job_id), state)]
    assert {item["id"] for item in await listed(api) if item["planned"]} == {str(job_id) for job_id in ids.values()}


async def test_a_late_scheduler_shows_as_overdue(
    api: httpx.AsyncClient, configuration: dict[str, Any], service: Service
) -> None:
    await service.execute("UPDATE schedules SET next_due = now() - interval '1 minute'")
    [item] = await listed(api, state="overdue")
    assert item["planned"] is False
    assert await listed(api, state="future") == []


async def test_the_list_can_be_narrowed(api: httpx.AsyncClient, acme: dict[str, Any]) -> None:
    both = {**EVERY_QUARTER, "browsers": ["chromium", "firefox"]}
    made = (await api.post("/job-configurations", json=both)).json()
    assert [item["browser"] for item in await listed(api, browser="firefox")] == ["firefox"]
    assert len(await listed(api, partner="acme", job=made["id"])) == 2
    assert await listed(api, partner="nobody") == []
    assert await listed(api, job=str(uuid4())) == []


async def test_a_job_has_its_next_moment_and_its_replays(api: httpx.AsyncClient, service: Service) -> None:
    job = await add_job(service)
    await add_job(service, "Paused", paused_at=datetime.now(UTC), paused_reason="holiday")
    other = await add_job(service, "Invoices")
    letter = await add_dead_letter(service, job, datetime.now(UTC))
    (await api.post(f"/dead-letters/{letter}/replay")).raise_for_status()
    replay, following = await listed(api, job=str(job))
    assert (replay["job_id"], replay["planned"], replay["state"], replay["origin"]) == (
        str(job),
        True,
        "overdue",
        "manual",
    )
    assert (following["job_id"], following["planned"], following["kind"]) == (str(job), False, "callback")
    assert (following["partner"], following["job_configuration_id"]) == (None, None)
    assert {item["job_id"] for item in await listed(api)} == {str(job), str(other)}
    assert [item["job_id"] for item in await listed(api, state="future", job=str(other))] == [str(other)]


async def test_pages_leave_nothing_out_and_repeat_nothing(
    api: httpx.AsyncClient, acme: dict[str, Any], service: Service
) -> None:
    for _ in range(4):
        await api.post("/job-configurations", json=EVERY_QUARTER)
    for row in await service.execute("SELECT id FROM schedules"):
        for offset in (-20, -10, 2_000):
            await make_due(service, row["id"], offset)
    # Several at the very same moment, where only the id tells them apart.
    await service.execute("UPDATE scheduled_jobs SET run_after = now() - interval '1 s' WHERE due_at < now()")
    seen: list[dict[str, Any]] = []
    asked: dict[str, Any] = {"limit": 3}
    while True:
        page = (await api.get("/scheduled-jobs", params=asked)).json()
        assert len(page["items"]) <= 3
        seen += page["items"]
        if page["next_cursor"] is None:
            break
        asked["cursor"] = page["next_cursor"]
    assert len(seen) == len({item["id"] for item in seen}) == 4 * 3 + 4
    assert [item["run_after"] for item in seen] == sorted(item["run_after"] for item in seen)


@pytest.mark.parametrize("cursor", ["x", "!", "bnVsbA==", "WyJhIiwiYiJd", "eyJhIjoxfQ==", "", "\u00fc", "a" * 501])
async def test_a_bad_cursor_is_named(api: httpx.AsyncClient, cursor: str) -> None:
    for path in ("/scheduled-jobs", "/job-results", "/partners", "/browsers", "/job-configurations"):
        answer = await api.get(path, params={"cursor": cursor})
        code = "invalid_request" if len(cursor) > 500 else "invalid_cursor"
        assert fields(answer, 422, code) == ["cursor"]


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"limit": 0}, "limit"),
        ({"limit": 501}, "limit"),
        ({"limit": "many"}, "limit"),
        ({"state": "late"}, "state"),
        ({"partner": "No Body"}, "partner"),
        ({"job": "5"}, "job"),
        ({"colour": "red"}, "colour"),
    ],
)
async def test_a_bad_filter_is_named(api: httpx.AsyncClient, asked: dict[str, Any], field: str) -> None:
    assert fields(await api.get("/scheduled-jobs", params=asked)) == [field]


@pytest.mark.parametrize("state", ["planned", "dispatched"])
async def test_cancelling_is_recorded(
    api: httpx.AsyncClient, configuration: dict[str, Any], service: Service, state: str
) -> None:
    job = await make_due(service, await schedule_id(service), -5, state)
    result = (await api.post(f"/scheduled-jobs/{job}/cancel")).json()
    assert result["id"] == str(job)
    expected = {"code": "cancelled", "class": "not_run", "success": False, "message": "Cancelled by ops."}
    assert result["outcome"] == expected
    assert (await api.get(f"/job-results/{job}")).json()["outcome"] == expected
    problem(await api.post(f"/scheduled-jobs/{job}/cancel"), 404, "not_found")


async def test_what_runs_is_not_cancelled(
    api: httpx.AsyncClient, configuration: dict[str, Any], service: Service
) -> None:
    job = await make_due(service, await schedule_id(service), -5, "running")
    problem(await api.post(f"/scheduled-jobs/{job}/cancel"), 409, "already_running")


async def test_an_unknown_one_is_not_found(api: httpx.AsyncClient, configuration: dict[str, Any]) -> None:
    problem(await api.post(f"/scheduled-jobs/{uuid4()}/cancel"), 404, "not_found")
