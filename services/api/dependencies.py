"""What a request is given: the resources of the process, and a transaction that is committed at the edge."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker

from services.api.fields import NoFields
from services.api.settings import ApiSettings
from shared.domain.address_guard import AddressGuard
from shared.evidence_store import EvidenceStore
from shared.secret_box import SecretBox


@dataclass(frozen=True, slots=True)
class Resources:
    settings: ApiSettings
    engine: AsyncEngine
    sessions: async_sessionmaker[AsyncSession]
    secret_box: SecretBox
    evidence: EvidenceStore
    address_guard: AddressGuard


def resources(request: Request) -> Resources:
    found: Resources = request.app.state.resources
    return found


Provided = Annotated[Resources, Depends(resources)]


async def transaction(request: Request, provided: Provided) -> AsyncIterator[AsyncSession]:
    """One transaction a request. Any error rolls it back."""
    async with provided.sessions.begin() as session:
        request.state.session = session
        yield session


async def no_fields(_: NoFields | None = None) -> None:
    """For what takes no body: an unknown field is refused there as anywhere, since it is meant to do something."""


NO_FIELDS = Depends(no_fields)
# Scope "function": committed before the answer is sent, so that nobody is told of what might still fail.
Session = Annotated[AsyncSession, Depends(transaction, scope="function")]
