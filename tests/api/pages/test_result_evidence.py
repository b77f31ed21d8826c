"""The evidence on the page of one result: pictures beside the steps, the last good page, network and console."""

import json
import shutil
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from services.api.pages.words import file_words
from shared.evidence_store import Place, open_store
from tests.api.conftest import Service
from tests.api.records import record, record_attempt

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
HOSTILE = "<script>alert(1)</script>"
EXCHANGE = {
    "method": "GET",
    "url": f"https://shop.acme.example/login?x={HOSTILE}",
    "type": "Document",
    "status": 200,
    "error": None,
    "ended": True,
    "start_ms": 10.0,
    "dns_ms": 5.0,
    "connect_ms": 20.0,
    "tls_ms": 10.0,
    "wait_ms": 80.0,
    "total_ms": 100.0,
    "bytes": 2048,
    "from_cache": False,
    "remote_address": "203.0.113.7:443",
    "protocol": "h2",
}
FAILED = {**EXCHANGE, "url": "https://cdn.example/app.js", "status": None, "error": "ERR_TIMED_OUT", "start_ms": 110.0}
NETWORK = {"entries": [EXCHANGE, FAILED], "dropped": 3}
CONSOLE = {"entries": [{"level": "error", "source": "script", "text": HOSTILE, "url": "", "at_ms": 5}], "dropped": 0}
FILES = {
    "screenshot.jpg": ("image/jpeg", b"\xff\xd8\xff"),
    "page.html": ("text/html; charset=utf-8", b"<p>"),
    "network.json": ("application/json", json.dumps(NETWORK).encode()),
    "console.json": ("application/json", json.dumps(CONSOLE).encode()),
    "step-01-open.jpg": ("image/jpeg", b"\xff\xd8\xff"),
}


async def failing(service: Service, due_at: datetime = NOON, code: str = "element_missing", **files: Any) -> UUID:
    """A result with its files; `files` replaces the content of some by their first word."""
    result, store = await record(service, due_at, code), open_store(service.settings)
    entries = [{"name": name, "content_type": kind, "bytes": len(content)} for name, (kind, content) in FILES.items()]
    await record_attempt(service, result, due_at, 1, code, entries, step_evidence="step-01-open.jpg")
    for name, (_, content) in FILES.items():
        await store.write(Place.of(result, due_at, 1), name, files.get(name.partition(".")[0], content))
    return result


async def test_a_step_shows_its_picture_and_the_last_page_its_own(reader: httpx.AsyncClient, service: Service) -> None:
    result = await failing(service)
    text = (await reader.get(f"/results/{result}")).text
    base = f"/api/v1/job-results/{result}/evidence"
    assert f'class="thumb" href="{base}/step-01-open.jpg?attempt=1"' in text
    assert text.count(f'<img src="{base}/step-01-open.jpg?attempt=1"') == 1
    assert f'<img class="screenshot" src="{base}/screenshot.jpg?attempt=1"' in text
    assert f'<a href="{base}/page.html?attempt=1">Page source</a>' in text


async def test_the_last_good_page_stands_beside_the_failing_one(reader: httpx.AsyncClient, service: Service) -> None:
    good = await failing(service, NOON - timedelta(hours=1), "success")
    result = await failing(service)
    text = (await reader.get(f"/results/{result}")).text
    assert f'<a href="/results/{good}">When it last worked</a>' in text
    assert f'src="/api/v1/job-results/{good}/evidence/screenshot.jpg?attempt=1"' in text
    assert 'class="pictures pair"' in text
    assert "When it last worked" not in (await reader.get(f"/results/{good}")).text


async def test_the_network_is_a_table_with_bars_and_the_console_a_list(
    reader: httpx.AsyncClient, service: Service
) -> None:
    text = (await reader.get(f"/results/{await failing(service)}")).text
    assert "Network: 2 requests in 210 ms, 1 of them failed" in text
    assert "begins at 10 ms, DNS 5 ms, connection 20 ms, of it TLS 10 ms, answer 80 ms, in all 100 ms, h2" in text
    assert "ERR_TIMED_OUT" in text
    assert "3 more were not kept" in text
    assert '<rect class="connect" x="4.76%" width="11.9%"' in text
    assert "Console: 1 error or warning" in text
    assert "<script>alert" not in text
    assert text.count("&lt;script&gt;alert(1)") == 2


@pytest.mark.parametrize("content", [b"", b"[]", b'{"entries": [{}]}', b"\xff\xfe", b'{"entries": null}'])
async def test_evidence_that_cannot_be_read_does_not_break_the_page(
    reader: httpx.AsyncClient, service: Service, content: bytes
) -> None:
    answer = await reader.get(f"/results/{await failing(service, network=content)}")
    assert answer.status_code == 200
    assert "Network:" not in answer.text


async def test_what_is_no_longer_kept_is_said_and_not_linked(reader: httpx.AsyncClient, service: Service) -> None:
    good = await failing(service, NOON - timedelta(hours=1), "success")
    result = await failing(service)
    await service.execute("UPDATE attempts SET evidence_removed_at = now()")
    text = (await reader.get(f"/results/{result}")).text
    assert "no longer kept, since" in text
    assert "Its screenshot is no longer kept." in text
    assert f'<a href="/results/{good}">When it last worked</a>' in text
    assert "/evidence/" not in text


async def test_a_store_that_is_away_costs_the_page_its_network_only(
    reader: httpx.AsyncClient, service: Service
) -> None:
    result = await failing(service)
    shutil.rmtree(service.settings.evidence_dir)
    service.settings.evidence_dir.write_text("no folder")
    answer = await reader.get(f"/results/{result}")
    assert answer.status_code == 200
    assert "the store of the evidence does not answer" in answer.text


@pytest.mark.parametrize(
    ("name", "words"),
    [("page.html", "Page source"), ("login-network.json", "Network (Log-in)"), ("other.txt", "other.txt")],
)
def test_files_have_names_for_people(name: str, words: str) -> None:
    assert file_words(name) == words
