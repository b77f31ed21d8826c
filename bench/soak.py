"""Hours under faults: `python -m bench.soak [--minutes 60] [--per-second 100] [--seed 1]`.

Three schedulers and two runners send callbacks while every 20 to 40 s one of them, PostgreSQL, RabbitMQ or Valkey is
killed, frozen, restarted or emptied. Then the schedules stop, all is drained, and an oracle compares. Prints one JSON
line; what happens meanwhile goes to stderr. The status is 1 when a due moment was lost, doubled, invented or early.

The first process of each role is frozen like the others but never killed, so that its memory tells of the whole time.
`job_results` and `attempts` grow as they should: nothing in the soak is old enough to be removed.
"""

import argparse
import asyncio
import json
import random
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, redirect_stdout
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import uvloop

from bench.rig import Rig, installation, machine, servers
from bench.soak_samples import Samples
from services.embedded.process import LOOPBACK, free_port
from tests.end_to_end.processes import ServiceProcess, Stack, answers
from tests.faults.checker import Findings
from tests.faults.load import Load
from tests.servers.process import answer, server_process

SCHEDULERS = ("scheduler-1", "scheduler-2", "scheduler-3")
RUNNERS = ("runner-1", "runner-2")
INTERVAL_SECONDS = 10
SAMPLE_EVERY_SECONDS = 60
# A message that was purged is published again after 2 minutes, one that was purged twice after 4 more, and so on.
DRAIN_WITHIN_SECONDS = 2400
_DRAINED = "SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM scheduled_jobs)"


def tell(event: str, **facts: object) -> None:
    line = f"{time.strftime('%H:%M:%S')} {event} {json.dumps(facts, default=str) if facts else ''}"
    print(line, file=sys.stderr, flush=True)


@dataclass
class Soak:
    rig: Rig
    stack: Stack
    random: random.Random
    schedulers: dict[str, ServiceProcess]
    runners: dict[str, ServiceProcess]
    done: Counter[str] = field(default_factory=Counter)

    @property
    def processes(self) -> dict[str, ServiceProcess]:
        return {**self.schedulers, **self.runners}

    async def break_things(self, until: float) -> None:
        """Every kind once in a random order, then again in another."""
        kinds: list[Callable[[], Awaitable[None]]] = []
        while True:
            pause = self.random.uniform(20, 40)
            await asyncio.sleep(min(pause, max(0.0, until - time.monotonic())))
            if time.monotonic() >= until:
                return
            if not kinds:
                kinds = list(self._kinds())
                self.random.shuffle(kinds)
            kind = kinds.pop()
            tell("fault", kind=kind.__name__)
            await kind()
            self.done[kind.__name__] += 1
            tell("over", kind=kind.__name__)

    def _kinds(self) -> tuple[Callable[[], Awaitable[None]], ...]:
        return (
            self.scheduler_killed,
            self.runner_killed,
            self.scheduler_frozen,
            self.runner_frozen,
            self.postgres_restarted,
            self.postgres_killed,
            self.rabbitmq_killed,
            self.valkey_flushed,
            self.valkey_killed,
            self.queues_purged,
        )

    async def scheduler_killed(self) -> None:
        await self._kill(self.schedulers)

    async def runner_killed(self) -> None:
        await self._kill(self.runners)

    async def scheduler_frozen(self) -> None:
        await self._freeze(self.schedulers, 6)

    async def runner_frozen(self) -> None:
        """Longer than the lease of what it holds."""
        await self._freeze(self.runners, 20)

    async def postgres_restarted(self) -> None:
        await self.rig.postgres.restart()

    async def postgres_killed(self) -> None:
        await self.rig.postgres.kill()
        await self.rig.postgres.start()

    async def rabbitmq_killed(self) -> None:
        await self.rig.rabbitmq.settle()
        await self.rig.rabbitmq.kill()
        await self.rig.rabbitmq.start()

    async def valkey_flushed(self) -> None:
        await self.rig.valkey.flush()

    async def valkey_killed(self) -> None:
        await self.rig.valkey.kill()
        await asyncio.sleep(5)
        await self.rig.valkey.start()

    async def queues_purged(self) -> None:
        vhost = self.rig.amqp_url.rpartition("/")[2]
        for queue in await self.rig.rabbitmq.api("GET", f"queues/{vhost}"):
            await self.rig.rabbitmq.api("DELETE", f"queues/{vhost}/{queue['name']}/contents")

    async def _kill(self, processes: dict[str, ServiceProcess]) -> None:
        victim = processes[self.random.choice(sorted(processes)[1:])]
        await victim.kill()
        await asyncio.sleep(2)
        await victim.start()

    async def _freeze(self, processes: dict[str, ServiceProcess], seconds: float) -> None:
        victim = processes[self.random.choice(sorted(processes))]
        victim.freeze()
        try:
            await asyncio.sleep(seconds)
        finally:
            victim.thaw()

    async def watch(self, samples: Samples) -> None:
        """For ever. The database may be away at the moment of a sample, which is then taken a little later."""
        while True:
            try:
                tell("sample", **await samples.take(self.processes))
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                tell("sample_failed", error=type(error).__name__)
                await asyncio.sleep(2)
                continue
            await asyncio.sleep(SAMPLE_EVERY_SECONDS)


