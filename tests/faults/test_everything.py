"""Everything at once: processes and servers are killed, paused and emptied in a seeded order, for three minutes."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from random import Random

import pytest

from tests.end_to_end.processes import ServiceProcess, Stack
from tests.faults.load import Load
from tests.faults.sink import Sink
from tests.servers.postgres import PostgresServer
from tests.servers.rabbitmq import RabbitMQ
from tests.servers.valkey import ValkeyServer

SEED = 1_815
MINUTES = 3
# More of our own failures than a run of all these faults can bring to one due moment.
RETRY = {"attempts": 20, "min_backoff_seconds": 1, "max_backoff_seconds": 5, "max_age_seconds": 3600}

_SOME_DONE_SINCE = "SELECT count(*) FROM job_results WHERE recorded_at > $1::timestamptz HAVING count(*) >= $2"
_NOW = "SELECT clock_timestamp() AS now"


class Faults:
    """Each fault is over when the call returns, but for what it left behind."""

    def __init__(
        self, stack: Stack, rng: Random, postgres: PostgresServer, rabbitmq: RabbitMQ, valkey: ValkeyServer
    ) -> None:
        self._stack, self._rng = stack, rng
        self._postgres, self._rabbitmq, self._valkey = postgres, rabbitmq, valkey
        self.schedulers = [stack.scheduler(f"scheduler-{number}") for number in range(3)]
        self.runners = [stack.runner(f"runner-{number}") for number in range(2)]
        self.frozen: list[ServiceProcess] = []

    @property
    def kinds(self) -> list[Callable[[], Awaitable[None]]]:
        return [
            self.scheduler_killed,
            self.scheduler_killed,
            self.runner_killed,
            self.runner_killed,
            self.runner_told_to_stop,
            self.one_frozen,
            self.one_frozen,
            self.all_schedulers_killed,
            self.postgres_killed,
            self.rabbitmq_killed,
            self.valkey_killed,
            self.valkey_emptied,
        ]

    async def start(self) -> None:
        await asyncio.gather(*(process.start() for process in [*self.schedulers, *self.runners]))

    async def scheduler_killed(self) -> None:
        await killed_and_started(self._rng.choice(self.schedulers))

    async def runner_killed(self) -> None:
        await killed_and_started(self._rng.choice(self.runners))

    async def runner_told_to_stop(self) -> None:
        self.thaw()
        await self._rng.choice(self.runners).restart()

    async def all_schedulers_killed(self) -> None:
        await asyncio.gather(*(killed_and_started(process) for process in self.schedulers))

    async def one_frozen(self) -> None:
        """Until the next one, or until something needs it."""
        self.thaw()
        process = self._rng.choice([*self.schedulers, *self.runners])
        process.freeze()
        self.frozen.append(process)

    async def postgres_killed(self) -> None:
        await self._postgres.kill()
        await self._postgres.start()

    async def rabbitmq_killed(self) -> None:
        await self._rabbitmq.settle()
        await self._rabbitmq.kill()
        await self._rabbitmq.start()

    async def valkey_killed(self) -> None:
        await self._valkey.kill()
        await self._valkey.start()

    async def valkey_emptied(self) -> None:
        await self._valkey.flush()

    def thaw(self) -> None:
        for process in self.frozen:
            process.thaw()
        self.frozen.clear()


@pytest.mark.long
@pytest.mark.timeout(900)
async def test_everything_at_once(
    stack: Stack, load: Load, postgres_server: PostgresServer, rabbitmq_server: RabbitMQ, valkey_server: ValkeyServer
) -> None:
    rng = Random(SEED)
    print(f"seed {SEED}")
    faults = Faults(stack, rng, postgres_server, rabbitmq_server, valkey_server)
    with Sink() as sink:
        await load.add_callbacks(jobs=14, interval_seconds=1, url=sink.url(), retry=RETRY)
        await load.add_callbacks(jobs=6, interval_seconds=2, url=sink.url("/after/1500"), retry=RETRY, overlap="skip")
        await load.add_callbacks(jobs=3, interval_seconds=10, url=sink.url("/after/12000"), retry=RETRY)
        await faults.start()
        end = await now(stack) + timedelta(minutes=MINUTES)
        while (began := await now(stack)) < end:
            fault = rng.choice(faults.kinds)
            print(fault.__name__, flush=True)
            await fault()
            await stack.until(_SOME_DONE_SINCE, began, rng.randint(5, 60), seconds=120)
        faults.thaw()
        await stack.until(_SOME_DONE_SINCE, await now(stack), 100, seconds=120)
        found = await load.findings(sink)
        found.assert_none()


async def killed_and_started(process: ServiceProcess) -> None:
    """Also if it is frozen."""
    await process.kill()
    await process.start()


async def now(stack: Stack) -> datetime:
    (row,) = await stack.fetch(_NOW)
    moment: datetime = row["now"]
    return moment
