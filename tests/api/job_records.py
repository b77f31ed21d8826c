"""Jobs, and what a runner would have recorded of them."""

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from shared.domain.outcome import CATALOGUE
from shared.domain.schedule import shard_of
from tests.api.conftest import Service

HOSTILE = "<script>alert(1)</script>"


async def add_job(service: Service, name: str = "Nightly export", **change: Any) -> UUID:
    """A job every hour with its schedule, as rows; `change` is of the columns of `jobs`."""
    values = {
        "id": uuid4(),
        "name": name,
        "schedule": {"cron": "0 * * * *", "timezone": "UTC"},
        "callback_url": "https://hooks.example/run?token=hunter2",
        "paused_reason": None,
        "paused_at": None,
        "paused_until": None,
        **change,
    }
    await service.execute(
        """
        INSERT INTO jobs (id, name, schedule, callback_url, http_method, success, max_redirects, timeout_seconds, retry,
            overlap, catch_up, start_deadline_seconds, jitter_seconds, failing_after, working_after, priority,
            paused_reason, paused_at, paused_until)
        VALUES (:id, :name, CAST(:schedule AS jsonb), :callback_url, 'post', '{"status_codes": ["200-299"]}', 0, 30,
            '{}', 'skip', 'latest', 600, 0, 2, 1, 'normal', :paused_reason, :paused_at, :paused_until)
        """,
        **{**values, "schedule": json.dumps(values["schedule"])},
    )
    schedule = uuid4()
    await service.execute(
        """
        INSERT INTO schedules (id, kind, shard, next_due, cron, timezone, jitter_seconds, overlap, catch_up,
            start_deadline_seconds, priority, lane, job_id)
        SELECT :schedule, 'callback', :shard,
            CASE WHEN paused_at IS NULL THEN date_trunc('hour', now()) + interval '1 hour' ELSE 'infinity' END,
            '0 * * * *', 'UTC', 0, 'skip', 'latest', 600, 1, 'http', id FROM jobs WHERE id = :job
        """,
        schedule=schedule,
        shard=shard_of(schedule),
        job=values["id"],
    )
    found: UUID = values["id"]
    return found


async def set_job_state(service: Service, job: UUID, state: str, *, result: UUID | None = None, **change: Any) -> None:
    values = {"failures": 0, "code": "success", "seconds": 0.2, **change}
    await service.execute(
        """
        INSERT INTO job_states (job_id, state, since, judged_due_at, failures_in_a_row, passes_in_a_row, result_id,
            outcome_code, message, duration_seconds)
        VALUES (:job, :state, now(), now(), :failures, 0, :result, :code, 'm', :seconds)
        """,
        job=job,
        state=state,
        result=result,
        **values,
    )


async def record_callback(
    service: Service, job: UUID, due_at: datetime, code: str = "success", *, replay_of: UUID | None = None
) -> UUID:
    """A result of the job, without attempts."""
    result = uuid4()
    await service.execute(
        """
        INSERT INTO job_results (id, due_at, schedule_id, origin, kind, job_id, replay_of, executed_at,
            duration_seconds, outcome_code, outcome_class, message, attempts)
        SELECT :id, :due_at, id, CASE WHEN CAST(:replay_of AS uuid) IS NULL THEN 'schedule' ELSE 'manual' END,
            'callback', job_id, :replay_of, :due_at, 0.2, :code, :class, 'm', 1
        FROM schedules WHERE job_id = :job
        """,
        id=result,
        due_at=due_at,
        job=job,
        replay_of=replay_of,
        code=code,
        **{"class": CATALOGUE[code].outcome_class.value},
    )
    return result


async def record_response(service: Service, result: UUID, due_at: datetime, number: int = 1, **change: Any) -> None:
    """An attempt of a callback that was answered; `change` is of the response."""
    response = {
        "status": 422,
        "headers": {"content-type": "text/html", "x-answered-by": HOSTILE},
        "body": HOSTILE,
        "truncated": False,
        "bytes": len(HOSTILE),
        "url": "https://hooks.example/run?token=hunter2",
        "redirects": [],
        "address": "203.0.113.7",
        **change,
    }
    await service.execute(
        """
        INSERT INTO attempts (scheduled_job_id, due_at, number, token, started_at, duration_seconds, outcome_code,
            outcome_class, message, response)
        VALUES (:result, :due_at, :number, :token, :due_at, 0.2, 'callback_rejected', 'partner_failure', 'm',
            CAST(:response AS jsonb))
        """,
        result=result,
        due_at=due_at,
        number=number,
        token=uuid4(),
        response=json.dumps(response),
    )


async def add_dead_letter(
    service: Service, job: UUID, due_at: datetime, died_at: datetime | None = None, result: UUID | None = None
) -> UUID:
    """What the ledger leaves when a callback has failed for good."""
    letter = result or uuid4()
    await service.execute(
        """
        INSERT INTO dead_letters (id, due_at, job_id, schedule_id, outcome_code, message, attempts, died_at)
        SELECT :id, :due_at, job_id, id, 'callback_rejected', 'The callback answered 422.', 5, :died_at
        FROM schedules WHERE job_id = :job
        """,
        id=letter,
        due_at=due_at,
        job=job,
        died_at=died_at or datetime.now(UTC),
    )
    return letter
