"""Every error as an RFC 9457 problem document. One table says which status and code an exception means."""

import traceback
from collections.abc import Iterable, Sequence
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.api.fields import PATTERN_WORDS
from shared.domain.flow_rules import plain_location, plain_message
from shared.secret_box import SecretUnreadable

log = structlog.get_logger(__name__)

MEDIA_TYPE = "application/problem+json"
# Lock not available, deadlock, serialisation failure, shutting down, too many connections.
PASSING_SQLSTATES = ("55P03", "40P01", "40001", "57P01", "57P02", "57P03", "53300", "57014")


class FieldProblem(BaseModel):
    field: str = Field(description="The path of the field, such as `schedule.cron`; `body` for the body as a whole.")
    message: str


class Problem(BaseModel):
    """An RFC 9457 problem document."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "about:blank",
                    "title": "Unprocessable Entity",
                    "status": 422,
                    "detail": "The request is not valid.",
                    "code": "invalid_request",
                    "errors": [{"field": "schedule.cron", "message": "five fields are needed"}],
                }
            ]
        }
    )

    type: str = Field(description="Always `about:blank`: `code` says which problem it is.")
    title: str = Field(description="The words of the HTTP status.")
    status: int
    detail: str = Field(description="What is wrong, for people.")
    code: str = Field(description="What is wrong, for programs; stable.")
    errors: list[FieldProblem] = Field(default_factory=list, description="For invalid input, each field concerned.")


class ApiError(Exception):
    """A fact that ends a request. The text is for the client and holds no secret."""

    def __init__(self, detail: str, *fields: FieldProblem) -> None:
        super().__init__(detail)
        self.detail = detail
        self.fields = fields


class InvalidRequest(ApiError):
    """Valid JSON of the right shape, but it can't be; each field is named."""

    def __init__(self, *fields: FieldProblem) -> None:
        super().__init__("The request is not valid.", *fields)


class InvalidCursor(ApiError):
    def __init__(self) -> None:
        message = "is not a cursor that this list gave out"
        super().__init__("The cursor is not valid.", FieldProblem(field="cursor", message=message))


class Unauthenticated(ApiError):
    pass


class Forbidden(ApiError):
    pass


class NotFound(ApiError):
    pass


class AlreadyExists(ApiError):
    def __init__(self, field: str, value: str) -> None:
        super().__init__(
            f"{value!r} already exists.", FieldProblem(field=field, message="is taken; choose another one")
        )


class InUse(ApiError):
    pass


class AlreadyRunning(ApiError):
    pass


class IdempotencyKeyReused(ApiError):
    def __init__(self) -> None:
        message = "was used before, for a different request"
        super().__init__(
            "The Idempotency-Key belongs to another request.", FieldProblem(field="Idempotency-Key", message=message)
        )


class DependencyUnavailable(ApiError):
    pass


PROBLEMS: dict[type[Exception], tuple[HTTPStatus, str]] = {
    Unauthenticated: (HTTPStatus.UNAUTHORIZED, "unauthenticated"),
    Forbidden: (HTTPStatus.FORBIDDEN, "forbidden"),
    NotFound: (HTTPStatus.NOT_FOUND, "not_found"),
    AlreadyExists: (HTTPStatus.CONFLICT, "already_exists"),
    InUse: (HTTPStatus.CONFLICT, "in_use"),
    AlreadyRunning: (HTTPStatus.CONFLICT, "already_running"),
    InvalidCursor: (HTTPStatus.UNPROCESSABLE_ENTITY, "invalid_cursor"),
    IdempotencyKeyReused: (HTTPStatus.UNPROCESSABLE_ENTITY, "idempotency_key_reused"),
    InvalidRequest: (HTTPStatus.UNPROCESSABLE_ENTITY, "invalid_request"),
    RequestValidationError: (HTTPStatus.UNPROCESSABLE_ENTITY, "invalid_request"),
    DependencyUnavailable: (HTTPStatus.SERVICE_UNAVAILABLE, "dependency_unavailable"),
    OperationalError: (HTTPStatus.SERVICE_UNAVAILABLE, "database_unavailable"),
    InterfaceError: (HTTPStatus.SERVICE_UNAVAILABLE, "database_unavailable"),
    PoolTimeout: (HTTPStatus.SERVICE_UNAVAILABLE, "database_unavailable"),
    # A refused connection, an unknown host, a timeout.
    OSError: (HTTPStatus.SERVICE_UNAVAILABLE, "dependency_unavailable"),
    SecretUnreadable: (HTTPStatus.INTERNAL_SERVER_ERROR, "secret_unreadable"),
}
# Problems of HTTP itself, which the framework raises by their status.
HTTP_CODES = {404: "not_found", 405: "method_not_allowed", 415: "unsupported_media_type"}


