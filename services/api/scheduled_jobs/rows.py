from datetime import datetime, timedelta
from typing import Any

from shared.domain.schedule import Origin, scheduled_job_id
from shared.models import Schedule


def scheduled_job_row(schedule: Schedule, origin: Origin, due_at: datetime, **terms: Any) -> dict[str, Any]:
    """The row of one due moment, on the schedule's terms unless `terms` names other ones."""
    return {
        "id": scheduled_job_id(schedule.id, origin, due_at),
        "schedule_id": schedule.id,
        "origin": origin,
        "due_at": due_at,
        "run_after": schedule.timing().run_after(due_at),
        "start_by": due_at + timedelta(seconds=schedule.start_deadline_seconds),
        "kind": schedule.kind,
        "shard": schedule.shard,
        "lane": schedule.lane,
        "priority": schedule.priority,
        "overlap": schedule.overlap,
        "job_configuration_id": schedule.job_configuration_id,
        "partner": schedule.partner,
        "browser": schedule.browser,
        "job_id": schedule.job_id,
        **terms,
    }
