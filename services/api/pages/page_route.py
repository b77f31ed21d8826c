"""Problems as pages, for whoever asked for a page; programs get problem documents as everywhere."""

from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from fastapi.routing import APIRoute
from sqlalchemy.exc import InterfaceError, OperationalError

from services.api.errors import Forbidden, NotFound, Unauthenticated
from services.api.pages.rendering import HEADERS, page

_NOT_HERE = "There is nothing here. It may have been removed, or the address is not complete."


class PageRoute(APIRoute):
    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                return await handle(request)
            except (Unauthenticated, Forbidden, NotFound, RequestValidationError, OperationalError, OSError,
                    InterfaceError) as error:  # fmt: skip
                if "text/html" not in request.headers.get("accept", ""):
                    raise
                return _explain(request, error)

        return answer


def _explain(request: Request, error: Exception) -> Response:
    match error:
        case Unauthenticated():
            return _to_sign_in(request)
        case Forbidden():
            return page("problem.html", HTTPStatus.FORBIDDEN, title="Not allowed", detail=error.detail)
        case NotFound():
            return page("problem.html", HTTPStatus.NOT_FOUND, title="Not found", detail=error.detail)
        case RequestValidationError():
            return page("problem.html", HTTPStatus.NOT_FOUND, title="Not found", detail=_NOT_HERE)
        case _:
            detail = "The database can’t be reached at the moment. This page tries again by itself."
            status = HTTPStatus.SERVICE_UNAVAILABLE
            return page("problem.html", status, title="Our database does not answer", detail=detail)


def _to_sign_in(request: Request) -> Response:
    if request.headers.get("sec-fetch-site") == "cross-site":
        # A link from another site comes without the strict cookie; the page itself asking again comes with it.
        return page("again.html", path=request.url.path)
    return RedirectResponse(f"/sign-in?to={quote(request.url.path)}", HTTPStatus.SEE_OTHER, HEADERS)
