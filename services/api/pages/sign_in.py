"""Signing in with an API key: the browser keeps it in a cookie that scripts can't read and other sites can't send."""

from http import HTTPStatus
from typing import Annotated
from urllib.parse import parse_qs

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from services.api.auth import COOKIE, identify, urlsplit_netloc
from services.api.dependencies import Provided, Session
from services.api.errors import Forbidden, Unauthenticated
from services.api.pages.page_route import PageRoute
from services.api.pages.rendering import HEADERS, page

MAX_AGE_SECONDS = 30 * 86400
router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/sign-in")
async def show(to: Annotated[str, Query(max_length=300)] = "/") -> Response:
    return page("sign_in.html", to=_own_path(to), trouble=None)


@router.post("/sign-in")
async def sign_in(request: Request, session: Session, provided: Provided) -> Response:
    _refuse_foreign_form(request)
    form = parse_qs((await request.body()).decode("utf-8", "replace"))
    key, to = form.get("key", [""])[0].strip(), _own_path(form.get("to", ["/"])[0])
    try:
        principal = await identify(request, session, provided, key)
    except Unauthenticated:
        trouble = "This key is not known, or it was revoked."
        return page("sign_in.html", HTTPStatus.UNAUTHORIZED, to=to, trouble=trouble)
    if not principal.may("read"):
        return page("sign_in.html", HTTPStatus.FORBIDDEN, to=to, trouble="This key may not read.")
    answer = RedirectResponse(to, HTTPStatus.SEE_OTHER, HEADERS)
    answer.set_cookie(
        COOKIE,
        key,
        max_age=MAX_AGE_SECONDS,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return answer


@router.post("/sign-out")
async def sign_out(request: Request) -> Response:
    _refuse_foreign_form(request)
    answer = RedirectResponse("/sign-in", HTTPStatus.SEE_OTHER, HEADERS)
    answer.delete_cookie(COOKIE, httponly=True, samesite="strict", secure=request.url.scheme == "https")
    return answer


def _own_path(path: str) -> str:
    """Where to go next, on this site only. `//host` and `/\\host` would lead to another."""
    safe = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable() and "\\" not in path
    return path if safe else "/"


def _refuse_foreign_form(request: Request) -> None:
    origin = request.headers.get("origin")
    if origin is not None and urlsplit_netloc(origin) != request.headers.get("host"):
        raise Forbidden("Forms of other sites are not accepted.")
