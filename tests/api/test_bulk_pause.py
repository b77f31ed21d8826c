"""Pausing and resuming all of a partner or a tag."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.api.conftest import ACME, CLI, EVERY_QUARTER, Service, fields, make_due, schedules


@pytest_asyncio.fixture
async def landscape(api: httpx.AsyncClient, acme: dict[str, Any]) -> dict[str, str]:
    """Two partners, of which Acme has the tag `emea`, and a job with the tag and one without."""
    await api.patch("/partners/acme", json={"tags": ["emea"]})
    await api.post("/partners", json={**ACME, "code": "other"})
    ids = {}
    for name, partner in (("acme-1", "acme"), ("acme-2", "acme"), ("other", "other")):
        made = await api.post("/job-configurations", json={**EVERY_QUARTER, "partner": partner})
        ids[name] = made.raise_for_status().json()["id"]
    for name, tags in (("tagged", ["emea", "x"]), ("untagged", [])):
        ids[name] = (await api.post("/jobs", json={**CLI, "tags": tags})).raise_for_status().json()["id"]
    return ids


async def paused(api: httpx.AsyncClient) -> set[str]:
    found = [*(await api.get("/job-configurations")).json()["items"], *(await api.get("/jobs")).json()["items"]]
    return {item["id"] for item in found if item["paused"]}


def ids_of(answer: httpx.Response) -> tuple[set[str], set[str]]:
    assert answer.status_code == 200, answer.text
    document = answer.json()
    return set(document["job_configurations"]), set(document["jobs"])


async def test_all_of_a_partner(api: httpx.AsyncClient, landscape: dict[str, str]) -> None:
    of_acme = {landscape["acme-1"], landscape["acme-2"]}
    body = {"partner": "acme", "reason": "it migrates"}
    assert ids_of(await api.post("/schedules/pause", json=body)) == (of_acme, set())
    assert await paused(api) == of_acme
    view = (await api.get(f"/job-configurations/{landscape['acme-1']}")).json()["paused"]
    assert (view["reason"], view["by"], view["until"]) == ("it migrates", "ops", None)
    assert ids_of(await api.post("/schedules/resume", json={"partner": "acme"})) == (of_acme, set())
    assert await paused(api) == set()


async def test_all_with_a_tag(api: httpx.AsyncClient, landscape: dict[str, str], service: Service) -> None:
    jobs, configurations = {landscape["tagged"]}, {landscape["acme-1"], landscape["acme-2"]}
    for row in await schedules(service):
        await make_due(service, row["id"], -5)
        await make_due(service, row["id"], 300)
    until = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    body = {"tag": "emea", "reason": "release", "until": until}
    assert ids_of(await api.post("/schedules/pause", json=body)) == (configurations, jobs)
    assert await paused(api) == configurations | jobs
    cancelled = await service.execute("SELECT outcome_code, message FROM job_results")
    assert {(row["outcome_code"], row["message"]) for row in cancelled} == {("cancelled", "Paused by ops: release")}
    assert len(cancelled) == 3
    assert len(await service.execute("SELECT id FROM scheduled_jobs")) == 4
    assert sum(row["never"] for row in await schedules(service)) == 3


async def test_resuming_names_those_that_were_paused(api: httpx.AsyncClient, landscape: dict[str, str]) -> None:
    await api.post(f"/jobs/{landscape['tagged']}/pause", json={"reason": "x"})
    assert ids_of(await api.post("/schedules/resume", json={"tag": "emea"})) == (set(), {landscape["tagged"]})
    assert ids_of(await api.post("/schedules/resume", json={"tag": "emea"})) == (set(), set())


async def test_a_tag_that_nobody_has_is_refused(api: httpx.AsyncClient, landscape: dict[str, str]) -> None:
    assert fields(await api.post("/schedules/pause", json={"tag": "apac", "reason": "x"})) == ["tag"]


async def test_an_inactive_partner_stays_stopped_after_it_is_resumed(
    api: httpx.AsyncClient, landscape: dict[str, str], service: Service
) -> None:
    await api.post("/schedules/pause", json={"partner": "acme", "reason": "x"})
    await api.patch("/partners/acme", json={"active": False})
    await api.post("/schedules/resume", json={"partner": "acme"})
    assert {row["never"] for row in await schedules(service) if row["partner"] == "acme"} == {True}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "body"),
        ({"partner": "acme", "tag": "emea"}, "body"),
        ({"partner": "nobody"}, "partner"),
        ({"partner": "No Body"}, "partner"),
        ({"partner": "nul\0"}, "partner"),
        ({"tag": ""}, "tag"),
        ({"tag": "nul\0"}, "tag"),
        ({"tag": 5}, "tag"),
        ({"tag": "x" * 51}, "tag"),
        ({"tag": "emea", "colour": "red"}, "colour"),
    ],
)
async def test_a_choice_that_can_not_be_is_refused(
    api: httpx.AsyncClient, acme: dict[str, Any], body: dict[str, Any], field: str
) -> None:
    assert fields(await api.post("/schedules/pause", json={**body, "reason": "x"})) == [field]
    assert fields(await api.post("/schedules/resume", json=body)) == [field]


@pytest.mark.parametrize(
    ("change", "field"),
    [({"reason": ""}, "reason"), ({"reason": None}, "reason"), ({"until": "2020-01-01T00:00:00Z"}, "until")],
)
async def test_a_pause_that_can_not_be_is_refused(
    api: httpx.AsyncClient, landscape: dict[str, str], change: dict[str, Any], field: str
) -> None:
    assert fields(await api.post("/schedules/pause", json={"tag": "emea", "reason": "x", **change})) == [field]
    assert await paused(api) == set()


async def test_it_needs_a_key_that_may_write(api: httpx.AsyncClient, service: Service) -> None:
    async with service.client(await service.key("runner", "run")) as runner:
        for path, body in (("pause", {"tag": "a", "reason": "x"}), ("resume", {"tag": "a"})):
            assert (await runner.post(f"/api/v1/schedules/{path}", json=body)).status_code == 403
