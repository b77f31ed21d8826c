"""What every evidence store offers, and how evidence is addressed."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Protocol
from uuid import UUID

_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,80}")


class StoreUnavailable(OSError):
    """The store can't be reached, or refuses us; says which, and no secret."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the evidence of one attempt lies: under the day of its due moment (UTC), its scheduled job, its number."""

    day: date
    job: UUID
    attempt: int

    @classmethod
    def of(cls, job: UUID, due_at: datetime, attempt: int) -> "Place":
        return cls(due_at.astimezone(UTC).date(), job, attempt)

    @classmethod
    def parse(cls, path: str) -> "Place | None":
        """From `day/job/attempt`, whatever follows; None when it is not of ours."""
        try:
            day, job, attempt = path.split("/")[:3]
            return cls(date.fromisoformat(day), UUID(job), int(attempt))
        except ValueError:
            return None

    @property
    def path(self) -> str:
        return f"{self.day.isoformat()}/{self.job}/{self.attempt}"

    def file(self, name: str) -> str:
        """The path of a file. Raises FileNotFoundError when no evidence has such a name, so that no path leads out."""
        if not _NAME.fullmatch(name):
            raise FileNotFoundError(name)
        return f"{self.path}/{name}"


class EvidenceStore(Protocol):
    """Small files by place and name. Every call may raise `StoreUnavailable`; of a network, it has a timeout."""

    async def write(self, place: Place, name: str, content: bytes) -> None:
        """Whole or not at all; replaces what is there."""

    async def read(self, place: Place, name: str) -> bytes:
        """The content. Raises FileNotFoundError when it is not (or no longer) there, or the name is not one of ours."""

    async def delete(self, place: Place) -> None:
        """All of an attempt; nothing happens when there is nothing."""

    def days(self) -> AsyncIterator[date]:
        """The days that something is kept of, the earliest first."""

    def places(self, day: date) -> AsyncIterator[Place]:
        """What is kept of a day, each place once."""

    async def close(self) -> None: ...
