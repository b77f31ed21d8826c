"""From a claimed callback to what is recorded of it: opened, rendered, sent, and never too many to one host."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC
from urllib.parse import urlsplit

from services.runner.callback.send import CallbackSender
from services.runner.callback.task import CallbackTask
from services.runner.claim import Claimed
from services.runner.definition import CallbackDefinition, Hints
from services.runner.performed import Performed, Verdict
from services.runner.postponed import Postponed
from services.runner.slots import Slots
from shared.domain.callback import SuccessRule, parse_status_codes, render, render_url
from shared.ledger import AttemptRecord
from shared.secret_box import SecretBox

# So long a callback may hold a slot while its host is busy; then it makes room for callbacks to other hosts.
HOST_PATIENCE_SECONDS = 1.0
AGAIN_IN_SECONDS = 2.0


class HostBusy(Postponed):
    """As many callbacks to this host are under way as may be; this one was not begun."""

    again_in_seconds = AGAIN_IN_SECONDS


class Hosts:
    """How many callbacks are under way to each host."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._hosts: dict[str, Slots] = {}

    @asynccontextmanager
    async def taken(self, host: str) -> AsyncIterator[None]:
        """Holds a place inside. Raises `HostBusy` when none becomes free soon."""
        slots = self._hosts.setdefault(host, Slots(self._limit))
        try:
            async with asyncio.timeout(HOST_PATIENCE_SECONDS):
                await slots.take()
        except TimeoutError:
            raise HostBusy from None
        try:
            yield
        finally:
            slots.give_back()
            if not slots.busy:
                self._hosts.pop(host, None)


@dataclass(frozen=True, slots=True)
class CallbackPerformer:
    box: SecretBox
    sender: CallbackSender
    hosts: Hosts = field(default_factory=lambda: Hosts(50))

    def limit_seconds(self, claimed: Claimed) -> float:
        """All that one attempt may take, with its wait for the host."""
        return claimed.definition.timeout_seconds + HOST_PATIENCE_SECONDS

    async def perform(self, claimed: Claimed) -> Performed:
        """Raises `SecretUnreadable`, and `HostBusy` when it was not begun."""
        task = _task_of(claimed, self.box)
        async with self.hosts.taken(urlsplit(task.url).netloc):
            report = await self.sender.send(task)
        record = AttemptRecord(
            outcome=report.outcome,
            started_at=claimed.started_at,
            duration_seconds=round(report.duration_seconds, 3),
            response=report.response,
            traceback=report.traceback,
        )
        verdict = Verdict(None, report.outcome, report.duration_seconds)
        return Performed(record, (verdict,), Hints(report.retry_after_seconds, report.forbidden))


def _task_of(claimed: Claimed, box: SecretBox) -> CallbackTask:
    definition = claimed.definition
    assert isinstance(definition, CallbackDefinition)
    values = {
        "scheduled_job_id": str(claimed.message_id),
        "job_id": str(definition.job_id),
        "due_at": claimed.nominal_due_at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "attempt": str(claimed.attempt),
    }
    secret_headers = box.open(definition.sealed_headers) if definition.sealed_headers else {}
    signing = box.open(definition.sealed_signing_secrets) if definition.sealed_signing_secrets else {}
    success = definition.success
    return CallbackTask(
        scheduled_job_id=claimed.id,
        message_id=claimed.message_id,
        job_id=definition.job_id,
        attempt=claimed.attempt,
        due_at=claimed.nominal_due_at,
        url=render_url(definition.url, values),
        method=definition.method.upper(),
        headers=render(definition.headers, values),
        secret_headers=render(secret_headers, values),
        payload=render(definition.payload, values),
        sends_payload=definition.method.upper() in ("POST", "PUT", "PATCH") or bool(definition.payload),
        signing_secrets=tuple(signing.get("secrets", ())),
        timeout_seconds=definition.timeout_seconds,
        slow_after_seconds=definition.slow_after_seconds,
        success=SuccessRule(parse_status_codes(success["status_codes"]), success.get("body_contains")),
        max_redirects=definition.max_redirects,
    )
