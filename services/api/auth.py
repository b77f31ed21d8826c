"""Who asks, and what they may do. Keys are 256 random bits; only their SHA-256 is stored."""

import hashlib
import secrets
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.api.dependencies import Provided, Resources, Session
from services.api.errors import Forbidden, Unauthenticated
from shared.models import ApiKey

Scope = Literal["read", "run", "write", "admin"]
SCOPES: tuple[Scope, ...] = ("read", "run", "write", "admin")
"""Each includes those before it."""
ANONYMOUS = "anonymous"
KEY_PREFIX = "pk_"
COOKIE = "parakeet_key"

bearer = HTTPBearer(
    scheme_name="api_key",
    description="A key made by `python -m services.api.keys create --name ops --scope write`.",
    auto_error=False,
)
Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]


@dataclass(frozen=True, slots=True)
class Principal:
    """`id` tells apart whose idempotency keys are whose; `name` is what people see as the author."""

    id: str
    name: str
    scopes: frozenset[str]

    def may(self, scope: Scope) -> bool:
        return any(held in self.scopes for held in SCOPES[SCOPES.index(scope) :])


def new_key() -> str:
    return KEY_PREFIX + secrets.token_urlsafe(32)


def hash_key(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "replace")).digest()


async def authenticate(request: Request, session: Session, provided: Provided, credentials: Credentials) -> Principal:
    return await identify(request, session, provided, credentials.credentials if credentials else None)


async def authenticate_reader(
    request: Request, session: Session, provided: Provided, credentials: Credentials
) -> Principal:
    """Also by the cookie of a sign-in, which a browser sends by itself: only for what is read and changes nothing."""
    sent = credentials.credentials if credentials else request.cookies.get(COOKIE)
    return await identify(request, session, provided, sent)


async def identify(request: Request, session: AsyncSession, provided: Resources, sent: str | None) -> Principal:
    """Whose key this is. Raises `Unauthenticated`."""
    if provided.settings.auth == "off":
        _refuse_foreign_pages(request)
        return Principal(ANONYMOUS, ANONYMOUS, frozenset(SCOPES))
    # The same work whatever was sent: a hash, and a look-up by the hash, which tells nothing about other keys.
    presented = hash_key(sent or "")
    key = await session.scalar(select(ApiKey).where(ApiKey.sha256 == presented))
    if sent is None or key is None or key.revoked_at is not None:
        raise Unauthenticated("Send a valid API key as `Authorization: Bearer <key>`.")
    return Principal(str(key.id), key.name, frozenset(key.scopes))


Author = Annotated[Principal, Depends(authenticate)]


def require(scope: Scope) -> Any:
    """A route's dependency: the caller's key holds this scope or one that includes it."""

    async def check(principal: Author) -> None:
        if not principal.may(scope):
            raise Forbidden(f"This needs a key with the scope `{scope}`.")

    return Depends(check)


async def _may_read(principal: Annotated[Principal, Depends(authenticate_reader)]) -> None:
    if not principal.may("read"):
        raise Forbidden("This needs a key with the scope `read`.")


READ, RUN, WRITE, ADMIN = (require(scope) for scope in SCOPES)
READ_IN_BROWSER = Depends(_may_read)


def is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _refuse_foreign_pages(request: Request) -> None:
    """Without keys the only guard is the loopback address, and any web page in a browser here could reach that."""
    host = _host(f"//{request.headers.get('host', '')}")
    origin = request.headers.get("origin")
    if not is_loopback(host) or (origin is not None and urlsplit_netloc(origin) != request.headers.get("host")):
        raise Forbidden("With authentication off, only this machine's own pages and programs are served.")


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def urlsplit_netloc(url: str) -> str:
    try:
        return urlsplit(url).netloc
    except ValueError:
        return ""
