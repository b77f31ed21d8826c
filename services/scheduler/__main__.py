"""`python -m services.scheduler`: wires the scheduler's duties and runs them until it is told to stop."""

import asyncio
import gc
from collections import Counter
from collections.abc import Awaitable
from typing import Any

import structlog
import uvloop

from services.scheduler.agenda import Agenda
from services.scheduler.dedupe import Dedupe
from services.scheduler.dispatcher import Dispatcher
from services.scheduler.housekeeping import end_pauses, make_partitions_ahead, remove_out_of_date
from services.scheduler.outage import settle_outage
from services.scheduler.planner import Planner
from services.scheduler.replicas import Replicas
from services.scheduler.retention import remove_outlived, remove_strays
from services.scheduler.settings import SchedulerSettings
from services.scheduler.stopped_accounts import pause_stopped_accounts
from services.scheduler.sweeper import sweep
from shared.clock import DatabaseClock
from shared.database import connect
from shared.evidence_store import open_store
from shared.process import repeat, stop_on_signals
from shared.queue import Queue
from shared.queue.rabbitmq import RabbitQueue
from shared.settings import errors_told
from shared.telemetry import set_up_logs

log = structlog.get_logger(__name__)

PLAN_EVERY_SECONDS = 0.5
SWEEP_EVERY_SECONDS = 1


async def run(settings: SchedulerSettings, queue: Queue, stop: asyncio.Event) -> None:
    """The scheduler, from start to stop. The queue is the caller's, who closes it."""
    engine = connect(settings.database_url, application_name="parakeet scheduler")
    evidence = open_store(settings)
    not_run: Counter[str] = Counter()
    clock, agenda, dedupe = DatabaseClock(engine), Agenda(), Dedupe(settings.redis_url)

    def report() -> dict[str, Any]:
        return {**dispatcher.report(), "agenda": len(agenda), "not_run": dict(not_run)}

    def outlived() -> Awaitable[None]:
        days, number = settings.evidence_failed_days, settings.evidence_passed_kept
        return remove_outlived(engine, evidence, failed_days=days, passed_kept=number)

    replicas = Replicas(settings.database_url, report)
    dispatcher = Dispatcher(engine, clock, agenda, replicas, queue, dedupe, not_run)
    planner = Planner(engine, clock, agenda, replicas, not_run)
    await clock.synchronise()
    # Before anybody can see us alive: whoever does relies on it.
    await settle_outage(engine, not_run)
    await replicas.start()
    log.info("scheduler_started", replica=str(replicas.id))
    try:
        async with asyncio.TaskGroup() as duties:
            duties.create_task(repeat("partitions", lambda: make_partitions_ahead(engine), 3600, stop))
            duties.create_task(repeat("plan", planner.tick, PLAN_EVERY_SECONDS, stop))
            duties.create_task(dispatcher.run(stop))
            duties.create_task(repeat("look_for_broker", dispatcher.look_for_broker, 1, stop))
            duties.create_task(repeat("sweep", lambda: sweep(engine, not_run), SWEEP_EVERY_SECONDS, stop))
            duties.create_task(repeat("end_pauses", lambda: end_pauses(engine), 1, stop))
            duties.create_task(repeat("stopped_accounts", lambda: pause_stopped_accounts(engine, not_run), 1, stop))
            duties.create_task(repeat("clock", clock.synchronise, 10, stop))
            keep = settings.keep_tries_seconds
            duties.create_task(repeat("out_of_date", lambda: remove_out_of_date(engine, keep), 600, stop))
            duties.create_task(repeat("outlived_evidence", outlived, 600, stop))
            duties.create_task(repeat("stray_evidence", lambda: remove_strays(engine, evidence), 6 * 3600, stop))
    finally:
        await replicas.stop()
        await dedupe.close()
        await evidence.close()
        await engine.dispose()
        log.info("scheduler_stopped", replica=str(replicas.id))


async def main(settings: SchedulerSettings) -> None:
    assert settings.amqp_url is not None
    stop = asyncio.Event()
    stop_on_signals(stop)
    queue = RabbitQueue(settings.amqp_url)
    # What is there now stays; looking through it again and again would delay what is due by tens of milliseconds.
    gc.collect()
    gc.freeze()
    try:
        await run(settings, queue, stop)
    finally:
        await queue.close()


if __name__ == "__main__":
    with errors_told():
        given = SchedulerSettings.model_validate({})
        if given.amqp_url is None:
            raise ValueError("PARAKEET_AMQP_URL: a scheduler that is a process of its own needs RabbitMQ")
    set_up_logs(given.log_level, given.log_format)
    uvloop.run(main(given))
