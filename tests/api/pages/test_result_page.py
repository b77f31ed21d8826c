"""The page of one result."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import httpx
import pytest

from services.api.fields import outcome_view
from services.api.job_results.schemas import StepView
from services.api.pages.result_view import waterfall
from services.api.pages.words import headline, job_headline
from tests.api.conftest import Service
from tests.api.job_records import HOSTILE, add_dead_letter, add_job, record_callback, record_response
from tests.api.records import record, record_attempt

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("success", "Log-in at X in chromium works."),
        (
            "credentials_rejected",
            "The partner’s side: log-in at X in chromium failed, because the site refused the user name or password.",
        ),
        (
            "out_of_resources",
            (
                "Our infrastructure: log-in at X in chromium could not be checked, "
                "because memory, disk or processes ran out on our side."
            ),
        ),
        ("cancelled", "Log-in at X in chromium was not run: it was cancelled before it ran."),
    ],
)
def test_the_headline_says_what_where_and_whose(code: str, sentence: str) -> None:
    assert headline(outcome_view(code, None), "Log-in", "X", "chromium") == sentence


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("success", "The job X works."),
        ("slow", "The job X works, but slowly."),
        (
            "callback_rejected",
            "The target’s side: the job X failed, because the callback was not accepted, or not sent there.",
        ),
        (
            "runner_lost",
            "Our infrastructure: the job X could not be run, because the runner that ran the check went away.",
        ),
        ("cancelled", "The job X was not run: it was cancelled before it ran."),
    ],
)
def test_the_headline_of_a_callback_names_the_job(code: str, sentence: str) -> None:
    assert job_headline(outcome_view(code, None), "X") == sentence


def test_a_step_without_a_moment_follows_the_one_before() -> None:
    first = StepView.model_validate({"name": "open", "offset_seconds": 1, "duration_seconds": 1})
    bars = waterfall([first, StepView(name="fill")], 4)
    assert [(bar.start, bar.offset_seconds) for bar in bars] == [(25, 1), (50, 2)]
    assert bars[0].width == 25


async def test_it_shows_every_attempt_and_its_neighbours(reader: httpx.AsyncClient, service: Service) -> None:
    before = await record(service, NOON - timedelta(minutes=1), "success")
    result = await record(service, NOON, "credentials_rejected", attempts=2)
    after = await record(service, NOON + timedelta(minutes=1), "success")
    await record(service, NOON + timedelta(seconds=1), "success", browser="firefox")
    await record_attempt(service, result, NOON, 1, "node_lost", [])
    await record_attempt(service, result, NOON, 2, "credentials_rejected", [])
    text = (await reader.get(f"/results/{result}")).text
    assert f'href="/results/{before}" rel="prev"' in text
    assert f'href="/results/{after}" rel="next"' in text
    assert "Attempt 2, which decided" in text
    assert "Attempt 1: Node lost" in text
    assert "Console errors (1)" in text
    assert 'class="waterfall"' in text


async def test_what_a_check_warns_of_is_shown(reader: httpx.AsyncClient, service: Service) -> None:
    result = await record(service, NOON, "success")
    await record_attempt(service, result, NOON, 1, "success", [])
    warned = """UPDATE attempts SET checks = jsonb_set(checks, '{0,warnings}', '["2. click: drift <b>."]')"""
    await service.execute(warned)
    assert "2. click: drift &lt;b&gt;.</p>" in (await reader.get(f"/results/{result}")).text


async def test_a_callback_shows_what_was_sent_where_and_the_answer(reader: httpx.AsyncClient, service: Service) -> None:
    job, other = await add_job(service), await add_job(service, "Invoices")
    before = await record_callback(service, job, NOON - timedelta(minutes=1))
    result = await record_callback(service, job, NOON, "callback_rejected")
    await record_callback(service, other, NOON + timedelta(seconds=1))
    after = await record_callback(service, job, NOON + timedelta(minutes=1))
    await record_response(service, result, NOON, truncated=True, bytes=20_480, redirects=["https://a.example/"])
    text = (await reader.get(f"/results/{result}")).text
    for said in ("Nightly export", "<code>POST</code> hooks.example<", "HTTP 422", "after 1 redirect<", "of 20.0 KB"):
        assert said in text, said
    assert f'href="/results/{before}" rel="prev"' in text
    assert f'href="/results/{after}" rel="next"' in text
    assert "hunter2" not in text
    assert "Browser version" not in text


async def test_an_answer_is_only_text(reader: httpx.AsyncClient, service: Service) -> None:
    result = await record_callback(service, await add_job(service), NOON, "callback_rejected")
    hostile = "</pre><script>alert(1)</script><img src=x onerror=alert(1)>{{ 7 * 7 }}"
    await record_response(service, result, NOON, body=hostile, headers={HOSTILE: HOSTILE})
    text = (await reader.get(f"/results/{result}")).text
    assert (
        "&lt;/pre&gt;&lt;script&gt;alert(1)&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;{{ 7 * 7 }}</pre>" in text
    )
    assert text.count("&lt;script&gt;alert(1)") == 3
    assert "<script>alert" not in text
    assert "<img src=x" not in text


async def test_nobodys_answer_and_an_empty_one_are_told_apart(reader: httpx.AsyncClient, service: Service) -> None:
    silent, empty = [await record_callback(service, await add_job(service), NOON) for _ in range(2)]
    await record_attempt(service, silent, NOON, 1, "connection_refused", [])
    await record_response(service, empty, NOON, status=204, body="", headers={})
    assert "Nobody answered" in (await reader.get(f"/results/{silent}")).text
    text = (await reader.get(f"/results/{empty}")).text
    assert "HTTP 204" in text
    assert "Without a body." in text


async def test_a_replay_and_what_it_repeats_lead_to_each_other(
    reader: httpx.AsyncClient, api: httpx.AsyncClient, service: Service
) -> None:
    job = await add_job(service)
    failed = await record_callback(service, job, NOON, "callback_rejected")
    await add_dead_letter(service, job, NOON, result=failed)
    path = f"/results/{failed}"
    assert "It was not replayed." in (await reader.get(path)).text
    (await api.post(f"/dead-letters/{failed}/replay")).raise_for_status()
    assert "Its replay has not ended yet." in (await reader.get(path)).text
    replay = await record_callback(service, job, NOON + timedelta(hours=1), replay_of=failed)
    await service.execute("UPDATE dead_letters SET replay_id = :id", id=replay)
    assert f'<a href="/results/{replay}">replayed as this result</a>' in (await reader.get(path)).text
    assert f'Replay of <a href="/results/{failed}">' in (await reader.get(f"/results/{replay}")).text


async def test_the_result_of_a_job_that_was_deleted_stays(reader: httpx.AsyncClient, service: Service) -> None:
    result = await record_callback(service, await add_job(service), NOON)
    await service.execute("DELETE FROM schedules")
    await service.execute("DELETE FROM jobs")
    assert "The job that was deleted works." in (await reader.get(f"/results/{result}")).text


async def test_what_is_not_there_is_a_page_too(reader: httpx.AsyncClient) -> None:
    for path in (f"/results/{uuid4()}", "/results/none"):
        answer = await reader.get(path)
        assert answer.status_code == 404
        assert "Not found" in answer.text
