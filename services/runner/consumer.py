"""Messages in, one task each, never inside the queue's callback: losing the connection would cancel the job half-way.

Callbacks and each browser have a lane and slots of their own, so that slow checks never hold up callbacks, and a
browser that the Grid has lost does not hold up the others.
"""

import asyncio

import structlog
from sqlalchemy import text

from services.runner.execute import Runner, execute
from services.runner.slots import Slots
from shared.queue import Delivery, Queue, Subscription

log = structlog.get_logger(__name__)

CALLBACK_LANE = "http"
HAND_BACK_SECONDS = 15
# Some beats of the leases' pulse: a database that restarts is back sooner.
STEP_ASIDE_AFTER_SECONDS = 5

_BROWSERS = text("SELECT name FROM browsers WHERE enabled ORDER BY name")


class Consumer:
    def __init__(
        self, queue: Queue, runner: Runner, slots: dict[str, Slots], *, browser_slots: int, callback_slots: int
    ) -> None:
        self._queue = queue
        self._runner = runner
        self._slots = slots
        self._browser_slots = browser_slots
        self._callback_slots = callback_slots
        self._subscriptions: dict[str, Subscription] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._aside = False

    async def consume_callbacks(self) -> None:
        # Some more than can run, so that slots never wait for the broker while others are being recorded.
        await self._open(CALLBACK_LANE, self._callback_slots, self._callback_slots // 4 + 1)

    async def follow_browsers(self) -> None:
        """Consume the lane of every enabled browser, and no other."""
        async with self._runner.engine.connect() as connection:
            wanted = {f"browser.{name}" for name in (await connection.execute(_BROWSERS)).scalars()}
        if self._aside:
            return
        for lane in wanted - self._subscriptions.keys():
            await self._open(lane, self._browser_slots)
        for lane in self._subscriptions.keys() - wanted - {CALLBACK_LANE}:
            await self._subscriptions.pop(lane).cancel()
            log.info("lane_closed", lane=lane)

    async def step_aside_if_cut_off(self) -> None:
        """To be called every second. Without the database nothing can be claimed, so what waits here goes to others."""
        cut_off = self._runner.leases.age_seconds > STEP_ASIDE_AFTER_SECONDS
        if cut_off and not self._aside:
            self._aside = True
            log.warning("stepped_aside", waiting=len(self._tasks))
            while self._subscriptions:
                await self._subscriptions.popitem()[1].close()
        elif self._aside and not cut_off:
            self._aside = False
            log.info("stepped_back")
            await self.consume_callbacks()

    async def _open(self, lane: str, slots: int, ahead: int = 0) -> None:
        """As many messages in hand as can run and `ahead`: the rest stays with the broker, for other runners."""
        self._slots.setdefault(lane, Slots(slots))
        self._subscriptions[lane] = await self._queue.subscribe(lane, slots + ahead, self._receive)
        log.info("lane_opened", lane=lane, slots=slots)

    def _receive(self, delivery: Delivery) -> None:
        task = asyncio.create_task(self._work(delivery), name=f"job {delivery.message.scheduled_job_id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _work(self, delivery: Delivery) -> None:
        message = delivery.message
        try:
            await execute(delivery, self._slots[message.lane].taken(message.priority), self._runner)
        except Exception as error:
            # Its row says what became of it, and the sweeper reads that; the message itself has nothing to add.
            log.error("job_broken", job=str(message.scheduled_job_id), error=f"{type(error).__name__}: {error}"[:300])
            await delivery.ack()

    async def stop(self, grace_seconds: float) -> None:
        """Take nothing more, let what runs finish within the grace time, hand the rest back."""
        for subscription in self._subscriptions.values():
            await subscription.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=grace_seconds)
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=HAND_BACK_SECONDS)
