"""What failed for good, and sending it again."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from shared.domain.outcome import Outcome
from shared.domain.schedule import Origin, scheduled_job_id
from shared.ledger import AttemptRecord, Ending, end_attempts
from tests.api.conftest import Service, fields, problem
from tests.api.job_records import add_dead_letter, add_job

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def minutes(number: int) -> datetime:
    return NOON + timedelta(minutes=number)


async def listed(api: httpx.AsyncClient, **asked: Any) -> list[dict[str, Any]]:
    answer = await api.get("/dead-letters", params=asked)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def end(service: Service, scheduled_job: str) -> None:
    await service.execute("DELETE FROM scheduled_jobs WHERE id = :id", id=UUID(scheduled_job))


async def test_they_come_newest_first_and_can_be_narrowed(api: httpx.AsyncClient, service: Service) -> None:
    job, other = await add_job(service), await add_job(service, "Invoices")
    a = str(await add_dead_letter(service, job, minutes(0), minutes(5)))
    b = str(await add_dead_letter(service, other, minutes(0), minutes(6)))
    c = str(await add_dead_letter(service, job, minutes(1), minutes(7)))
    (await api.post(f"/dead-letters/{c}/replay")).raise_for_status()
    assert [item["id"] for item in await listed(api)] == [c, b, a]
    assert [item["id"] for item in await listed(api, job=str(job))] == [c, a]
    assert [item["id"] for item in await listed(api, replayed="true")] == [c]
    assert [item["id"] for item in await listed(api, replayed="false")] == [b, a]
    assert [item["id"] for item in await listed(api, since="2026-11-20T12:06:00Z", until="2026-11-20T12:07:00Z")] == [b]
    assert (await listed(api, job=str(other)))[0] == {
        "id": b,
        "job": {"id": str(other), "name": "Invoices"},
        "due_at": "2026-11-20T12:00:00Z",
        "died_at": "2026-11-20T12:06:00Z",
        "outcome": {
            "code": "callback_rejected",
            "class": "partner_failure",
            "success": False,
            "message": "The callback answered 422.",
        },
        "attempt_count": 5,
        "replayed": None,
    }


async def test_pages_leave_nothing_out_and_repeat_nothing(api: httpx.AsyncClient, service: Service) -> None:
    job = await add_job(service)
    made = [str(await add_dead_letter(service, job, minutes(number), minutes(number // 3))) for number in range(7)]
    seen: list[str] = []
    asked: dict[str, Any] = {"limit": 2}
    while True:
        page = (await api.get("/dead-letters", params=asked)).json()
        seen += [item["id"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        asked["cursor"] = page["next_cursor"]
    assert sorted(seen) == sorted(made)
    assert len(seen) == 7


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"job": "5"}, "job"),
        ({"replayed": "perhaps"}, "replayed"),
        ({"since": "yesterday"}, "since"),
        ({"cursor": "!"}, "cursor"),
        ({"colour": "red"}, "colour"),
    ],
)
async def test_a_bad_filter_is_named(api: httpx.AsyncClient, asked: dict[str, str], field: str) -> None:
    code = "invalid_cursor" if field == "cursor" else "invalid_request"
    assert fields(await api.get("/dead-letters", params=asked), code=code) == [field]


async def test_a_replay_is_due_at_once_and_says_what_it_repeats(api: httpx.AsyncClient, service: Service) -> None:
    job = await add_job(service)
    letter = await add_dead_letter(service, job, NOON)
    answer = await api.post(f"/dead-letters/{letter}/replay")
    assert answer.status_code == 202
    [made] = answer.json()["scheduled_jobs"]
    assert (made["origin"], made["kind"], made["job_id"], made["state"]) == ("manual", "callback", str(job), "overdue")
    [row] = await service.execute("SELECT * FROM scheduled_jobs")
    [schedule] = await service.execute("SELECT * FROM schedules")
    assert made["id"] == str(row["id"]) == str(scheduled_job_id(schedule["id"], Origin.MANUAL, row["due_at"]))
    assert (row["replay_of"], row["replay_due_at"]) == (letter, NOON)
    assert (row["priority"], row["overlap"], row["lane"], row["shard"]) == (0, "allow", "http", schedule["shard"])
    assert row["start_by"] - row["due_at"] == timedelta(seconds=600)
    assert abs(row["run_after"] - datetime.now(UTC)) < timedelta(seconds=30)
    [item] = await listed(api)
    assert (item["replayed"]["by"], item["replayed"]["id"]) == ("ops", made["id"])


async def test_it_is_replayed_again_only_once_the_replay_has_ended(api: httpx.AsyncClient, service: Service) -> None:
    letter = await add_dead_letter(service, await add_job(service), NOON)
    [first] = (await api.post(f"/dead-letters/{letter}/replay")).json()["scheduled_jobs"]
    problem(await api.post(f"/dead-letters/{letter}/replay"), 409, "already_running")
    problem(await api.delete(f"/dead-letters/{letter}"), 409, "already_running")
    await end(service, first["id"])
    [second] = (await api.post(f"/dead-letters/{letter}/replay")).json()["scheduled_jobs"]
    assert second["id"] != first["id"]
    assert [item["replayed"]["id"] for item in await listed(api)] == [second["id"]]


async def test_of_many_who_replay_at_once_one_does(api: httpx.AsyncClient, service: Service) -> None:
    job = await add_job(service)
    letter = await add_dead_letter(service, job, NOON)
    one, all_of_it = f"/dead-letters/{letter}/replay", {"job": str(job)}
    answers = await asyncio.gather(
        *(api.post(one) for _ in range(4)), *(api.post("/dead-letters/replay", json=all_of_it) for _ in range(2))
    )
    assert {answer.status_code for answer in answers} <= {202, 409}
    assert len(await service.execute("SELECT id FROM scheduled_jobs")) == 1


async def test_the_same_key_replays_once(api: httpx.AsyncClient, service: Service) -> None:
    letter = await add_dead_letter(service, await add_job(service), NOON)
    key = {"Idempotency-Key": "once"}
    first = await api.post(f"/dead-letters/{letter}/replay", headers=key)
    second = await api.post(f"/dead-letters/{letter}/replay", headers=key)
    assert (first.status_code, second.status_code, second.json()) == (202, 202, first.json())


async def test_all_of_a_job_are_replayed_that_never_were(api: httpx.AsyncClient, service: Service) -> None:
    job, other = await add_job(service), await add_job(service, "Invoices")
    letters = [await add_dead_letter(service, job, minutes(number), minutes(number)) for number in range(6)]
    await add_dead_letter(service, other, NOON)
    (await api.post(f"/dead-letters/{letters[0]}/replay")).raise_for_status()
    some = {"job": str(job), "since": "2026-11-20T12:01:00Z", "until": "2026-11-20T12:03:00Z"}
    answer = await api.post("/dead-letters/replay", json=some)
    assert (answer.status_code, answer.json()) == (202, {"replayed": 2})
    assert (await api.post("/dead-letters/replay", json={"job": str(job)})).json() == {"replayed": 3}
    assert (await api.post("/dead-letters/replay", json={"job": str(job)})).json() == {"replayed": 0}
    rows = await service.execute("SELECT replay_of, replay_due_at, due_at FROM scheduled_jobs ORDER BY due_at")
    assert [row["replay_of"] for row in rows] == letters
    assert [row["replay_due_at"] for row in rows] == [minutes(number) for number in range(6)]
    assert len({row["due_at"] for row in rows}) == 6


async def replay_and_end(api: httpx.AsyncClient, service: Service, letter: UUID, code: str) -> str:
    """Replayed, claimed and ended as a runner does; the replay's id."""
    [made] = (await api.post(f"/dead-letters/{letter}/replay")).json()["scheduled_jobs"]
    token = uuid4()
    await service.execute(
        "UPDATE scheduled_jobs SET state = 'running', attempt = 1, token = :token WHERE id = :id",
        token=token,
        id=UUID(made["id"]),
    )
    record = AttemptRecord(Outcome(code, "Words."), datetime.now(UTC), 0.2)
    async with service.engine.begin() as connection:
        assert await end_attempts(connection, [Ending(UUID(made["id"]), token, record)]) == {token}
    found: str = made["id"]
    return found


