"""`python -m services.runner`: consumes the queue and runs the checks until it is told to stop."""

import asyncio
from typing import Any
from uuid import uuid4

import structlog
import uvloop

from services.runner.accounts import AccountCare
from services.runner.browser.grid.nodes import NodeRules
from services.runner.browser.grid.watch import GridWatch
from services.runner.browser.perform import CheckPerformer
from services.runner.browser.settings import BrowserSettings
from services.runner.callback.perform import CallbackPerformer, Hosts
from services.runner.callback.send import CallbackSender
from services.runner.consumer import CALLBACK_LANE, Consumer
from services.runner.execute import Runner
from services.runner.lease import Leases
from services.runner.orphans import close_orphans
from services.runner.settings import RunnerSettings
from services.runner.slots import Slots
from shared.database import connect
from shared.domain.address_guard import AddressGuard
from shared.evidence_store import open_store
from shared.process import repeat, stop_on_signals
from shared.queue import Queue
from shared.queue.rabbitmq import RabbitQueue
from shared.secret_box import SecretBox
from shared.settings import errors_told
from shared.telemetry import set_up_logs

log = structlog.get_logger(__name__)

# Claims and finishes go in batches, so connections do not grow with the slots.
POOL_SIZE = 10


async def run(settings: RunnerSettings, queue: Queue, stop: asyncio.Event) -> None:
    """The runner, from start to stop. The queue is the caller's, who closes it."""
    engine = connect(settings.database_url, application_name="parakeet runner", pool_size=POOL_SIZE)
    slots: dict[str, Slots] = {}

    def report() -> dict[str, Any]:
        lanes = dict(slots)
        limits = {CALLBACK_LANE: settings.callback_slots}
        return {
            "slots": sum(each.total for each in lanes.values()),
            "busy": sum(each.busy for each in lanes.values()),
            "lanes": {
                lane: {"slots": each.total, "busy": each.busy, "limit": limits.get(lane, settings.browser_slots)}
                for lane, each in lanes.items()
            },
            "grid": grid.report(),
        }

    identity = uuid4()
    leases = Leases(settings.database_url, identity, report)
    box = SecretBox(settings.keys())
    browser = BrowserSettings(
        webdriver_url=settings.webdriver_url, control_url=settings.control_url, no_sandbox=settings.browser_no_sandbox
    )
    evidence = open_store(settings)
    accounts = AccountCare(engine, box, settings.login_gap_seconds, settings.login_rejections)
    rules = NodeRules(settings.node_failures, settings.node_pause_seconds)
    grid = GridWatch(engine, identity, settings.webdriver_url, settings.browser_slots, rules)
    checks = CheckPerformer(engine, box, evidence, browser, accounts, grid)
    guard = AddressGuard(settings.callback_allow)
    try:
        async with CallbackSender(
            guard, connections=settings.callback_slots, control_url=settings.control_url
        ) as sender:
            callbacks = CallbackPerformer(box, sender, Hosts(settings.callbacks_per_host))
            runner = Runner(id=identity, engine=engine, leases=leases, checks=checks, callbacks=callbacks)
            consumer = Consumer(
                queue,
                runner,
                slots,
                grid,
                callback_slots=settings.callback_slots,
                probe_seconds=settings.grid_probe_seconds,
            )
            await leases.start()
            log.info("runner_started", runner=str(identity))
            await consumer.consume_callbacks()
            async with asyncio.TaskGroup() as duties:
                duties.create_task(repeat("follow_browsers", consumer.follow_browsers, 1, stop))
                duties.create_task(repeat("step_aside", consumer.step_aside_if_cut_off, 1, stop))
                duties.create_task(
                    repeat("close_orphans", lambda: close_orphans(engine, settings.webdriver_url), 5, stop)
                )
                duties.create_task(repeat("abort_if_cut_off", leases.abort_if_cut_off, 1, stop))
            await consumer.stop(settings.stop_grace_seconds)
    finally:
        await leases.stop()
        await evidence.close()
        await engine.dispose()
        log.info("runner_stopped", runner=str(identity))


async def main(settings: RunnerSettings) -> None:
    assert settings.amqp_url is not None
    stop = asyncio.Event()
    stop_on_signals(stop)
    queue = RabbitQueue(settings.amqp_url)
    try:
        await run(settings, queue, stop)
    finally:
        await queue.close()


if __name__ == "__main__":
    with errors_told():
        given = RunnerSettings.model_validate({})
        given.keys()
        if given.amqp_url is None:
            raise ValueError("PARAKEET_AMQP_URL: a runner that is a process of its own needs RabbitMQ")
    set_up_logs(given.log_level, given.log_format)
    uvloop.run(main(given))
