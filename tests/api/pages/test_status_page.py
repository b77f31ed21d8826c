"""The status page, as it is rendered."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.api.conftest import Service
from tests.api.pages.conftest import set_state
from tests.api.records import record


async def test_without_partners_it_tells_how_to_begin(reader: httpx.AsyncClient) -> None:
    text = (await reader.get("/")).text
    assert "No partners yet" in text
    assert text.count("curl -X POST") == 2


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
