from datetime import timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.api.errors import FieldProblem, InvalidRequest
from services.api.partners.flows import opened, require_no_credentials
from services.api.partners.queries import find_partner
from services.api.schedules.commands import RUN_NOW_PRIORITY
from services.api.schedules.definitions import check_lane
from services.api.schedules.schedule_rows import read_clock
from services.api.tries.schemas import TrySent
from shared.domain.schedule import Origin, Overlap, shard_of
from shared.models import Browser, CheckTry, Partner, ScheduledJob
from shared.secret_box import SecretBox

# Whoever asked is waiting for it.
START_WITHIN = timedelta(minutes=2)


async def start_try(session: AsyncSession, code: str, sent: TrySent, author: str, box: SecretBox) -> CheckTry:
    """The try and its scheduled job, which goes to the front like a run now. Raises `NotFound`, `InvalidRequest`."""
    partner = await find_partner(session, code)
    await _require_possible(session, partner, sent)
    if sent.flow is not None:
        stored = (partner.sealed_credentials, partner.sealed_sso_credentials)
        require_no_credentials({"flow": sent.flow}, [opened(each, box) for each in stored])
    now = await read_clock(session)
    row = CheckTry(
        id=uuid4(),
        partner=partner.code,
        browser=sent.browser,
        check=sent.check,
        own_flow=sent.own_flow,
        flow=sent.flow.model_dump() if sent.flow else None,
        timeout_seconds=sent.timeout_seconds,
        created_by=author,
        created_at=now,
        report={},
    )
    session.add(row)
    await session.flush()
    job: dict[str, Any] = {
        "id": row.id,
        # A line of its own: it comes after nothing, and nothing after it.
        "schedule_id": row.id,
        "origin": Origin.TRY,
        "due_at": now,
        "run_after": now,
        "start_by": now + START_WITHIN,
        "kind": "check",
        "shard": shard_of(row.id),
        "lane": check_lane(sent.browser),
        "priority": RUN_NOW_PRIORITY,
        "overlap": Overlap.ALLOW,
        "partner": partner.code,
        "browser": sent.browser,
    }
    await session.execute(insert(ScheduledJob).values(job))
    return row


async def _require_possible(session: AsyncSession, partner: Partner, sent: TrySent) -> None:
    """Also a check that is switched off can be tried, but not one of which nothing is known."""
    problems = []
    enabled = await session.scalar(select(Browser.enabled).where(Browser.name == sent.browser))
    if not enabled:
        message = "no browser has this name" if enabled is None else "this browser is switched off"
        problems.append(FieldProblem(field="browser", message=message))
    if sent.check == "product_page" and not partner.product_page:
        message = f"the partner has no product_page: PATCH /partners/{partner.code}"
        problems.append(FieldProblem(field="check", message=message))
    if problems:
        raise InvalidRequest(*problems)
