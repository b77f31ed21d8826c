"""Browsers."""

from typing import Any

import httpx
import pytest

from tests.api.conftest import CHROMIUM, Service, fields, problem


async def test_a_browser_is_read_as_it_was_sent(api: httpx.AsyncClient) -> None:
    capabilities = {"browserName": "chrome", "goog:chromeOptions": {"args": ["--lang=de"], "depth": [1, 2.5, None]}}
    made = await api.post("/browsers", json={**CHROMIUM, "capabilities": capabilities})
    assert made.status_code == 201
    assert made.headers["location"] == "/api/v1/browsers/chromium"
    assert (await api.get("/browsers/chromium")).json() == made.json()
    assert made.json()["capabilities"] == capabilities
    assert (await api.get("/browsers")).json() == {"items": [made.json()], "next_cursor": None}


async def test_a_name_is_taken_once(api: httpx.AsyncClient, acme: dict[str, Any]) -> None:
    assert fields(await api.post("/browsers", json=CHROMIUM), 409, "already_exists") == ["name"]


def nested(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(levels):
        value = {"a": value}
    return value


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"colour": "red"}, "colour"),
        ({"name": "Chromium"}, "name"),
        ({"icon": "../x"}, "icon"),
        ({"enabled": 1}, "enabled"),
        ({"capabilities": {}}, "capabilities"),
        ({"capabilities": {"browserName": 5}}, "capabilities"),
        ({"capabilities": {"browserName": "chrome", "a": "nul\0"}}, "capabilities"),
        ({"capabilities": {"browserName": "chrome", "a\0": 1}}, "capabilities"),
        ({"capabilities": {"browserName": "chrome", "a": 2**64}}, "capabilities"),
        ({"capabilities": {"browserName": "chrome", "a": nested(30)}}, "capabilities"),
    ],
)
async def test_what_can_not_be_is_refused(api: httpx.AsyncClient, change: dict[str, Any], field: str) -> None:
    assert fields(await api.post("/browsers", json={**CHROMIUM, **change})) == [field]


@pytest.mark.parametrize(
    ("capability", "told"),
    [
        ({"goog:chromeOptions": "x"}, "`goog:chromeOptions` must be an object"),
        ({"moz:firefoxOptions": []}, "`moz:firefoxOptions` must be an object"),
        ({"goog:chromeOptions": {"args": "--lang=de"}}, "`args` of `goog:chromeOptions` must be a list"),
        ({"pageLoadStrategy": "none"}, "`pageLoadStrategy` must be normal or eager"),
    ],
)
async def test_a_capability_that_no_check_can_use_is_refused(
    api: httpx.AsyncClient, capability: dict[str, Any], told: str
) -> None:
    answer = await api.post("/browsers", json={**CHROMIUM, "capabilities": {"browserName": "chrome", **capability}})
    assert fields(answer) == ["capabilities"]
    assert told in answer.json()["errors"][0]["message"]


async def test_a_patch_nested_without_end_is_refused(api: httpx.AsyncClient, acme: dict[str, Any]) -> None:
    assert fields(await api.patch("/browsers/chromium", json={"capabilities": nested(30)})) == ["body"]
    deep = '{"capabilities":' * 5_000 + "1" + "}" * 5_000
    answer = await api.patch("/browsers/chromium", content=deep, headers={"Content-Type": "application/json"})
    assert fields(answer) == ["body"]


async def test_a_name_never_changes(api: httpx.AsyncClient, acme: dict[str, Any]) -> None:
    assert fields(await api.patch("/browsers/chromium", json={"name": "edge"})) == ["name"]


async def test_disabling_a_browser_stops_the_schedules_in_it_alone(
    api: httpx.AsyncClient, acme: dict[str, Any], service: Service
) -> None:
    both = {"partner": "acme", "browsers": ["chromium", "firefox"], "schedule": {"cron": "@hourly"}}
    (await api.post("/job-configurations", json=both)).raise_for_status()
    assert (await api.patch("/browsers/chromium", json={"enabled": False})).json()["enabled"] is False
    never = "SELECT browser FROM schedules WHERE next_due = 'infinity'"
    assert [row["browser"] for row in await service.execute(never)] == ["chromium"]
    await api.patch("/browsers/chromium", json={"enabled": True})
    assert await service.execute(never) == []


async def test_a_browser_in_use_is_not_deleted(api: httpx.AsyncClient, configuration: dict[str, Any]) -> None:
    problem(await api.delete("/browsers/chromium"), 409, "in_use")
    assert (await api.delete("/browsers/firefox")).status_code == 204
    problem(await api.get("/browsers/firefox"), 404, "not_found")
