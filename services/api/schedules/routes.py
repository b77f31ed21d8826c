import asyncio

from fastapi import APIRouter
from sqlalchemy import text

from services.api.auth import READ, WRITE, Author
from services.api.dependencies import Session
from services.api.idempotency import IDEMPOTENT, IdempotentRoute
from services.api.schedules.commands import pause_chosen, resume_chosen
from services.api.schedules.queries import chosen_view, preview
from services.api.schedules.schemas import Chosen, ChosenPauseSent, ChosenView, Preview, PreviewSent

router = APIRouter(prefix="/schedules", tags=["schedules"], route_class=IdempotentRoute)


@router.post("/preview", dependencies=[READ, IDEMPOTENT])
async def read_preview(session: Session, sent: PreviewSent) -> Preview:
    """The next moments of a CRON expression, with what daylight saving does to them. Nothing is stored."""
    now = (await session.execute(text("SELECT now()"))).scalar_one()
    # In a thread: a rare expression takes a while to walk.
    return await asyncio.to_thread(preview, sent.cron, sent.timezone, sent.count, now)


@router.post("/pause", dependencies=[WRITE, IDEMPOTENT])
async def pause_all(session: Session, sent: ChosenPauseSent, author: Author) -> ChosenView:
    """Stop all of a partner or a tag, with one reason; answers with all of them. What is due is `cancelled`.

    What is added later to the partner or the tag is not paused.
    """
    return chosen_view(await pause_chosen(session, sent, author.name))


@router.post("/resume", dependencies=[WRITE, IDEMPOTENT])
async def resume_all(session: Session, sent: Chosen) -> ChosenView:
    """Let all of a partner or a tag run again, from their next moments on; answers with those that were paused."""
    return chosen_view(await resume_chosen(session, sent))
