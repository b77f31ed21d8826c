"""The page of one result."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import httpx
import pytest

from services.api.fields import outcome_view
from services.api.job_results.schemas import StepView
from services.api.pages.result_view import waterfall
from services.api.pages.words import headline
from tests.api.conftest import Service
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


async def test_what_is_not_there_is_a_page_too(reader: httpx.AsyncClient) -> None:
    for path in (f"/results/{uuid4()}", "/results/none"):
        answer = await reader.get(path)
        assert answer.status_code == 404
        assert "Not found" in answer.text
