"""What contradicts itself, or would do nothing, is refused and named, and not passed over."""

from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.api.conftest import CLI, EVERY_QUARTER, Service, fields

LATER, EARLIER = "2026-11-20T12:00:01Z", "2026-11-20T12:00:00Z"


@pytest.mark.parametrize("path", ["/dead-letters", "/job-results"])
async def test_a_range_that_ends_before_it_begins_is_refused(api: httpx.AsyncClient, path: str) -> None:
    assert fields(await api.get(path, params={"since": LATER, "until": EARLIER})) == ["until"]
    assert (await api.get(path, params={"since": EARLIER, "until": EARLIER})).status_code == 200


async def test_so_is_that_of_a_bulk_replay(api: httpx.AsyncClient) -> None:
    sent = {"job": str(uuid4()), "since": LATER, "until": EARLIER}
    assert fields(await api.post("/dead-letters/replay", json=sent)) == ["until"]


@pytest.mark.parametrize("until", [1900000000, 1900000000.5, "1900000000"])
async def test_a_moment_is_no_number(api: httpx.AsyncClient, job: dict[str, Any], until: object) -> None:
    sent = {"reason": "holiday", "until": until}
    assert fields(await api.post(f"/jobs/{job['id']}/pause", json=sent)) == ["until"]


@pytest.mark.parametrize("action", ["pause", "resume"])
async def test_a_tag_that_nothing_has_is_refused(api: httpx.AsyncClient, service: Service, action: str) -> None:
    sent = {"tag": "typo", **({"reason": "holiday"} if action == "pause" else {})}
    assert fields(await api.post(f"/schedules/{action}", json=sent)) == ["tag"]
    (await api.post("/jobs", json={**CLI, "tags": ["typo"]})).raise_for_status()
    assert (await api.post(f"/schedules/{action}", json=sent)).status_code == 200


async def test_a_tag_of_a_partner_without_job_configurations_is_known(
    api: httpx.AsyncClient, acme: dict[str, Any]
) -> None:
    (await api.patch("/partners/acme", json={"tags": ["emea"]})).raise_for_status()
    answer = await api.post("/schedules/pause", json={"tag": "emea", "reason": "holiday"})
    assert (answer.status_code, answer.json()) == (200, {"job_configurations": [], "jobs": []})


@pytest.mark.parametrize("action", ["run", "resume"])
async def test_what_takes_no_body_takes_no_unknown_one(
    api: httpx.AsyncClient, configuration: dict[str, Any], job: dict[str, Any], action: str
) -> None:
    for path in (f"/jobs/{job['id']}/{action}", f"/job-configurations/{configuration['id']}/{action}"):
        assert fields(await api.post(path, json={"x": 1})) == ["x"]
        assert (await api.post(path, json={})).is_success
        assert (await api.post(path)).is_success


@pytest.mark.parametrize(
    ("schedule", "field"),
    [
        ({"interval_seconds": 900, "timezone": "Europe/Berlin"}, "schedule.timezone"),
        ({"cron": "0 * * * *", "interval_mode": "fixed_rate"}, "schedule.interval_mode"),
        ({"cron": "0 * * * *", "interval_mode": "fixed_delay"}, "schedule.interval_mode"),
    ],
)
async def test_a_schedule_is_of_one_kind(
    api: httpx.AsyncClient, acme: dict[str, Any], schedule: dict[str, Any], field: str
) -> None:
    assert fields(await api.post("/job-configurations", json={**EVERY_QUARTER, "schedule": schedule})) == [field]


async def test_a_patch_to_the_other_kind_need_not_take_away_what_goes_with_the_first(
    api: httpx.AsyncClient, configuration: dict[str, Any]
) -> None:
    path = f"/job-configurations/{configuration['id']}"
    for schedule in (
        {"cron": "0 * * * *", "timezone": "Europe/Berlin", "interval_seconds": None},
        {"cron": None, "interval_seconds": 600},
    ):
        (await api.patch(path, json={"schedule": schedule})).raise_for_status()
    assert (await api.get(path)).json()["schedule"]["interval_seconds"] == 600
