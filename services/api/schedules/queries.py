from datetime import datetime

from services.api.schedules.schemas import Preview, PreviewMoment
from shared.domain.cron import InvalidCron, parse_cron


def preview(expression: str, zone: str, count: int, now: datetime) -> Preview:
    cron = parse_cron(expression, zone)
    items: list[PreviewMoment] = []
    moment = now
    while len(items) < count:
        try:
            found = cron.after(moment)
        except InvalidCron:
            break
        moment = found.due_at
        local_time = moment.astimezone(cron.zone).isoformat()
        items.append(PreviewMoment(due_at=moment, local_time=local_time, oddity=found.oddity))
    return Preview(items=items)
