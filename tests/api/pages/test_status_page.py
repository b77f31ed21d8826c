"""The status page, as it is rendered."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from services.api.pages.words import schedule_words
from tests.api.conftest import Service
from tests.api.job_records import HOSTILE, add_job, record_callback, set_job_state
from tests.api.pages.conftest import set_state
from tests.api.records import record


async def test_without_partners_and_jobs_it_tells_how_to_begin(reader: httpx.AsyncClient) -> None:
    text = (await reader.get("/")).text
    assert "No partners yet" in text
    assert "No jobs yet" in text
    assert text.count("curl -X POST") == 3


async def test_it_comes_compressed_to_whoever_takes_that(reader: httpx.AsyncClient) -> None:
    assert (await reader.get("/")).headers["content-encoding"] == "gzip"
    plain = await reader.get("/", headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers


@pytest.mark.parametrize("state", ["working", "degraded", "failing", "unknown"])
async def test_every_state_has_its_word_and_its_icon(
    reader: httpx.AsyncClient, service: Service, configuration: dict[str, Any], state: str
) -> None:
    await set_state(service, state)
    text = (await reader.get("/fragments/status")).text
    cell = text[text.index('id="cell-acme-login-chromium"') :]
    assert f"icon-{state}" in cell
    assert f"<strong>{state.capitalize()}</strong>" in cell
    assert f"1 {state}" in text


async def test_the_last_result_is_told_and_linked(
    reader: httpx.AsyncClient, service: Service, configuration: dict[str, Any]
) -> None:
    now = datetime.now(UTC)
    await record(service, now - timedelta(minutes=15), "success")
    result = await record(service, now - timedelta(minutes=3), "credentials_rejected")
    text = (await reader.get("/")).text
    assert f'href="/results/{result}"' in text
    assert "Credentials rejected" in text
    assert "3 min ago" in text
    assert text.count("<title>20") == 2  # one a bar
    assert 'fill="url(#bar-failed)"' in text


async def test_what_is_ours_does_not_look_like_the_partners_failure(
    reader: httpx.AsyncClient, service: Service, configuration: dict[str, Any]
) -> None:
    await set_state(service, "working")
    await record(service, datetime.now(UTC), "node_lost")
    text = (await reader.get("/fragments/status")).text
    cell = text[text.index('id="cell-acme-login-chromium"') : text.index("</article>")]
    assert "Ours:" in cell
    assert "icon-ours" in cell
    assert "<strong>Working</strong>" in cell
    assert "icon-failing" not in cell
    assert "1 × Node lost in the last hour" in text


async def test_why_a_check_is_paused_is_said(
    reader: httpx.AsyncClient, api: httpx.AsyncClient, configuration: dict[str, Any]
) -> None:
    await api.post(f"/job-configurations/{configuration['id']}/pause", json={"reason": "Moving house"})
    text = (await reader.get("/")).text
    assert "Moving house" in text
    assert "icon-paused" in text


async def test_hostile_names_and_messages_are_only_text(
    reader: httpx.AsyncClient, api: httpx.AsyncClient, service: Service, configuration: dict[str, Any]
) -> None:
    hostile = "</h2><script>alert(1)</script>\"'><img src=x onerror=alert(1)>"
    (await api.patch("/partners/acme", json={"name": hostile, "tags": []})).raise_for_status()
    result = await record(service, datetime.now(UTC), "credentials_rejected")
    await service.execute(
        "UPDATE job_results SET message = :text, checks = jsonb_set(checks, '{0,message}', to_jsonb(:text ::text))",
        text=hostile,
    )
    for path in ("/", "/fragments/status", f"/results/{result}"):
        text = (await reader.get(path)).text
        assert "&lt;script&gt;" in text, path
        assert "<script>alert" not in text, path
        assert "<img src=x" not in text, path


async def test_nothing_comes_from_elsewhere_and_nothing_is_inline(
    reader: httpx.AsyncClient, service: Service, configuration: dict[str, Any]
) -> None:
    result = await record(service, datetime.now(UTC), "success")
    for path in ("/", f"/results/{result}", "/sign-in"):
        page = await reader.get(path)
        assert "default-src 'self'" in page.headers["content-security-policy"]
        assert "unsafe" not in page.headers["content-security-policy"]
        assert " style=" not in page.text
        assert "<script>" not in page.text
        assert 'src="http' not in page.text


async def test_a_job_has_a_cell_with_its_schedule_and_last_outcome(reader: httpx.AsyncClient, service: Service) -> None:
    job = await add_job(service)
    result = await record_callback(service, job, datetime.now(UTC) - timedelta(minutes=3), "callback_rejected")
    await set_job_state(service, job, "failing", result=result, code="callback_rejected", failures=2)
    await add_job(service, "Paused", paused_at=datetime.now(UTC), paused_reason="Moving house")
    text = (await reader.get("/fragments/status")).text
    cell = text[text.index(f'id="cell-job-{job}"') :]
    cell = cell[: cell.index("</a>")]
    for said in ("Nightly export", "0 * * * *", "<strong>Failing</strong>", "Callback rejected", "2 in a row"):
        assert said in cell
    assert f'href="/results/{result}"' in text
    assert "The target’s side)" in cell
    assert "Moving house" in text
    assert "1 paused" in text
    assert "jobs: 1 failing, 1 unknown" in text


async def test_a_failure_of_ours_is_not_the_jobs(reader: httpx.AsyncClient, service: Service) -> None:
    job = await add_job(service)
    await set_job_state(service, job, "working")
    await record_callback(service, job, datetime.now(UTC), "runner_lost")
    text = (await reader.get("/fragments/status")).text
    assert "Not the job’s failure." in text
    assert "icon-failing" not in text[text.index(f'id="cell-job-{job}"') : text.index('class="legend')]


async def test_a_job_with_a_hostile_name_is_only_text(reader: httpx.AsyncClient, service: Service) -> None:
    job = await add_job(service, HOSTILE)
    result = await record_callback(service, job, datetime.now(UTC))
    for path in ("/", f"/results/{result}"):
        text = (await reader.get(path)).text
        assert "&lt;script&gt;" in text, path
        assert "<script>alert" not in text, path


@pytest.mark.parametrize(
    ("timing", "words"),
    [
        (("* * * * *", "UTC", None, False), "every minute"),
        (("* * * * *", "Europe/Berlin", None, False), "every minute"),
        (("30 2 * * *", "UTC", None, False), "30 2 * * *"),
        (("30 2 * * *", "Europe/Berlin", None, False), "30 2 * * *, Europe/Berlin"),
        ((None, "UTC", 90, False), "every 90 s"),
        ((None, "UTC", 900, False), "every 15 min"),
        ((None, "UTC", 86400, False), "every 1 d"),
        ((None, "UTC", 7200, True), "2 h after each run"),
    ],
)
def test_a_schedule_is_said_in_words(timing: tuple[str | None, str, int | None, bool], words: str) -> None:
    assert schedule_words(*timing) == words