def register_errors(app: FastAPI) -> None:
    known: list[type[Exception]] = [ApiError, *PROBLEMS]
    for exception in known:
        app.add_exception_handler(exception, _answer_known)
    app.add_exception_handler(HTTPException, _answer_http)
    app.add_exception_handler(DBAPIError, _answer_database)


class AnswerCrashes:
    """The last resort. The framework's own would raise the error again, and its text, with what was sent, be logged."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = False

        async def watch(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, receive, watch)
        except Exception as error:
            answer = await _answer_unforeseen(Request(scope), error)
            if not started:
                await answer(scope, receive, send)


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route that may answer with these problems."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": HTTPStatus(status).phrase, "content": content} for status in statuses}


def problem(
    status: int, code: str, detail: str, fields: Iterable[FieldProblem] = (), headers: dict[str, str] | None = None
) -> JSONResponse:
    body = Problem(
        type="about:blank",
        title=HTTPStatus(status).phrase,
        status=status,
        detail=_printable(detail),
        code=code,
        errors=[FieldProblem(field=_printable(item.field), message=_printable(item.message)) for item in fields],
    )
    return JSONResponse(body.model_dump(), status, headers, media_type=MEDIA_TYPE)


def field_problems(errors: Sequence[Any], *, skip: int = 1) -> list[FieldProblem]:
    """Pydantic's errors by the name of each field. Never with the input, which may be a secret."""
    return [
        FieldProblem(field=_field(error["type"], plain_location(error["loc"][skip:])), message=_words(error))
        for error in errors
    ]


def invalid(error: ValidationError) -> InvalidRequest:
    """The same answer for what a route validates by itself as for what the framework validates."""
    return InvalidRequest(*field_problems(error.errors(include_input=False, include_context=False), skip=0))


def _words(error: Any) -> str:
    """A regular expression is no message for people."""
    told = plain_message(error["type"], str(error["msg"]))
    _, is_pattern, pattern = told.partition("should match pattern ")
    return PATTERN_WORDS.get(pattern[1:-1], told) if is_pattern else told


def _field(kind: str, location: Sequence[str | int]) -> str:
    return "body" if kind == "json_invalid" else ".".join(map(str, location)) or "body"


async def _answer_known(_: Request, error: Exception) -> JSONResponse:
    status, code = next(PROBLEMS[kind] for kind in type(error).__mro__ if kind in PROBLEMS)
    headers = {}
    if status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Bearer realm="parakeet"'
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = "1"
    if isinstance(error, ApiError):
        return problem(status, code, error.detail, error.fields, headers)
    if isinstance(error, RequestValidationError):
        return problem(status, code, "The request is not valid.", field_problems(error.errors()))
    log.warning("request_failed", error=type(error).__name__, code=code)
    detail = "Stored credentials can't be opened with the configured keys." if code == "secret_unreadable" else ""
    return problem(status, code, detail or "The database can't be reached at the moment; try again.", (), headers)


async def _answer_http(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    if error.status_code == HTTPStatus.BAD_REQUEST:
        # The framework's word for a body that is no JSON at all, such as one nested too deeply or not UTF-8.
        fields = [FieldProblem(field="body", message="can't be read as JSON")]
        return problem(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid_request", "The request is not valid.", fields)
    code = HTTP_CODES.get(error.status_code, f"http_{error.status_code}")
    return problem(error.status_code, code, str(error.detail), (), dict(error.headers or {}))


async def _answer_database(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, DBAPIError)
    if error.connection_invalidated or getattr(error.orig, "sqlstate", None) in PASSING_SQLSTATES:
        return await _answer_known(request, OperationalError("", {}, error))
    return await _answer_unforeseen(request, error)


async def _answer_unforeseen(_: Request, error: Exception) -> JSONResponse:
    # Only the type and the place: texts of exceptions may quote what was sent.
    place = traceback.format_list(traceback.extract_tb(error.__traceback__)[-8:])
    log.error("request_crashed", error=type(error).__name__, place="".join(place))
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR, "internal_error", "An error of Parakeet's own; it is in the log.")


def _printable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
