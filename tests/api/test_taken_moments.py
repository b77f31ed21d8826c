"""A moment that is over before it is due: claimed just before, or cancelled while it was only planned ahead."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from tests.api.conftest import Service, schedules

MINUTE = timedelta(minutes=1)
TAKEN = text("""
    WITH planned AS (
        INSERT INTO scheduled_jobs (id, schedule_id, origin, due_at, kind, shard, lane, priority, overlap,
                                    job_configuration_id, partner, browser, state, attempt, token, run_after, start_by)
        SELECT gen_random_uuid(), id, 'schedule', next_due, kind, shard, lane, priority, overlap, job_configuration_id,
               partner, browser, :state, 1, gen_random_uuid(), next_due, next_due + interval '1 hour'
        FROM schedules WHERE id = :id RETURNING *
    )
    SELECT due_at FROM planned
""")


@pytest.mark.parametrize("how", ["claimed", "cancelled"])
async def test_a_moment_that_is_over_before_it_is_due_is_not_planned_again(
    api: httpx.AsyncClient, configuration: dict[str, Any], service: Service, how: str
) -> None:
    [schedule] = await schedules(service)
    state = "running" if how == "claimed" else "planned"
    async with service.engine.begin() as connection:
        taken = (await connection.execute(TAKEN, {"id": schedule["id"], "state": state})).scalar_one()
    if how == "cancelled":
        [job] = (await api.get("/scheduled-jobs", params={"state": "retrying"})).json()["items"]
        assert (await api.post(f"/scheduled-jobs/{job['id']}/cancel")).status_code == 200
    path = f"/job-configurations/{configuration['id']}"
    assert (await api.post(f"{path}/pause", json={"reason": "race"})).status_code == 200
    assert (await api.post(f"{path}/resume")).status_code == 200
    [after] = await schedules(service)
    assert after["next_due"] > taken


async def test_what_a_new_timing_has_due_before_a_moment_that_is_over_is_planned(
    api: httpx.AsyncClient, configuration: dict[str, Any], service: Service
) -> None:
    """What is over belongs to the timing before: it stands for nothing that the new timing has due ahead of it."""
    [schedule] = await schedules(service)
    async with service.engine.begin() as connection:
        taken = (await connection.execute(TAKEN, {"id": schedule["id"], "state": "running"})).scalar_one()
    path = f"/job-configurations/{configuration['id']}"
    assert (await api.patch(path, json={"schedule": {"interval_seconds": 60}})).status_code == 200
    edited = datetime.now(UTC)
    [after] = await schedules(service)
    rows = await service.execute("SELECT due_at FROM scheduled_jobs ORDER BY due_at")
    # A minute is a fifteenth of the interval before, so the one that is over is also one of the new timing.
    moments = [*(row["due_at"] for row in rows), after["next_due"]]
    assert moments[0] <= edited + MINUTE
    assert {later - earlier for earlier, later in pairwise(moments)} == {MINUTE}
    assert after["next_due"] == taken + MINUTE