async def test_a_replay_that_failed_again_counts_as_not_replayed(api: httpx.AsyncClient, service: Service) -> None:
    job = await add_job(service)
    failed, delivered, running = [await add_dead_letter(service, job, minutes(number)) for number in range(3)]
    await replay_and_end(api, service, delivered, "success")
    replay = await replay_and_end(api, service, failed, "http_5xx")
    (await api.post(f"/dead-letters/{running}/replay")).raise_for_status()
    [item] = await listed(api, replayed="false")
    assert (item["id"], item["replayed"]["id"], item["replayed"]["by"]) == (str(failed), replay, "ops")
    assert item["replayed"]["outcome"] == {
        "code": "http_5xx",
        "class": "partner_failure",
        "success": False,
        "message": "Words.",
    }
    others = {item["id"]: item["replayed"]["outcome"] for item in await listed(api, replayed="true")}
    assert others.keys() == {str(delivered), str(running)}
    assert (others[str(delivered)]["code"], others[str(running)]) == ("success", None)
    assert "\nparakeet_dead_letters 1.0\n" in (await api.get("http://localhost/metrics")).text


async def test_a_bulk_replay_takes_those_that_failed_again(api: httpx.AsyncClient, service: Service) -> None:
    job = await add_job(service)
    failed, delivered = await add_dead_letter(service, job, minutes(0)), await add_dead_letter(service, job, minutes(1))
    await replay_and_end(api, service, delivered, "slow")
    first = await replay_and_end(api, service, failed, "callback_rejected")
    for count in (1, 0):
        assert (await api.post("/dead-letters/replay", json={"job": str(job)})).json() == {"replayed": count}
    [row] = await service.execute("SELECT id, replay_of FROM scheduled_jobs")
    assert (row["replay_of"], str(row["id"]) != first) == (failed, True)
    # The one before is over: how it ended says nothing of the one under way.
    assert [item["replayed"]["outcome"] for item in await listed(api) if item["id"] == str(failed)] == [None]


