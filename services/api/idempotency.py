"""The same POST with the same `Idempotency-Key` gets the same answer, and happens once.

The key is written in the request's own transaction, so the answer is kept if and only if its effects are. A second
request with the key waits at the unique index until the first has ended.
"""

import hashlib
import hmac
import json
from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import Depends, Header, Request, Response
from fastapi.routing import APIRoute
from sqlalchemy import select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.api.auth import Author
from services.api.dependencies import Provided, Session
from services.api.errors import IdempotencyKeyReused
from shared.models import IdempotencyKey

KeyHeader = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        pattern=r"^[\x21-\x7e]+$",
        description="Any unique text: a repeat with the same key within a day gets the first answer again.",
    ),
]
_FORGET = text("""
    DELETE FROM idempotency_keys WHERE key IN (
        SELECT key FROM idempotency_keys WHERE created_at < now() - interval '1 day' LIMIT 100 FOR UPDATE SKIP LOCKED)
""")


class AlreadyAnswered(Exception):
    """The key was used for the same request before; holds what was answered."""

    def __init__(self, status: int, kept: dict[str, Any]) -> None:
        self.status = status
        self.kept = kept


async def remember(
    request: Request, session: Session, provided: Provided, author: Author, key: KeyHeader = None
) -> None:
    if key is None:
        return
    body = await request.body()
    # Keyed hashes: a plain one would let a reader of the table try passwords against the hash of a request.
    secrets = provided.settings.keys()
    hashes = [_hash_request(request, body, secret) for secret in secrets]
    stored_key = hashlib.sha256(f"{author.id}:{key}".encode()).hexdigest()
    await session.execute(_FORGET)
    claim = insert(IdempotencyKey).values(key=stored_key, request_sha256=hashes[0]).on_conflict_do_nothing()
    claimed = await session.scalar(claim.returning(IdempotencyKey.key))
    if claimed is None:
        former = (await session.scalars(select(IdempotencyKey).where(IdempotencyKey.key == stored_key))).one()
        if not any(hmac.compare_digest(former.request_sha256, candidate) for candidate in hashes):
            raise IdempotencyKeyReused
        if former.status is not None and former.body is not None:
            raise AlreadyAnswered(former.status, former.body)
    request.state.idempotency_key = stored_key


IDEMPOTENT = Depends(remember)


class IdempotentRoute(APIRoute):
    """Keeps the answer to a request that `remember` saw, in the request's transaction, before that is committed."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_and_keep(request: Request) -> Response:
            try:
                response = await handle(request)
            except AlreadyAnswered as answer:
                return _replay(answer)
            key = getattr(request.state, "idempotency_key", None)
            if key is not None:
                await _keep(request.state.session, key, response)
            return response

        return handle_and_keep


async def _keep(session: AsyncSession, key: str, response: Response) -> None:
    kept = {"answer": json.loads(bytes(response.body)), "location": response.headers.get("location")}
    change = update(IdempotencyKey).where(IdempotencyKey.key == key)
    await session.execute(change.values(status=response.status_code, body=kept))


def _replay(answer: AlreadyAnswered) -> Response:
    headers = {"Idempotent-Replayed": "true"}
    if answer.kept["location"]:
        headers["Location"] = answer.kept["location"]
    content = json.dumps(answer.kept["answer"], ensure_ascii=False, separators=(",", ":"))
    return Response(content, answer.status, headers, media_type="application/json")


def _hash_request(request: Request, body: bytes, secret: str) -> bytes:
    line = f"{request.method} {request.url.path}?{request.url.query}\n".encode()
    return hmac.new(secret.encode(), line + body, hashlib.sha256).digest()
