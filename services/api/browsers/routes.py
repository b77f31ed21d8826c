from typing import Annotated, Any

from fastapi import APIRouter, Body, Path, Query, Response

from services.api.auth import READ, WRITE
from services.api.browsers.commands import create_browser, delete_browser, edit_browser
from services.api.browsers.queries import find_browser, list_browsers
from services.api.browsers.schemas import BrowserPage, BrowserSent, BrowserView
from services.api.dependencies import Session
from services.api.errors import problems
from services.api.fields import Slug
from services.api.idempotency import IDEMPOTENT, IdempotentRoute
from services.api.merge_patch import patch_body
from services.api.pagination import PageQuery

router = APIRouter(prefix="/browsers", tags=["browsers"], route_class=IdempotentRoute)
Name = Annotated[Slug, Path(description="The browser's name.", examples=["chromium"])]


@router.get("", dependencies=[READ])
async def list_all(session: Session, asked: Annotated[PageQuery, Query()]) -> BrowserPage:
    """Every browser, by name."""
    return await list_browsers(session, asked)


@router.post("", status_code=201, dependencies=[WRITE, IDEMPOTENT], responses=problems(409))
async def create(session: Session, sent: BrowserSent, response: Response) -> BrowserView:
    """Add a browser."""
    browser = await create_browser(session, sent)
    response.headers["Location"] = f"/api/v1/browsers/{browser.name}"
    return BrowserView.model_validate(browser)


@router.get("/{name}", dependencies=[READ], responses=problems(404))
async def read(session: Session, name: Name) -> BrowserView:
    """One browser."""
    return BrowserView.model_validate(await find_browser(session, name))


@router.patch(
    "/{name}",
    dependencies=[WRITE],
    responses=problems(404),
    openapi_extra=patch_body(BrowserSent, {"enabled": False}),
)
async def edit(session: Session, name: Name, patch: Annotated[dict[str, Any], Body()]) -> BrowserView:
    """Change some fields (JSON merge patch); the whole is validated. Disabling it stops all schedules in it."""
    return BrowserView.model_validate(await edit_browser(session, name, patch))


@router.delete("/{name}", status_code=204, dependencies=[WRITE], responses=problems(404, 409))
async def delete(session: Session, name: Name) -> None:
    """Delete a browser that no job configuration uses."""
    await delete_browser(session, name)
