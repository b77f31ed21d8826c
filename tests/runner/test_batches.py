"""Many items, few batches: what comes while others are under way goes together."""

import asyncio
from collections.abc import Sequence

import pytest

from services.runner.batches import AT_ONCE, MAX_BATCH, MicroBatches


class Recorder:
    """Performs a batch once it is let through."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.gate = asyncio.Event()

    async def perform(self, items: Sequence[int]) -> list[int]:
        self.batches.append(list(items))
        await self.gate.wait()
        if -1 in items:
            raise ValueError("refused")
        return [item * 2 for item in items]


async def test_each_gets_its_own_answer_and_a_crowd_goes_in_few_batches() -> None:
    recorder = Recorder()
    batches = MicroBatches(recorder.perform)
    first = [asyncio.create_task(batches.add(number)) for number in range(AT_ONCE)]
    while not recorder.batches:
        await asyncio.sleep(0)
    crowd = [asyncio.create_task(batches.add(number)) for number in range(100, 100 + 3 * MAX_BATCH)]
    recorder.gate.set()
    assert await asyncio.gather(*first, *crowd) == [2 * n for n in [*range(AT_ONCE), *range(100, 100 + 3 * MAX_BATCH)]]
    assert max(map(len, recorder.batches)) <= MAX_BATCH
    assert len(recorder.batches) <= AT_ONCE + 4


async def test_what_fails_is_told_to_those_of_the_batch_only() -> None:
    recorder = Recorder()
    recorder.gate.set()
    batches = MicroBatches(recorder.perform)
    with pytest.raises(ValueError, match="refused"):
        await batches.add(-1)
    assert await batches.add(4) == 8


async def test_one_that_is_cancelled_does_not_disturb_the_others() -> None:
    recorder = Recorder()
    batches = MicroBatches(recorder.perform)
    cancelled, stays = asyncio.create_task(batches.add(1)), asyncio.create_task(batches.add(2))
    while not recorder.batches:
        await asyncio.sleep(0)
    cancelled.cancel()
    recorder.gate.set()
    assert await stays == 4
