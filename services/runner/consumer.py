"""Messages in, one task each, never inside the queue's callback: losing the connection would cancel the job half-way.

Callbacks and each browser have a lane and slots of their own, so that slow checks never hold up callbacks, and a
browser that the Grid has lost does not hold up the others. Of checks no more are taken than the Grid has slots for.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from sqlalchemy import text

from services.runner.browser.grid.watch import GridWatch
from services.runner.execute import Runner, execute
from services.runner.slots import Slots, Turn
from shared.process import wait_for
from shared.queue import Delivery, Message, Queue, Subscription

log = structlog.get_logger(__name__)

CALLBACK_LANE = "http"
BROWSER_LANE = "browser."
HAND_BACK_SECONDS = 15
# Some beats of the leases' pulse: a database that restarts is back sooner.
STEP_ASIDE_AFTER_SECONDS = 5

_BROWSERS = text("SELECT name, capabilities FROM browsers WHERE enabled ORDER BY name")


class Consumer:
    def __init__(
        self,
        queue: Queue,
        runner: Runner,
        slots: dict[str, Slots],
        grid: GridWatch,
        *,
        callback_slots: int,
        probe_seconds: float,
    ) -> None:
        self._queue = queue
        self._runner = runner
        self._slots = slots
        self._grid = grid
        self._callback_slots = callback_slots
        self._probe_seconds = probe_seconds
        # Of all browsers together, since the Grid's nodes have less room than they have kinds of slots.
        self._sessions = Slots(grid.sessions)
        self._well: dict[str, asyncio.Event] = {}
        self._subscriptions: dict[str, Subscription] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._probes: set[asyncio.Task[None]] = set()
        self._aside = False

    async def consume_callbacks(self) -> None:
        # Some more than can run, so that slots never wait for the broker while others are being recorded.
        await self._open(CALLBACK_LANE, self._callback_slots, self._callback_slots // 4 + 1)

    async def follow_browsers(self) -> None:
        """To be called every second. Consume the lane of every enabled browser, and no other, as the Grid has room."""
        async with self._runner.engine.connect() as connection:
            browsers = {row.name: row.capabilities for row in await connection.execute(_BROWSERS)}
        await self._grid.look(browsers)
        if self._aside:
            return
        self._sessions.resize(self._grid.sessions)
        allowed = {f"{BROWSER_LANE}{name}": allowance for name, allowance in self._grid.lanes.items()}
        for lane, allowance in allowed.items():
            well = self._well.setdefault(lane, asyncio.Event())
            (well.clear if allowance.trouble else well.set)()
            if lane in self._subscriptions:
                self._slots[lane].resize(allowance.slots)
                await self._subscriptions[lane].resize(allowance.slots)
            else:
                await self._open(lane, allowance.slots)
        for lane in self._subscriptions.keys() - allowed.keys() - {CALLBACK_LANE}:
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
        self._slots.setdefault(lane, Slots(slots)).resize(slots)
        self._subscriptions[lane] = await self._queue.subscribe(lane, slots + ahead, self._receive)
        log.info("lane_opened", lane=lane, slots=slots)

    def _receive(self, delivery: Delivery) -> None:
        task = asyncio.create_task(self._work(delivery), name=f"job {delivery.message.scheduled_job_id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _work(self, delivery: Delivery) -> None:
        message = delivery.message
        try:
            await execute(delivery, self._turn(message), self._runner)
        except Exception as error:
            # Its row says what became of it, and the sweeper reads that; the message itself has nothing to add.
            log.error("job_broken", job=str(message.scheduled_job_id), error=f"{type(error).__name__}: {error}"[:300])
            await delivery.ack()

    @asynccontextmanager
    async def _turn(self, message: Message) -> AsyncIterator[Turn]:
        """Waits until the message may run: for a slot of its lane, and a check for a session of the Grid too."""
        lane, turn = self._slots[message.lane], Turn()
        if message.lane == CALLBACK_LANE:
            async with lane.taken(message.priority):
                yield turn
            return
        await lane.take(message.priority)
        try:
            async with self._sessions.taken(message.priority):
                yield turn
        finally:
            # What was not begun has probed nothing.
            if self._well[message.lane].is_set() or not turn.begun:
                lane.give_back()
            else:
                self._give_back_later(message.lane)

    def _give_back_later(self, lane: str) -> None:
        """While the Grid has nothing to give, the one slot that probes it is kept for a while after each probe."""

        async def wait() -> None:
            await wait_for(self._well[lane], self._probe_seconds)
            self._slots[lane].give_back()

        probing = asyncio.create_task(wait(), name=f"probe {lane}")
        self._probes.add(probing)
        probing.add_done_callback(self._probes.discard)

    async def stop(self, grace_seconds: float) -> None:
        """Take nothing more, let what runs finish within the grace time, hand the rest back."""
        for subscription in self._subscriptions.values():
            await subscription.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=grace_seconds)
        for task in (*self._tasks, *self._probes):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=HAND_BACK_SECONDS)
