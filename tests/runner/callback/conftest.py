"""Targets, tasks for them, and senders with an allow-list."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio

from services.runner.callback.send import CallbackSender
from services.runner.callback.task import CallbackTask
from shared.domain.address_guard import AddressGuard
from shared.domain.callback import SuccessRule
from tests.runner.callback.target import Target

MESSAGE = UUID("0b6c6a2e-4d0e-4b0a-9d0c-2f8a3f6f5a01")

Senders = Callable[..., Awaitable[CallbackSender]]


def task_for(url: str, **changes: Any) -> CallbackTask:
    """A POST of {"a": 1} without secrets."""
    fields: dict[str, Any] = {
        "scheduled_job_id": UUID(int=1),
        "message_id": MESSAGE,
        "job_id": UUID(int=2),
        "attempt": 1,
        "due_at": datetime(2026, 3, 10, 12, tzinfo=UTC),
        "url": url,
        "method": "POST",
        "headers": {},
        "secret_headers": {},
        "payload": {"a": 1},
        "sends_payload": True,
        "signing_secrets": (),
        "timeout_seconds": 30.0,
        "slow_after_seconds": None,
        "success": SuccessRule(),
        "max_redirects": 5,
    }
    return CallbackTask(**(fields | changes))


@pytest_asyncio.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as entered:
        yield entered


@pytest_asyncio.fixture
async def target(stack: AsyncExitStack) -> Target:
    return await stack.enter_async_context(Target())


@pytest.fixture
def senders(stack: AsyncExitStack) -> Senders:
    """Makes senders from what their guards allow."""

    async def made(*allow: str, control_url: str | None = None, connections: int = 100) -> CallbackSender:
        sender = CallbackSender(AddressGuard(allow), connections=connections, control_url=control_url)
        return await stack.enter_async_context(sender)

    return made


@pytest_asyncio.fixture
async def sender(senders: Senders) -> CallbackSender:
    return await senders("127.0.0.1")
