from fastapi import APIRouter

from services.api.auth import READ
from services.api.dependencies import Provided, Session
from services.api.infrastructure.queries import read_infrastructure
from services.api.infrastructure.schemas import InfrastructureView

router = APIRouter(prefix="/infrastructure", tags=["infrastructure"])


@router.get("", dependencies=[READ])
async def read(session: Session, provided: Provided) -> InfrastructureView:
    """Grid slots and queue per browser, queue depths, replicas, lateness, infrastructure failures of the last hour."""
    return await read_infrastructure(session, provided.settings)
