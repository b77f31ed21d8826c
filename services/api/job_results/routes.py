from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response

from services.api.auth import READ, READ_IN_BROWSER
from services.api.dependencies import Provided, Session
from services.api.errors import DependencyUnavailable, NotFound, problems
from services.api.job_results.evidence import find_evidence, served_as
from services.api.job_results.queries import list_results, read_result
from services.api.job_results.schemas import EvidenceQuery, ResultPage, ResultQuery, ResultView
from shared.evidence_store import Place, StoreUnavailable

router = APIRouter(prefix="/job-results", tags=["job results"])
Id = Annotated[UUID, Path(alias="id", description="The result's id, which is its scheduled job's.")]
BINARY = {"schema": {"type": "string", "format": "binary"}}
EvidenceName = Annotated[str, Path(max_length=100, pattern=r"^[a-z0-9][a-z0-9_.-]{0,80}$", examples=["screenshot.png"])]
EVIDENCE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The file. Page source comes as plain text to be saved: it is never run.",
        "content": dict.fromkeys(("image/png", "image/jpeg", "application/json", "text/plain"), BINARY),
    },
    **problems(404),
}


@router.get("", dependencies=[READ])
async def list_all(session: Session, asked: Annotated[ResultQuery, Query()]) -> ResultPage:
    """How due moments ended, newest first."""
    return await list_results(session, asked)


@router.get("/{id}", dependencies=[READ], responses=problems(404))
async def read(session: Session, result_id: Id) -> ResultView:
    """One result with its checks and their steps, and every attempt with its evidence."""
    result = await read_result(session, result_id)
    if result is None:
        raise NotFound(f"There is no job result {result_id}.")
    return result


@router.get("/{id}/evidence/{name}", dependencies=[READ_IN_BROWSER], response_class=Response, responses=EVIDENCE)
async def read_evidence(
    session: Session,
    provided: Provided,
    result_id: Id,
    name: EvidenceName,
    asked: Annotated[EvidenceQuery, Query()],
) -> Response:
    """A file that an attempt left: of the attempt that is asked for, or of the last one that has it."""
    entry = await find_evidence(session, result_id, name, asked.attempt)
    try:
        content = await provided.evidence.read(Place.of(result_id, entry.due_at, entry.attempt), name)
    except FileNotFoundError:
        raise NotFound("This evidence is no longer kept.") from None
    except StoreUnavailable:
        raise DependencyUnavailable("The evidence can't be read at the moment: its store does not answer.") from None
    media_type, headers = served_as(name, entry.content_type)
    return Response(content, media_type=media_type, headers=headers)
