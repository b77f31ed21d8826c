"""One drawing for everybody who looks at the same version."""

import asyncio
import threading
from uuid import uuid4

import httpx
import pytest

from services.api.app import POOL_SIZE
from services.api.pages import routes, shared_drawing
from services.api.pages.shared_drawing import SharedDrawing
from tests.api.conftest import Service
from tests.patience import PATIENCE_SECONDS


class Pen:
    def __init__(self) -> None:
        self.drawn = 0

    async def __call__(self) -> str:
        await asyncio.sleep(0)
        self.drawn += 1
        return f"drawing {self.drawn}"


async def test_all_who_want_one_version_get_one_drawing() -> None:
    shared, pen = SharedDrawing(), Pen()
    assert await asyncio.gather(*(shared.html("one", pen) for _ in range(20))) == ["drawing 1"] * 20
    assert await shared.html("two", pen) == "drawing 2"


async def test_one_that_failed_is_drawn_by_the_next() -> None:
    shared, pen = SharedDrawing(), Pen()

    async def fail() -> str:
        raise OSError("no database")

    with pytest.raises(OSError, match="no database"):
        await shared.html("one", fail)
    assert await shared.html("one", pen) == "drawing 1"


async def test_an_old_one_is_drawn_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    shared, pen = SharedDrawing(), Pen()
    monkeypatch.setattr(shared_drawing, "KEEP_SECONDS", -1)
    assert [await shared.html("one", pen) for _ in range(2)] == ["drawing 1", "drawing 2"]


async def test_who_waits_for_a_drawing_holds_no_connection(
    reader: httpx.AsyncClient, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, finish = threading.Event(), threading.Event()

    def draw_slowly(template: str, **shown: object) -> str:
        begun.set()
        finish.wait(PATIENCE_SECONDS)
        return template

    monkeypatch.setattr(routes, "draw", draw_slowly)
    more_than_there_are_connections = 3 * POOL_SIZE
    looking = [asyncio.create_task(reader.get("/fragments/status")) for _ in range(more_than_there_are_connections)]
    try:
        await asyncio.to_thread(begun.wait, PATIENCE_SECONDS)
        assert (await reader.get(f"/results/{uuid4()}")).status_code == 404
    finally:
        finish.set()
        answers = await asyncio.gather(*looking)
    assert [answer.status_code for answer in answers] == [200] * more_than_there_are_connections
