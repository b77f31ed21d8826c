"""Liveness, readiness and metrics."""

from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families

from services.api.settings import ApiSettings
from tests.api.conftest import Service, Starter, fields, problem
from tests.api.job_records import add_dead_letter, add_job, set_job_state
from tests.api.records import record
from tests.api.test_status import ago, replica, set_state


async def test_it_lives_whatever_its_database_does(settings: ApiSettings, start: Starter) -> None:
    service = await start(
        settings.model_copy(update={"database_url": "postgresql+asyncpg://parakeet:hunter2@127.0.0.1:9/x"})
    )
    async with service.client() as client:
        assert (await client.get("/healthz")).json() == {"status": "ok"}
        assert fields(await client.get("/readyz"), 503, "dependency_unavailable") == ["database"]
        problem(await client.get("/api/v1/status"), 503, "dependency_unavailable")


async def test_it_is_ready_when_everything_answers(settings: ApiSettings, start: Starter, redis_url: str) -> None:
    service = await start(settings.model_copy(update={"redis_url": redis_url}))
    async with service.client() as client:
        assert (await client.get("/readyz")).json() == {"status": "ready", "checked": ["database", "redis"]}


async def test_it_names_what_does_not_answer(settings: ApiSettings, start: Starter) -> None:
    nobody = {"redis_url": "redis://:hunter2@127.0.0.1:9", "amqp_url": "amqp://guest:hunter2@127.0.0.1:9/"}
    service = await start(settings.model_copy(update=nobody))
    async with service.client() as client:
        answer = await client.get("/readyz")
        assert fields(answer, 503, "dependency_unavailable") == ["rabbitmq", "redis"]
        assert "hunter2" not in answer.text


def samples(text: str) -> dict[tuple[object, ...], float]:
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_the_metrics_can_be_read(api: httpx.AsyncClient, configuration: dict[str, Any], service: Service) -> None:
    await set_state(service, "failing")
    await record(service, ago(1), "credentials_rejected")
    await replica(service, "scheduler", report='{"lateness_p99_ms": 7.0}')
    await api.get("/partners/acme")
    await api.get("http://localhost/no/such/path")
    answer = await api.get("http://localhost/metrics")
    assert answer.status_code == 200
    found = samples(answer.text)
    outcome = (("class", "partner_failure"), ("code", "credentials_rejected"))
    assert found[("parakeet_job_results_last_hour", *outcome)] == 1
    state = (("browser", "chromium"), ("check", "login"), ("partner", "acme"), ("state", "failing"))
    assert found[("parakeet_check_state", *state)] == 1
    assert found[("parakeet_replicas_alive", ("kind", "scheduler"))] == 1
    lateness = [value for name, value in found.items() if name[0] == "parakeet_scheduler_lateness_p99_seconds"]
    assert lateness == [0.007]
    read = (("method", "GET"), ("route", "/api/v1/partners/{code}"), ("status", "200"))
    assert found[("parakeet_api_requests_total", *read)] == 1
    unknown = (("method", "GET"), ("route", "unknown"), ("status", "404"))
    assert found[("parakeet_api_requests_total", *unknown)] == 1


async def test_jobs_and_what_was_not_run_are_counted(api: httpx.AsyncClient, service: Service) -> None:
    job = await add_job(service)
    await add_job(service, "Never ran")
    await set_job_state(service, job, "failing")
    settled = await add_dead_letter(service, job, ago(2))
    await add_dead_letter(service, job, ago(1))
    (await api.post(f"/dead-letters/{settled}/replay")).raise_for_status()
    await replica(service, "scheduler", report='{"not_run": {"missed": 3, "skipped_overlap": 0}}')
    await replica(service, "scheduler", report='{"lateness_p99_ms": 1.0}')
    found = samples((await api.get("http://localhost/metrics")).text)
    states = {state: found[("parakeet_job_state", ("state", state))] for state in ("working", "failing", "unknown")}
    assert states == {"working": 0, "failing": 1, "unknown": 1}
    assert found[("parakeet_dead_letters",)] == 1
    assert (not_run(found, "missed"), not_run(found, "skipped_overlap")) == (3, 0)


def not_run(found: dict[tuple[object, ...], float], code: str) -> float:
    """The sum over the replicas that counted it."""
    name = "parakeet_moments_not_run_total"
    return sum(value for key, value in found.items() if key[0] == name and ("code", code) in key)


async def test_what_is_cancelled_is_counted(api: httpx.AsyncClient, service: Service) -> None:
    """From wherever the count stands: it is the process's, and other tests cancel too."""
    before = not_run(samples((await api.get("http://localhost/metrics")).text), "cancelled")
    job = await add_job(service)
    (made,) = (await api.post(f"/jobs/{job}/run")).json()["scheduled_jobs"]
    (await api.post(f"/scheduled-jobs/{made['id']}/cancel")).raise_for_status()
    assert not_run(samples((await api.get("http://localhost/metrics")).text), "cancelled") == before + 1
