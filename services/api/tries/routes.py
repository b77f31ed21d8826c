from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Response

from services.api.auth import READ, READ_IN_BROWSER, RUN, Author
from services.api.dependencies import Provided, Session
from services.api.errors import problems
from services.api.fields import Slug
from services.api.idempotency import IDEMPOTENT, IdempotentRoute
from services.api.job_results.evidence import served_as
from services.api.job_results.routes import EVIDENCE, EvidenceName
from services.api.tries.commands import start_try
from services.api.tries.queries import find_try_evidence, read_try, try_view
from services.api.tries.schemas import TrySent, TryView

router = APIRouter(tags=["tries"], route_class=IdempotentRoute)
Code = Annotated[Slug, Path(description="The partner's code.", examples=["acme"])]
Id = Annotated[UUID, Path(alias="id", description="The try's id.")]


@router.post("/partners/{code}/try", status_code=202, dependencies=[RUN, IDEMPOTENT], responses=problems(404))
async def start(
    session: Session, provided: Provided, code: Code, sent: TrySent, author: Author, response: Response
) -> TryView:
    """Run one check now, as it is stored or with a flow that is being edited, without recording it.

    No state changes, and no result is left. Ask for the try until it has ended; it is kept for an hour, unless the
    scheduler is told otherwise. What could not be started within two minutes ends as `missed`.
    """
    row = await start_try(session, code, sent, author.name, provided.secret_box)
    response.headers["Location"] = f"/api/v1/tries/{row.id}"
    return try_view(row, "waiting", [])


@router.get("/tries/{id}", dependencies=[READ], responses=problems(404))
async def read(session: Session, try_id: Id) -> TryView:
    """What a try found out: its outcome, every step, and the evidence."""
    return await read_try(session, try_id)


@router.get("/tries/{id}/evidence/{name}", dependencies=[READ_IN_BROWSER], response_class=Response, responses=EVIDENCE)
async def read_evidence(session: Session, try_id: Id, name: EvidenceName) -> Response:
    """A file that a try left."""
    entry = await find_try_evidence(session, try_id, name)
    media_type, headers = served_as(name, entry.content_type)
    return Response(entry.content, media_type=media_type, headers=headers)
