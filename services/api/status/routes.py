from fastapi import APIRouter

from services.api.auth import READ
from services.api.dependencies import Session
from services.api.status.queries import read_status
from services.api.status.schemas import StatusView

router = APIRouter(prefix="/status", tags=["status"])


@router.get("", dependencies=[READ])
async def read(session: Session) -> StatusView:
    """Every partner, check and browser with its state and last results; jobs; totals; and whether it may be us.

    Of the jobs there are at most 200: those that do not work first, then the newest. `GET /jobs` lists all.
    """
    return await read_status(session)
