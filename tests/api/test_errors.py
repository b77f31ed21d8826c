"""Every error is a problem document."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from asyncpg import DeadlockDetectedError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from services.api.body_limit import MAX_BODY_BYTES
from services.api.outcome_types import routes as outcome_types
from tests.api.conftest import ACME, Service, fields, problem

JSON = {"Content-Type": "application/json"}


async def test_an_unknown_path_is_a_problem(api: httpx.AsyncClient) -> None:
    for path in ("/nothing", "/partners/acme/nothing", "/"):
        problem(await api.get(path), 404, "not_found")


async def test_an_unknown_method_is_a_problem_that_names_the_known(api: httpx.AsyncClient) -> None:
    answer = await api.put("/status", json={})
    problem(answer, 405, "method_not_allowed")
    assert "GET" in answer.headers["allow"]


@pytest.mark.parametrize("body", [b"{", b"", b"{'code': 1}", b"\xff\xfe", b"[" * 100_000, b'{"a":1}{"b":2}'])
async def test_malformed_json_is_a_problem(api: httpx.AsyncClient, body: bytes) -> None:
    assert fields(await api.post("/partners", content=body, headers=JSON)) == ["body"]


@pytest.mark.parametrize("body", [[], "text", 5, None, True])
async def test_a_body_that_is_no_object_is_a_problem(api: httpx.AsyncClient, body: Any) -> None:
    assert fields(await api.post("/partners", content=json.dumps(body).encode(), headers=JSON)) == ["body"]


async def test_a_body_of_another_kind_is_a_problem(api: httpx.AsyncClient) -> None:
    answer = await api.post("/partners", content=json.dumps(ACME), headers={"Content-Type": "text/plain"})
    assert fields(answer) == ["body"]


async def test_a_body_over_256_kb_is_a_problem(api: httpx.AsyncClient) -> None:
    whole = json.dumps({**ACME, "notes": "x" * MAX_BODY_BYTES}).encode()

    async def in_chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(whole), 50_000):
            yield whole[start : start + 50_000]

    assert fields(await api.post("/partners", content=whole, headers=JSON), 413, "body_too_large") == ["body"]
    assert fields(await api.post("/partners", content=in_chunks(), headers=JSON), 413, "body_too_large") == ["body"]


async def test_a_crash_is_a_problem_that_tells_nothing(
    api: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(outcome_types, "CATALOGUE", "hunter2")
    answer = await api.get("/outcome-types")
    assert "hunter2" not in json.dumps(problem(answer, 500, "internal_error"))


async def test_a_lost_database_is_a_passing_problem(
    api: httpx.AsyncClient, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: Any, **__: Any) -> None:
        raise ConnectionRefusedError("10.0.0.5 refused hunter2")

    monkeypatch.setattr(AsyncSession, "scalar", refuse)
    answer = await api.get("/status")
    assert "hunter2" not in json.dumps(problem(answer, 503, "dependency_unavailable"))
    assert answer.headers["retry-after"] == "1"


async def test_a_deadlock_is_a_passing_problem(
    api: httpx.AsyncClient, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def deadlock(*_: Any, **__: Any) -> None:
        raise DBAPIError("SELECT 1", {}, DeadlockDetectedError())

    monkeypatch.setattr(AsyncSession, "scalar", deadlock)
    problem(await api.get("/status"), 503, "database_unavailable")
