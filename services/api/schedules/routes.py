import asyncio

from fastapi import APIRouter
from sqlalchemy import text

from services.api.auth import READ
from services.api.dependencies import Session
from services.api.idempotency import IDEMPOTENT, IdempotentRoute
from services.api.schedules.queries import preview
from services.api.schedules.schemas import Preview, PreviewSent

router = APIRouter(prefix="/schedules", tags=["schedules"], route_class=IdempotentRoute)


@router.post("/preview", dependencies=[READ, IDEMPOTENT])
async def read_preview(session: Session, sent: PreviewSent) -> Preview:
    """The next moments of a CRON expression, with what daylight saving does to them. Nothing is stored."""
    now = (await session.execute(text("SELECT now()"))).scalar_one()
    # In a thread: a rare expression takes a while to walk.
    return await asyncio.to_thread(preview, sent.cron, sent.timezone, sent.count, now)
