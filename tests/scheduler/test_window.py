"""How many publications are under way at once."""

import asyncio

from services.scheduler.window import NARROWEST, WIDEST, PublishWindow


def test_what_fails_together_halves_the_window_once() -> None:
    window = PublishWindow()
    assert [window.shrink() for _ in range(WIDEST)].count(True) == 1
    assert window.size == WIDEST // 2
    assert not window.open, "it pauses before it goes on"


def test_it_never_closes_for_good_and_confirms_widen_it_again() -> None:
    window = PublishWindow()
    for _ in range(20):
        window._wait_until = 0.0
        window.shrink()
    assert window.size == NARROWEST
    for _ in range(2 * WIDEST):
        window.grow()
    assert window.size == WIDEST


async def test_full_it_opens_when_one_leaves() -> None:
    window = PublishWindow()
    window.size = 1
    window.enter()
    assert (window.open, window.room) == (False, 0)
    waiting = asyncio.create_task(window.freed(60))
    await asyncio.sleep(0)
    window.leave()
    await waiting
    assert (window.open, window.room) == (True, 1)
