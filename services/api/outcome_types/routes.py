from fastapi import APIRouter

from services.api.auth import READ
from services.api.outcome_types.schemas import OutcomeTypes, OutcomeTypeView
from shared.domain.outcome import CATALOGUE

router = APIRouter(prefix="/outcome-types", tags=["outcome types"])


@router.get("", dependencies=[READ])
async def list_all() -> OutcomeTypes:
    """The closed catalogue: every code, the class it belongs to, and what it means."""
    return OutcomeTypes(items=[OutcomeTypeView.model_validate(entry) for entry in CATALOGUE.values()])
