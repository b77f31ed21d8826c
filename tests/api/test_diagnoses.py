"""Whose trouble it is, on the status, of one partner and on a result's page."""

from typing import Any

import httpx

from tests.api.conftest import ACME, EVERY_QUARTER, Service
from tests.api.records import record, record_attempt
from tests.api.test_status import ago, set_state, the_check

BLAMED = "Fails in its only browser since {since} UTC, and there is no other partner to compare with"


async def test_a_failing_check_says_whose_trouble_it_is(
    api: httpx.AsyncClient, configuration: dict[str, Any], service: Service
) -> None:
    await set_state(service, "failing", 2)
    failed = await record(service, ago(5), "connection_refused")
    diagnosis = (await the_check(api))["diagnosis"]
    assert diagnosis["culprit"] == "partner"
    assert diagnosis["sentence"].startswith("Fails in its only browser since ")
    [check] = (await api.get("/partners/acme/status")).json()["checks"]
    assert check["diagnosis"] == diagnosis
    page = await api.get(f"http://localhost/results/{failed}")
    assert diagnosis["sentence"] in page.text
    status = await api.get("http://localhost/")
    assert diagnosis["sentence"] in status.text


async def test_other_partners_are_compared_with_by_their_newest_results_and_nodes(
    api: httpx.AsyncClient, configuration: dict[str, Any], service: Service
) -> None:
    for code in ("globex", "initech", "umbrella"):
        (await api.post("/partners", json={**ACME, "code": code, "name": code.title()})).raise_for_status()
        (await api.post("/job-configurations", json={**EVERY_QUARTER, "partner": code})).raise_for_status()
    for code, outcome in (("acme", "browser_crashed"), ("globex", "browser_crashed"), ("initech", "success")):
        result = await record(service, ago(5), outcome, partner=code)
        await record_attempt(service, result, ago(5), 1, outcome, [])
        node = "http://n1:5555" if outcome != "success" else "http://n2:5555"
        await service.execute("UPDATE attempts SET node = :node WHERE scheduled_job_id = :id", node=node, id=result)
    [check] = (await api.get("/partners/acme/status")).json()["checks"]
    assert check["diagnosis"]["culprit"] == "node"
    assert "2 of 2 checks on the node http://n1:5555" in check["diagnosis"]["sentence"]
    [well] = (await api.get("/partners/initech/status")).json()["checks"]
    assert well["diagnosis"] is None


async def test_trouble_of_ours_is_told_since_it_began_not_since_the_partner_fails(
    api: httpx.AsyncClient, configuration: dict[str, Any], service: Service
) -> None:
    await set_state(service, "failing", 2)
    began = ago(35)
    for due_at, code in ((ago(200), "network_unreachable"), (ago(65), "connection_refused"), (ago(50), "missed")):
        await record(service, due_at, code)
    for due_at in (began, ago(20), ago(5)):
        await record(service, due_at, "network_unreachable")
    sentence = (await the_check(api))["diagnosis"]["sentence"]
    assert f" {began:%H:%M} UTC: it is our network." in sentence


async def test_a_result_that_is_not_the_newest_any_more_has_none(
    api: httpx.AsyncClient, configuration: dict[str, Any], service: Service
) -> None:
    await set_state(service, "failing", 2)
    older = await record(service, ago(50), "connection_refused")
    await record(service, ago(5), "connection_refused")
    page = await api.get(f"http://localhost/results/{older}")
    assert page.status_code == 200
    assert "Fails in its only browser" not in page.text