@asynccontextmanager
async def endpoint(rig: Rig) -> AsyncIterator[str]:
    port = free_port()
    process = server_process("endpoint", [sys.executable, "-m", "bench.endpoint", str(port), "20"], rig.folder)
    url = f"http://{LOOPBACK}:{port}"
    await process.start(lambda: answers(f"{url}/count"))
    try:
        yield url
    finally:
        await process.stop()


@asynccontextmanager
async def processes(rig: Rig, seed: int) -> AsyncIterator[Soak]:
    stack = Stack(rig.folder / "logs", rig.database_url, rig.amqp_url, rig.valkey.url, f"http://{LOOPBACK}:9")
    made = Soak(
        rig,
        stack,
        random.Random(seed),
        {name: stack.scheduler(name, PARAKEET_LOG_LEVEL="WARNING") for name in SCHEDULERS},
        {name: stack.runner(name, PARAKEET_LOG_LEVEL="WARNING") for name in RUNNERS},
    )
    try:
        for process in made.processes.values():
            await process.start()
        yield made
    finally:
        await stack.stop()


async def soak(args: argparse.Namespace) -> tuple[dict[str, Any], Findings]:
    async with (
        servers() as started,
        installation(*started) as rig,
        endpoint(rig) as url,
        processes(rig, args.seed) as made,
    ):
        load, samples = Load(made.stack), Samples(made.stack)
        jobs = args.per_second * INTERVAL_SECONDS
        await load.add_callbacks(jobs=jobs, interval_seconds=INTERVAL_SECONDS, url=f"{url}/hook")
        began = time.monotonic()
        tell("started", jobs=jobs, seed=args.seed, minutes=args.minutes)
        async with asyncio.TaskGroup() as tasks:
            watching = tasks.create_task(made.watch(samples))
            await made.break_things(began + args.minutes * 60)
            watched = await load.stop()
            seconds = time.monotonic() - began
            tell("stopped", seconds=round(seconds))
            await made.stack.until(_DRAINED, seconds=DRAIN_WITHIN_SECONDS)
            tell("drained", seconds=round(time.monotonic() - began - seconds))
            watching.cancel()
        await samples.take(made.processes)
        requests = (await answer(f"{url}/count"))["requests"]
        found = await load.compare(watched)
        drained_after = time.monotonic() - began - seconds
    return {
        "bench": "soak",
        "minutes": args.minutes,
        "seed": args.seed,
        "jobs": jobs,
        "due": found.due,
        "recorded": found.recorded,
        "lost": len(found.lost),
        "duplicated": len(found.duplicated),
        "unexpected": len(found.unexpected),
        "early": len(found.early),
        "inconsistent": len(found.inconsistent),
        "outcomes": dict(found.outcomes),
        "faults": dict(sorted(made.done.items())),
        "results_per_second": round(found.recorded / seconds, 1),
        "requests": requests,
        "amplification": round(requests / found.due, 4),
        "drained_after_seconds": round(drained_after),
        **samples.summary(),
        **machine(),
    }, found


def main() -> None:
    parser = argparse.ArgumentParser(description="Callbacks under faults for a long time, and whether all came out.")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--per-second", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    figures, found = uvloop.run(soak(parser.parse_args()))
    print(json.dumps(figures), flush=True)
    with redirect_stdout(sys.stderr):
        try:
            found.assert_none()
        except AssertionError as error:
            sys.exit(str(error))


if __name__ == "__main__":
    main()
