from typing import Annotated, Any

from fastapi import APIRouter, Body, Path, Query, Response

from services.api.auth import READ, WRITE
from services.api.dependencies import Provided, Session
from services.api.errors import NotFound, problems
from services.api.fields import Slug
from services.api.idempotency import IDEMPOTENT, IdempotentRoute
from services.api.job_configurations.queries import list_configurations
from services.api.job_configurations.schemas import ConfigurationPage, ConfigurationQuery
from services.api.merge_patch import patch_body
from services.api.pagination import PageQuery
from services.api.partners.commands import create_partner, delete_partner, edit_partner
from services.api.partners.queries import find_partner, list_partners, partner_view
from services.api.partners.schemas import PartnerPage, PartnerSent, PartnerView
from services.api.status.queries import read_partner_status
from services.api.status.schemas import PartnerStatus

router = APIRouter(prefix="/partners", tags=["partners"], route_class=IdempotentRoute)
Code = Annotated[Slug, Path(description="The partner's code.", examples=["acme"])]


@router.get("", dependencies=[READ])
async def list_all(session: Session, provided: Provided, asked: Annotated[PageQuery, Query()]) -> PartnerPage:
    """Every partner, by code. Secrets are never shown."""
    return await list_partners(session, asked, provided.secret_box)


@router.post("", status_code=201, dependencies=[WRITE, IDEMPOTENT], responses=problems(409))
async def create(session: Session, provided: Provided, sent: PartnerSent, response: Response) -> PartnerView:
    """Add a partner. Nothing is checked until it has a job configuration."""
    partner = await create_partner(session, sent, provided.secret_box)
    response.headers["Location"] = f"/api/v1/partners/{partner.code}"
    return partner_view(partner, provided.secret_box)


@router.get("/{code}", dependencies=[READ], responses=problems(404))
async def read(session: Session, provided: Provided, code: Code) -> PartnerView:
    """One partner. Secrets are never shown."""
    return partner_view(await find_partner(session, code), provided.secret_box)


@router.patch(
    "/{code}",
    dependencies=[WRITE],
    responses=problems(404),
    openapi_extra=patch_body(PartnerSent, {"active": False, "inactive_reason": "contract ended"}),
)
async def edit(
    session: Session, provided: Provided, code: Code, patch: Annotated[dict[str, Any], Body()]
) -> PartnerView:
    """Change some fields (JSON merge patch); the whole is validated. Making it inactive stops all its schedules."""
    return partner_view(await edit_partner(session, code, patch, provided.secret_box), provided.secret_box)


@router.delete("/{code}", status_code=204, dependencies=[WRITE], responses=problems(404))
async def delete(session: Session, code: Code) -> None:
    """Delete it with its job configurations, schedules and states. Its results stay."""
    await delete_partner(session, code)


@router.get("/{code}/status", dependencies=[READ], responses=problems(404))
async def read_status(session: Session, code: Code) -> PartnerStatus:
    """The state of each of its checks in each browser."""
    status = await read_partner_status(session, code)
    if status is None:
        raise NotFound(f"There is no partner {code!r}.")
    return status


@router.get("/{code}/job-configurations", dependencies=[READ], responses=problems(404))
async def list_job_configurations(
    session: Session, code: Code, asked: Annotated[PageQuery, Query()]
) -> ConfigurationPage:
    """Its job configurations, oldest first."""
    await find_partner(session, code)
    return await list_configurations(session, ConfigurationQuery(partner=code, **asked.model_dump()))
