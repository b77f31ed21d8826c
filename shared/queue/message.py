"""What travels from the dispatcher to the runner: an id and where it stands, never a specification."""

import json
from dataclasses import dataclass
from uuid import UUID

VERSION = 1
# 0 goes first: run now and high priority, then what is due, then backfill. One queue of the lane for each.
PRIORITIES = ("high", "normal", "low")


class UnreadableMessage(ValueError):
    """Not one of our messages."""


@dataclass(frozen=True, slots=True)
class Message:
    """`attempt` is the number of attempts claimed before: a message of an earlier attempt can claim nothing."""

    scheduled_job_id: UUID
    attempt: int
    lane: str
    priority: int = 1

    @property
    def queue_name(self) -> str:
        return queue_name(self.lane, self.priority)

    def encode(self) -> bytes:
        return json.dumps({"v": VERSION, "id": str(self.scheduled_job_id), "attempt": self.attempt}).encode()

    @classmethod
    def decode(cls, body: bytes, lane: str, priority: int) -> "Message":
        """Raises `UnreadableMessage` for anything that is not a message of this version."""
        try:
            fields = json.loads(body)
            if fields["v"] != VERSION:
                raise UnreadableMessage(f"version {fields['v']!r}")
            return cls(UUID(fields["id"]), int(fields["attempt"]), lane, priority)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UnreadableMessage(type(error).__name__) from error


def queue_name(lane: str, priority: int) -> str:
    return f"{lane}.{PRIORITIES[priority]}"


def queue_names(lane: str) -> list[str]:
    """The queues of a lane, the most urgent first."""
    return [f"{lane}.{name}" for name in PRIORITIES]
