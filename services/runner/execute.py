"""The story of one attempt: claim, perform, finish, ack."""

import asyncio
import traceback
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

import structlog
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from services.runner.batches import MicroBatches
from services.runner.browser.perform import CheckPerformer
from services.runner.callback.perform import CallbackPerformer
from services.runner.claim import Claimed, claim_all
from services.runner.definition import CallbackDefinition
from services.runner.finish import Finish, finish_all
from services.runner.lease import Leases
from services.runner.performed import Performed
from services.runner.postponed import Postponed, Refused
from services.runner.slots import Turn
from shared.crash_points import crash_point
from shared.domain.outcome import Outcome
from shared.ledger import AttemptRecord, Ending, end_attempts, end_not_run, postpone
from shared.queue import Delivery, Message
from shared.secret_box import SecretUnreadable

log = structlog.get_logger(__name__)

# Beyond all the time limits of the attempt itself: only a fault of ours gets here.
LAST_RESORT_SECONDS = 20


@dataclass(frozen=True, slots=True)
class Runner:
    """What every attempt of this process works with."""

    id: UUID
    engine: AsyncEngine
    leases: Leases
    checks: CheckPerformer
    callbacks: CallbackPerformer
    claims: MicroBatches[Message, Claimed | None] = field(init=False)
    finishes: MicroBatches[Finish, bool] = field(init=False)

    def __post_init__(self) -> None:
        claims = MicroBatches[Message, Claimed | None](lambda batch: claim_all(self.engine, batch, self.id))
        finishes = MicroBatches[Finish, bool](lambda batch: finish_all(self.engine, batch))
        object.__setattr__(self, "claims", claims)
        object.__setattr__(self, "finishes", finishes)


async def execute(delivery: Delivery, slot: AbstractAsyncContextManager[Turn], runner: Runner) -> None:
    """One message from claim to ack. Cancelled, it hands the job back before it ends."""
    async with AsyncExitStack() as slot_held:
        turn = await slot_held.enter_async_context(slot)
        claimed = await _claim_patiently(delivery, runner)
        if claimed is None:
            await delivery.ack()
            return
        turn.begun = True
        work = asyncio.create_task(_perform(claimed, runner), name=f"attempt {claimed.id}")
        with runner.leases.hold(claimed, work):
            try:
                performed = await work
            except (Postponed, Refused) as not_begun:
                turn.begun = False
                await _give_back(claimed, not_begun, runner)
                await delivery.ack()
                return
            except asyncio.CancelledError:
                work.cancel()
                await asyncio.wait([work])
                await _hand_back(claimed, runner)
                await delivery.ack()
                raise
            crash_point("after_effect")
            # Recording needs no slot: the next one may begin.
            await slot_held.aclose()
            recorded = await runner.finishes.add(Finish(claimed, performed))
            crash_point("after_record")
    await delivery.ack()
    _tell(claimed, performed, recorded)


async def _claim_patiently(delivery: Delivery, runner: Runner) -> Claimed | None:
    """While the database is away the message waits in its slot: that is how consuming stops."""
    wait = 0.2
    while True:
        try:
            return await runner.claims.add(delivery.message)
        except (DBAPIError, OSError, TimeoutError) as error:
            log.warning("claim_failed", error=type(error).__name__, again_in_seconds=wait)
            await asyncio.sleep(wait)
            wait = min(wait * 2, 5)


async def _perform(claimed: Claimed, runner: Runner) -> Performed:
    started_at = datetime.now(UTC)
    await asyncio.sleep(claimed.early_seconds)
    performer = runner.callbacks if isinstance(claimed.definition, CallbackDefinition) else runner.checks
    try:
        async with asyncio.timeout(performer.limit_seconds(claimed) + LAST_RESORT_SECONDS):
            return await performer.perform(claimed)
    except (Postponed, Refused):
        raise
    except TimeoutError:
        return _broken(started_at, "The attempt did not end within all of its time limits.", None)
    except SecretUnreadable as error:
        return _broken(started_at, f"What it needs can't be read: {error}.", None)
    except Exception as error:
        # The text may hold anything, so only the kind of error is told.
        where = "".join(traceback.format_tb(error.__traceback__))
        return _broken(started_at, f"Unexpected {type(error).__name__}.", where)


async def _give_back(claimed: Claimed, why: Postponed | Refused, runner: Runner) -> None:
    """As if it had not been claimed; what is refused ends with that, because nobody else could run it either."""
    async with runner.engine.begin() as connection:
        if isinstance(why, Postponed):
            await postpone(connection, claimed.id, claimed.token, why.again_in_seconds)
        elif await postpone(connection, claimed.id, claimed.token, 0):
            await end_not_run(connection, [claimed.id], "cancelled", str(why))


async def _hand_back(claimed: Claimed, runner: Runner) -> None:
    """At a stop, or when the lease is lost: the job goes back at once, guarded by the token like every end."""
    outcome = Outcome("runner_lost", "The runner was stopped during the attempt, and handed it back.")
    record = AttemptRecord(outcome, claimed.started_at, None)
    try:
        async with asyncio.timeout(5), runner.engine.begin() as connection:
            now = (await connection.execute(text("SELECT now()"))).scalar_one()
            await end_attempts(connection, [Ending(claimed.id, claimed.token, record, now, counts=False)])
    except Exception as error:
        log.warning("hand_back_failed", job=str(claimed.id), error=type(error).__name__)


def _broken(started_at: datetime, message: str, where: str | None) -> Performed:
    seconds = (datetime.now(UTC) - started_at).total_seconds()
    outcome = Outcome("internal_error", message)
    return Performed(AttemptRecord(outcome, started_at, round(seconds, 3), traceback=where))


def _tell(claimed: Claimed, performed: Performed, recorded: bool) -> None:
    event = "attempt_ended" if recorded else "attempt_fenced"
    # Hundreds of callbacks a second that go well are no news.
    quiet = recorded and isinstance(claimed.definition, CallbackDefinition) and performed.record.outcome.success
    tell = log.debug if quiet else log.info
    tell(event, job=str(claimed.id), **claimed.definition.subject, outcome=performed.record.outcome.code)
