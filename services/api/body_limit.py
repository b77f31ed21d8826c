"""No request body over 256 KB, whether it says its length or comes in chunks.

The framework has a limit of its own, but answers with plain text. Bodies here are small, so they are read before the
application is called: then nothing that reads them can meet the limit half-way.
"""

from http import HTTPStatus

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.api.errors import FieldProblem, problem

MAX_BODY_BYTES = 256 * 1024


class LimitBody:
    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        body = None if _announced(scope) > MAX_BODY_BYTES else await _read(receive)
        if body is None:
            fields = [FieldProblem(field="body", message="is larger than 256 KB")]
            # The rest of the body is not read, so the connection can't be used again.
            headers = {"Connection": "close"}
            answer = problem(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "body_too_large", "The body is too large.", fields, headers
            )
            await answer(scope, receive, send)
            return
        first: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive_again() -> Message:
            return first.pop() if first else await receive()

        await self.app(scope, receive_again, send)


def _announced(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value) if value.isdigit() else 0
    return 0


async def _read(receive: Receive) -> bytes | None:
    """The whole body; None when it is too large."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return bytes(body)
        body += message.get("body", b"")
        if len(body) > MAX_BODY_BYTES:
            return None
        if not message.get("more_body", False):
            return bytes(body)
