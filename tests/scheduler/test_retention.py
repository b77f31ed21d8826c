"""What is kept of the evidence, and what goes, in each kind of store."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.scheduler.retention import BATCH, remove_outlived, remove_strays
from shared.domain.outcome import CATALOGUE
from shared.evidence_store import EvidenceStore, Place, StoreUnavailable
from tests.scheduler.world import IDLE_IN_TRANSACTION, World


def days_ago(days: float) -> datetime:
    return datetime.now(UTC) - timedelta(days=days)


async def attempt(world: World, store: EvidenceStore, due_at: datetime, code: str, **change: Any) -> Place:
    """An attempt with its evidence, and its result unless `result` is false."""
    job, number = change.pop("job", None) or uuid4(), change.pop("number", 1)
    outcome_class = CATALOGUE[code].outcome_class.value
    values = {"id": job, "due_at": due_at, "code": code, "class": outcome_class}
    if change.pop("result", True):
        given = {"configuration": world.configuration, "browser": "chromium", **change}
        await world.execute(
            "INSERT INTO job_results (id, due_at, schedule_id, origin, kind, job_configuration_id, partner, browser,"
            " outcome_code, outcome_class, message) VALUES (:id, :due_at, :schedule, 'schedule', 'check',"
            " :configuration, 'acme', :browser, :code, :class, '')",
            schedule=uuid4(),
            **values,
            **given,
        )
    await world.execute(
        "INSERT INTO attempts (scheduled_job_id, due_at, number, token, outcome_code, outcome_class, message, evidence)"
        " VALUES (:id, :due_at, :number, :token, :code, :class, '', '[{\"name\": \"a.txt\"}]')",
        number=number,
        token=uuid4(),
        **values,
    )
    place = Place.of(job, due_at, number)
    await store.write(place, "a.txt", b"x")
    return place


async def clear(world: World, store: EvidenceStore, failed_days: int = 30, passed_kept: int = 2) -> None:
    await remove_outlived(world.engine, store, failed_days=failed_days, passed_kept=passed_kept)


async def kept(store: EvidenceStore) -> set[Place]:
    return {place async for day in store.days() async for place in store.places(day)}


async def marked(world: World) -> set[UUID]:
    return {
        row.scheduled_job_id for row in await world.attempts() if row.evidence_removed_at is not None and row.evidence
    }


async def test_failures_go_by_age(world: World, store: EvidenceStore) -> None:
    old = [await attempt(world, store, days_ago(31), code) for code in ("credentials_rejected", "node_lost")]
    young = [await attempt(world, store, days_ago(29), "credentials_rejected") for _ in range(5)]
    for _ in range(2):  # once more does nothing
        await clear(world, store)
        assert await kept(store) == set(young)
        assert await marked(world) == {place.job for place in old}


async def test_of_what_passed_the_last_of_each_pairing_stay_however_old(world: World, store: EvidenceStore) -> None:
    await world.execute("UPDATE job_configurations SET browsers = '{chromium,firefox}'")
    first, second, third = [await attempt(world, store, days_ago(days), "success") for days in (50, 49, 48)]
    slow = await attempt(world, store, days_ago(47), "slow")
    other = [await attempt(world, store, days_ago(days), "success", browser="firefox") for days in (60, 59)]
    await attempt(world, store, days_ago(40), "credentials_rejected")
    await clear(world, store)
    assert await kept(store) == {third, slow, *other}
    assert await marked(world) >= {first.job, second.job}


async def test_the_tries_before_a_pass_stay_with_it(world: World, store: EvidenceStore) -> None:
    job = uuid4()
    await attempt(world, store, days_ago(3), "success")
    both = {
        await attempt(world, store, days_ago(2), "success", job=job, number=2),
        await attempt(world, store, days_ago(2), "node_lost", job=job, number=1, result=False),
    }
    await world.execute(
        "UPDATE attempts SET due_at = (SELECT due_at FROM job_results WHERE id = :job) WHERE scheduled_job_id = :job",
        job=job,
    )
    await clear(world, store, passed_kept=1)
    assert await kept(store) == both


async def test_of_a_pairing_that_is_no_more_nothing_stays_for_ever(world: World, store: EvidenceStore) -> None:
    await attempt(world, store, days_ago(31), "success", configuration=uuid4())
    await attempt(world, store, days_ago(31), "success", browser="firefox")
    young = await attempt(world, store, days_ago(2), "success", configuration=uuid4())
    await clear(world, store)
    assert await kept(store) == {young}


async def test_more_than_one_batch_goes_at_once(world: World, store: EvidenceStore) -> None:
    for _ in range(BATCH + 3):
        await attempt(world, store, days_ago(40), "credentials_rejected")
    await clear(world, store)
    assert await kept(store) == set()


async def test_several_schedulers_may_be_at_it_at_once(world: World, store: EvidenceStore) -> None:
    for _ in range(BATCH + 3):
        await attempt(world, store, days_ago(40), "credentials_rejected")
    await asyncio.gather(*(clear(world, store) for _ in range(3)))
    assert await kept(store) == set()
    assert len(await marked(world)) == BATCH + 3


class Watching:
    """A store that looks, at each deletion, how many transactions wait for it."""

    def __init__(self, store: EvidenceStore, world: World) -> None:
        self._store = store
        self._world = world
        self.waiting = 0

    async def delete(self, place: Place) -> None:
        [row] = await self._world.execute(IDLE_IN_TRANSACTION)
        self.waiting += row.number
        await self._store.delete(place)


async def test_no_transaction_waits_for_the_store(world: World, store: EvidenceStore) -> None:
    await attempt(world, store, days_ago(40), "credentials_rejected")
    watching: Any = Watching(store, world)
    await clear(world, watching)
    assert (watching.waiting, await kept(store)) == (0, set())


async def test_what_no_attempt_knows_of_goes_and_what_is_being_written_stays(
    world: World, store: EvidenceStore
) -> None:
    known = await attempt(world, store, days_ago(5), "success")
    lost = Place(known.day, known.job, 2)
    unknown = Place.of(uuid4(), days_ago(5), 1)
    running = Place.of((await world.running(due_in=-5 * 86400))[0], days_ago(5), 1)
    new = Place.of(uuid4(), days_ago(0), 1)
    for place in (lost, unknown, running, new):
        await store.write(place, "a.txt", b"x")
    await remove_strays(world.engine, store)
    assert await kept(store) == {known, running, new}


class Refusing:
    """A store of which one attempt can't be deleted, or none."""

    def __init__(self, store: EvidenceStore, refused: set[Place]) -> None:
        self._store = store
        self._refused = refused

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def delete(self, place: Place) -> None:
        if place in self._refused:
            raise StoreUnavailable("the evidence store answered AccessDenied")
        await self._store.delete(place)


async def test_what_cannot_be_deleted_holds_up_nothing_else(world: World, store: EvidenceStore) -> None:
    stuck = await attempt(world, store, days_ago(41), "credentials_rejected")
    for _ in range(BATCH + 1):
        await attempt(world, store, days_ago(40), "credentials_rejected")
    refusing: Any = Refusing(store, {stuck})
    await clear(world, refusing)
    assert await kept(store) == {stuck}
    assert stuck.job not in await marked(world)
    with pytest.raises(StoreUnavailable):
        await clear(world, refusing)


async def test_a_database_that_knows_of_no_evidence_deletes_none(world: World, store: EvidenceStore) -> None:
    place = Place.of(uuid4(), days_ago(5), 1)
    await store.write(place, "a.txt", b"x")
    await remove_strays(world.engine, store)
    assert await kept(store) == {place}