async def test_a_replay_that_was_cancelled_counts_as_not_replayed(api: httpx.AsyncClient, service: Service) -> None:
    letter = await add_dead_letter(service, await add_job(service), NOON)
    [made] = (await api.post(f"/dead-letters/{letter}/replay")).json()["scheduled_jobs"]
    (await api.post(f"/scheduled-jobs/{made['id']}/cancel")).raise_for_status()
    [item] = await listed(api, replayed="false")
    assert item["replayed"]["outcome"]["code"] == "cancelled"


async def test_a_thousand_at_most_are_replayed_in_one_call(api: httpx.AsyncClient, service: Service) -> None:
    job = await add_job(service)
    await service.execute(
        "INSERT INTO dead_letters (id, due_at, job_id, schedule_id, outcome_code, message, attempts)"
        " SELECT gen_random_uuid(), now(), :job, :job, 'http_5xx', 'm', 1 FROM generate_series(1, 1001)",
        job=job,
    )
    for count in (1000, 1):
        assert (await api.post("/dead-letters/replay", json={"job": str(job)})).json() == {"replayed": count}


async def test_what_fails_again_holds_up_nothing_that_was_never_replayed(
    api: httpx.AsyncClient, service: Service
) -> None:
    job = await add_job(service)
    failed = await add_dead_letter(service, job, minutes(0), minutes(0))
    await replay_and_end(api, service, failed, "http_5xx")
    await service.execute(
        "INSERT INTO dead_letters (id, due_at, job_id, schedule_id, outcome_code, message, attempts)"
        " SELECT gen_random_uuid(), now(), :job, :job, 'http_5xx', 'm', 1 FROM generate_series(1, 1000)",
        job=job,
    )
    assert (await api.post("/dead-letters/replay", json={"job": str(job)})).json() == {"replayed": 1000}
    assert [item["id"] for item in await listed(api, replayed="false")] == [str(failed)]


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({}, "job"),
        ({"job": "5"}, "job"),
        ({"job": str(uuid4())}, "job"),
        ({"job": str(uuid4()), "since": "noon"}, "since"),
        ({"job": str(uuid4()), "colour": "red"}, "colour"),
    ],
)
async def test_what_a_bulk_replay_can_not_be_is_named(api: httpx.AsyncClient, sent: dict[str, Any], field: str) -> None:
    assert fields(await api.post("/dead-letters/replay", json=sent)) == [field]


async def test_without_its_job_there_is_nothing_to_replay(api: httpx.AsyncClient, service: Service) -> None:
    letter = await add_dead_letter(service, await add_job(service), NOON)
    await service.execute("DELETE FROM schedules")
    await service.execute("DELETE FROM jobs")
    assert await listed(api) == []
    problem(await api.post(f"/dead-letters/{letter}/replay"), 404, "not_found")
    assert (await api.delete(f"/dead-letters/{letter}")).status_code == 204


async def test_an_unknown_one_is_not_found(api: httpx.AsyncClient) -> None:
    problem(await api.post(f"/dead-letters/{uuid4()}/replay"), 404, "not_found")
    problem(await api.delete(f"/dead-letters/{uuid4()}"), 404, "not_found")
    problem(await api.delete("/dead-letters/5"), 404, "not_found")
    problem(await api.delete("/dead-letters/replay"), 405, "method_not_allowed")


async def test_one_that_is_settled_can_be_dropped(api: httpx.AsyncClient, service: Service) -> None:
    letter = await add_dead_letter(service, await add_job(service), NOON)
    assert (await api.delete(f"/dead-letters/{letter}")).status_code == 204
    assert await listed(api) == []
    problem(await api.delete(f"/dead-letters/{letter}"), 404, "not_found")


async def test_a_reader_replays_nothing_and_who_runs_drops_nothing(service: Service) -> None:
    letter = await add_dead_letter(service, await add_job(service), NOON)
    async with service.client(await service.key("reader", "read")) as reader:
        problem(await reader.post(f"/api/v1/dead-letters/{letter}/replay"), 403, "forbidden")
    async with service.client(await service.key("runner", "run")) as runner:
        problem(await runner.delete(f"/api/v1/dead-letters/{letter}"), 403, "forbidden")
        assert (await runner.post(f"/api/v1/dead-letters/{letter}/replay")).status_code == 202
