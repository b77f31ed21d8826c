"""The status of everything."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import event

from services.api.status.queries import read_status
from tests.api.conftest import ACME, EVERY_QUARTER, Service, make_due, schedules
from tests.api.job_records import add_job, record_callback, set_job_state
from tests.api.records import record

NOW = datetime.now(UTC).replace(microsecond=0)


def ago(minutes: int) -> datetime:
    return NOW - timedelta(minutes=minutes)


async def set_state(service: Service, state: str, failures: int = 0, partner: str = "acme") -> None:
    await service.execute(
        'INSERT INTO check_states (partner, browser, "check", state, since, failures_in_a_row, passes_in_a_row)'
        " VALUES (:partner, 'chromium', 'login', :state, now(), :failures, 0)",
        partner=partner,
        state=state,
        failures=failures,
    )


async def replica(service: Service, kind: str, seconds_ago: float = 0, report: str = "{}") -> None:
    await service.execute(
        "INSERT INTO replicas (id, kind, renewed_at, report)"
        " VALUES (:id, :kind, clock_timestamp() - CAST(:ago AS float) * interval '1 s', CAST(:report AS jsonb))",
        id=uuid4(),
        kind=kind,
        ago=seconds_ago,
        report=report,
    )


async def the_check(api: httpx.AsyncClient) -> dict[str, Any]:
    [partner] = (await api.get("/status")).json()["partners"]
    [check] = partner["checks"]
    found: dict[str, Any] = check
    return found


async def test_a_check_that_never_ran_is_unknown(api: httpx.AsyncClient, configuration: dict[str, Any]) -> None:
    check = await the_check(api)
    next_due = check.pop("next_due")
    assert next_due.endswith("Z")
    assert check == {
        "browser": "chromium",
        "icon": "chromium",
        "check": "login",
        "state": "unknown",
        "since": None,
        "failures_in_a_row": 0,
        "diagnosis": None,
        "last_result": None,
        "job_configuration_ids": [configuration["id"]],
        "paused": False,
        "paused_reason": None,
        "paused_until": None,
        "recent": [],
    }


async def test_the_last_results_of_a_check_are_its_own(
    api: httpx.AsyncClient, configuration: dict[str, Any], service: Service
) -> None:
    await set_state(service, "failing", 2)
    for minute in range(40, 5, -1):
        await record(service, ago(minute), "success")
    failed = await record(service, ago(5), "credentials_rejected")
    missed = await record(service, ago(4), "missed", configuration=configuration["id"])
    await record(service, ago(3), "missed", configuration=str(uuid4()))
    await record(service, ago(2), "success", browser="firefox")
    check = await the_check(api)
    assert (check["state"], check["failures_in_a_row"]) == ("failing", 2)
    assert len(check["recent"]) == 30
    assert [bar["id"] for bar in check["recent"][:2]] == [str(missed), str(failed)]
    assert check["recent"][1] == {
        "id": str(failed),
        "due_at": ago(5).isoformat().replace("+00:00", "Z"),
        "class": "partner_failure",
        "code": "credentials_rejected",
        "duration_seconds": 1.5,
    }
    # What did not run says nothing, so the last result is the one before.
    assert check["last_result"]["id"] == str(failed)
    assert check["last_result"]["outcome"]["code"] == "credentials_rejected"


async def test_a_pause_is_shown_with_its_reason(api: httpx.AsyncClient, configuration: dict[str, Any]) -> None:
    await api.post(f"/job-configurations/{configuration['id']}/pause", json={"reason": "holiday"})
    status = (await api.get("/status")).json()
    [check] = status["partners"][0]["checks"]
    assert (check["paused"], check["paused_reason"], check["next_due"]) == (True, "holiday", None)
    assert status["totals"]["paused"] == 1


async def test_two_job_configurations_of_one_pairing_are_one_check(
    api: httpx.AsyncClient, configuration: dict[str, Any]
) -> None:
    second = (await api.post("/job-configurations", json=EVERY_QUARTER)).json()
    await api.post(f"/job-configurations/{second['id']}/pause", json={"reason": "holiday"})
    check = await the_check(api)
    assert check["job_configuration_ids"] == [configuration["id"], second["id"]]
    assert check["paused"] is False
    assert check["next_due"] is not None


async def test_a_partner_is_as_bad_as_its_worst_check(
    api: httpx.AsyncClient, acme: dict[str, Any], service: Service
) -> None:
    await api.post("/job-configurations", json={**EVERY_QUARTER, "browsers": ["chromium", "firefox"]})
    await api.post("/partners", json={**ACME, "code": "quiet"})
    await set_state(service, "working")
    status = (await api.get("/status")).json()
    assert [(partner["code"], partner["state"]) for partner in status["partners"]] == [
        ("acme", "unknown"),
        ("quiet", "unknown"),
    ]
    assert status["totals"] == {
        "partners": 2,
        "checks": 2,
        "working": 1,
        "degraded": 0,
        "failing": 0,
        "unknown": 1,
        "paused": 0,
    }
    one = (await api.get("/partners/acme/status")).json()
    assert one == status["partners"][0]


async def test_infrastructure_is_failing_without_a_scheduler_or_a_runner(
    api: httpx.AsyncClient, service: Service
) -> None:
    await replica(service, "runner")
    await replica(service, "scheduler", seconds_ago=4)
    summary = (await api.get("/status")).json()["infrastructure"]
    assert (summary["state"], summary["schedulers_alive"], summary["runners_alive"]) == ("failing", 0, 1)
    await replica(service, "scheduler")
    assert (await api.get("/status")).json()["infrastructure"]["state"] == "working"


async def test_infrastructure_is_failing_when_something_is_long_overdue(
    api: httpx.AsyncClient, configuration: dict[str, Any], service: Service
) -> None:
    await replica(service, "runner")
    await replica(service, "scheduler")
    [schedule] = await schedules(service)
    await make_due(service, schedule["id"], -31)
    summary = (await api.get("/status")).json()["infrastructure"]
    assert (summary["state"], summary["overdue"]) == ("failing", 1)


@pytest.mark.parametrize("partners", [1, 6])
async def test_the_number_of_queries_does_not_grow_with_the_partners(
    api: httpx.AsyncClient, acme: dict[str, Any], service: Service, partners: int
) -> None:
    for number in range(partners):
        code = f"p{number}"
        await api.post("/partners", json={**ACME, "code": code})
        await api.post("/job-configurations", json={**EVERY_QUARTER, "partner": code})
        await record(service, ago(1), "success", partner=code)
    statements: list[str] = []
    engine = service.engine.sync_engine
    event.listen(engine, "before_cursor_execute", lambda *call: statements.append(call[2]))
    async with service.resources.sessions() as session:
        view = await read_status(session)
    assert sum(len(check.recent) for partner in view.partners for check in partner.checks) == partners
    assert len(statements) <= 8


async def test_a_job_is_shown_with_its_state_and_results(api: httpx.AsyncClient, service: Service) -> None:
    job = await add_job(service)
    for minute in range(35, 1, -1):
        await record_callback(service, job, ago(minute))
    failed = await record_callback(service, job, ago(1), "callback_rejected")
    await set_job_state(service, job, "failing", result=failed, code="callback_rejected", failures=2)
    jobs = (await api.get("/status")).json()["jobs"]
    assert jobs["totals"] == {"jobs": 1, "working": 0, "degraded": 0, "failing": 1, "unknown": 0, "paused": 0}
    [item] = jobs["items"]
    since, next_due, recent = item.pop("since"), item.pop("next_due"), item.pop("recent")
    assert since.endswith("Z")
    assert next_due.endswith("Z")
    assert len(recent) == 30
    assert (recent[0]["id"], recent[0]["class"]) == (str(failed), "partner_failure")
    assert item == {
        "id": str(job),
        "name": "Nightly export",
        "state": "failing",
        "failures_in_a_row": 2,
        "last_result": {
            "id": str(failed),
            "outcome": {"code": "callback_rejected", "class": "partner_failure", "success": False, "message": "m"},
            "duration_seconds": 0.2,
        },
        "timing": {"cron": "0 * * * *", "timezone": "UTC", "interval_seconds": None, "fixed_delay": False},
        "paused": None,
    }


async def test_a_job_that_never_ran_is_unknown_and_a_pause_is_shown(api: httpx.AsyncClient, service: Service) -> None:
    await add_job(service, paused_at=NOW, paused_reason="holiday", paused_until=NOW + timedelta(days=1))
    jobs = (await api.get("/status")).json()["jobs"]
    [item] = jobs["items"]
    until = (NOW + timedelta(days=1)).isoformat().replace("+00:00", "Z")
    assert (item["state"], item["last_result"], item["next_due"]) == ("unknown", None, None)
    assert item["paused"] == {"reason": "holiday", "until": until}
    assert (jobs["totals"]["unknown"], jobs["totals"]["paused"]) == (1, 1)


async def test_jobs_that_do_not_work_come_first_and_then_the_newest(api: httpx.AsyncClient, service: Service) -> None:
    for name, state in (("a", "degraded"), ("b", "failing"), ("c", "working"), ("d", None), ("e", "unknown")):
        job = await add_job(service, name)
        if state is not None:
            await set_job_state(service, job, state)
    await service.execute(
        """
        WITH made AS (
            INSERT INTO jobs (id, name, schedule, callback_url, http_method, success, max_redirects, timeout_seconds,
                retry, overlap, catch_up, start_deadline_seconds, jitter_seconds, failing_after, working_after,
                priority, created_at)
            SELECT gen_random_uuid(), 'old', jobs.schedule, callback_url, http_method, success, max_redirects,
                timeout_seconds, retry, overlap, catch_up, start_deadline_seconds, jitter_seconds, failing_after,
                working_after, priority, now() - interval '1 day'
            FROM jobs, generate_series(1, 200) WHERE name = 'c' RETURNING id
        )
        INSERT INTO schedules (id, kind, shard, next_due, interval_seconds, timezone, jitter_seconds, overlap, catch_up,
            start_deadline_seconds, priority, lane, job_id)
        SELECT id, 'callback', 0, now(), 60, 'UTC', 0, 'skip', 'latest', 60, 1, 'http', id FROM made
        """
    )
    jobs = (await api.get("/status")).json()["jobs"]
    assert [item["name"] for item in jobs["items"]][:6] == ["b", "a", "e", "d", "c", "old"]
    assert (len(jobs["items"]), jobs["totals"]["jobs"]) == (200, 205)
