"""The pages that people look at: the status of everything, and what happened in one run."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, FastAPI, Path, Request, Response
from fastapi.responses import HTMLResponse, StreamingResponse
from fastapi.staticfiles import StaticFiles
from markupsafe import Markup

from services.api.auth import COOKIE, READ_IN_BROWSER
from services.api.dependencies import Provided, Resources, Session
from services.api.errors import DependencyUnavailable, NotFound
from services.api.infrastructure.queries import read_infrastructure
from services.api.pages import sign_in
from services.api.pages.jobs_view import jobs_section
from services.api.pages.live import Live
from services.api.pages.page_route import PageRoute
from services.api.pages.rendering import HEADERS, STATIC, draw, page
from services.api.pages.result_view import read_result_page
from services.api.pages.shutdown import before_shutdown
from services.api.pages.status_view import status_page
from services.api.status.queries import read_status


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    live = app.state.live = Live()
    loop = asyncio.get_running_loop()
    with before_shutdown(lambda: loop.call_soon_threadsafe(live.close)):
        yield
    live.close()


router = APIRouter(route_class=PageRoute, include_in_schema=False, lifespan=lifespan)


def add_pages(app: FastAPI) -> None:
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    app.include_router(router)
    app.include_router(sign_in.router)


@router.get("/", dependencies=[READ_IN_BROWSER])
async def show_status(request: Request, session: Session, provided: Provided) -> Response:
    fragment = await _status_fragment(request, session, provided)
    return page("status.html", fragment=Markup(fragment), signed_in=_signed_in(request))


@router.get("/fragments/status", dependencies=[READ_IN_BROWSER])
async def show_status_fragment(request: Request, session: Session, provided: Provided) -> Response:
    """What of the status page changes, to be put in its place."""
    return HTMLResponse(await _status_fragment(request, session, provided), headers=HEADERS)


@router.get("/results/{id}", dependencies=[READ_IN_BROWSER])
async def show_result(
    request: Request, session: Session, provided: Provided, result_id: Annotated[UUID, Path(alias="id")]
) -> Response:
    found = await read_result_page(session, provided.evidence, result_id)
    if found is None:
        raise NotFound("There is no such result. It may have been removed since.")
    return page("result.html", **found, now=datetime.now(UTC), signed_in=_signed_in(request))


@router.get("/events", dependencies=[READ_IN_BROWSER])
async def events(request: Request, provided: Provided) -> Response:
    """Server-sent events: `changed` when the status page would look different, `stale` when nobody can tell."""
    live = _live(request)
    if live.closed:
        raise DependencyUnavailable("The server is about to stop.")
    headers = {**HEADERS, "X-Accel-Buffering": "no"}
    return StreamingResponse(live.listen(provided), media_type="text/event-stream", headers=headers)


async def _status_fragment(request: Request, session: Session, provided: Resources) -> str:
    live, settings = _live(request), provided.settings
    grid = await live.grid(settings.webdriver_url)
    # The version first: what changes in between is then shown, and fetched once more, rather than never.
    version = await live.read_version(session, settings.webdriver_url)
    # Gives the connection back: many may wait here for one drawing, and none of them needs it for that.
    await session.commit()

    async def draw_it() -> str:
        async with provided.sessions.begin() as reading:
            status = await read_status(reading)
            infrastructure = await read_infrastructure(reading, settings.model_copy(update={"webdriver_url": None}))
        infrastructure = infrastructure.model_copy(update={"grid": grid})
        shown = {**status_page(status, infrastructure), "jobs": jobs_section(status.jobs), "version": version}
        # In a thread: of a thousand partners it takes seconds.
        return await asyncio.to_thread(draw, "status_fragment.html", **shown)

    return await live.status.html(version, draw_it)


def _live(request: Request) -> Live:
    live: Live = request.app.state.live
    return live


def _signed_in(request: Request) -> bool:
    return COOKIE in request.cookies
