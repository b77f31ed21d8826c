"""Results and attempts as a runner would have recorded them."""

import json
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from shared.domain.outcome import CATALOGUE
from tests.api.conftest import Service


async def record(
    service: Service, due_at: datetime, code: str, *, configuration: str | None = None, **change: Any
) -> UUID:
    """A result of Acme's log-in in Chromium, with its check unless it did not run."""
    outcome_class = CATALOGUE[code].outcome_class.value
    check = {"check": "login", "code": code, "class": outcome_class, "message": "m", "duration_seconds": 1.5}
    values = {
        "id": uuid4(),
        "due_at": due_at,
        "schedule_id": uuid4(),
        "job_configuration_id": UUID(configuration) if configuration else None,
        "partner": "acme",
        "browser": "chromium",
        "executed_at": due_at,
        "duration_seconds": 2.5,
        "code": code,
        "class": outcome_class,
        "checks": json.dumps([check] if outcome_class != "not_run" else []),
        "attempts": 1,
        **change,
    }
    await service.execute(
        """
        INSERT INTO job_results (id, due_at, schedule_id, origin, kind, job_configuration_id, partner, browser,
            executed_at, duration_seconds, outcome_code, outcome_class, message, checks, attempts)
        VALUES (:id, :due_at, :schedule_id, 'schedule', 'check', :job_configuration_id, :partner, :browser,
            :executed_at, :duration_seconds, :code, :class, 'm', CAST(:checks AS jsonb), :attempts)
        """,
        **values,
    )
    found: UUID = values["id"]
    return found


async def record_attempt(
    service: Service,
    result: UUID,
    due_at: datetime,
    number: int,
    code: str,
    evidence: list[dict[str, Any]],
    *,
    step_evidence: str | None = None,
) -> None:
    outcome_class = CATALOGUE[code].outcome_class.value
    first = {"name": "open", "offset_seconds": 0.1, "url": "https://shop.acme.example/login"}
    steps = [{**first, "evidence": step_evidence}, {"name": "fill"}]
    check = {"check": "login", "code": code, "class": outcome_class, "message": "m", "duration_seconds": 1.5}
    await service.execute(
        """
        INSERT INTO attempts (scheduled_job_id, due_at, number, token, started_at, duration_seconds, outcome_code,
            outcome_class, message, checks, evidence, node, browser_name, browser_version, console_errors)
        VALUES (:result, :due_at, :number, :token, :due_at, 1.5, :code, :class, 'm', CAST(:checks AS jsonb),
            CAST(:evidence AS jsonb), 'node-1', 'chrome', '150', ARRAY['boom'])
        """,
        result=result,
        due_at=due_at,
        number=number,
        token=uuid4(),
        code=code,
        **{"class": outcome_class, "checks": json.dumps([{**check, "steps": steps}]), "evidence": json.dumps(evidence)},
    )
