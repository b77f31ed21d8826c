from fastapi import APIRouter

from services.api.auth import READ
from services.api.dependencies import Provided, Session
from services.api.errors import problems
from services.api.flows.importers.recording import import_recording
from services.api.flows.schemas import FlowToValidate, Imported, RecordingSent, Validated
from services.api.flows.validation import validate

router = APIRouter(prefix="/flows", tags=["flows"])


@router.post("/validate", dependencies=[READ], responses=problems(404))
async def validate_flow(session: Session, provided: Provided, sent: FlowToValidate) -> Validated:
    """Whether a flow could be stored, and what to think about. Nothing is stored."""
    return await validate(session, sent, provided.secret_box)


@router.post("/import", dependencies=[READ])
async def import_flow(sent: RecordingSent) -> Imported:
    """A flow from a recording of Chrome's DevTools Recorder (JSON) or of Selenium IDE (`.side`). Nothing is stored.

    Each recorded step is kept, changed or unsupported, with the reason. What was typed into password fields is left
    out: the flow asks for the stored credentials in its place. Check it with `/partners/{code}/try`.
    """
    return import_recording(sent)
