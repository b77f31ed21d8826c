"""One drawing for everybody who looks at the same version."""

import asyncio

import pytest

from services.api.pages import shared_drawing
from services.api.pages.shared_drawing import SharedDrawing


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
