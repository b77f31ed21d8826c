"""Many small writes as few large ones: row by row the database takes a tenth of what it takes in batches."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")
Answer = TypeVar("Answer")

MAX_BATCH = 50
AT_ONCE = 3


class MicroBatches(Generic[Item, Answer]):
    """Items that come while earlier batches are under way go together with the next one.

    So nothing waits while there is little to do, and batches grow by themselves under load. `perform` takes a batch
    and answers in its order; what it raises, each of the batch gets.
    """

    def __init__(self, perform: Callable[[Sequence[Item]], Awaitable[Sequence[Answer]]]) -> None:
        self._perform = perform
        self._waiting: list[tuple[Item, asyncio.Future[Answer]]] = []
        self._under_way: set[asyncio.Task[None]] = set()

    async def add(self, item: Item) -> Answer:
        """The answer to this item, once its batch has been performed."""
        turn: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, turn))
        if len(self._under_way) < AT_ONCE:
            self._start()
        return await turn

    def _start(self) -> None:
        task = asyncio.create_task(self._run())
        self._under_way.add(task)
        task.add_done_callback(self._end)

    def _end(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        if self._waiting and len(self._under_way) < AT_ONCE:
            self._start()

    async def _run(self) -> None:
        # Read when it runs, not when it was started: what came in the same turn of the loop goes along.
        batch, self._waiting = self._waiting[:MAX_BATCH], self._waiting[MAX_BATCH:]
        if not batch:
            return
        try:
            answers = await self._perform([item for item, _ in batch])
        except Exception as error:
            for _, turn in batch:
                if not turn.done():
                    turn.set_exception(error)
            return
        for (_, turn), answer in zip(batch, answers, strict=True):
            if not turn.done():
                turn.set_result(answer)
