"""What travels from the dispatcher to the runner: an id and where it stands, never a specification."""

import json
from dataclasses import dataclass
from uuid import UUID

VERSION = 1


class UnreadableMessage(ValueError):
    """Not one of our messages."""


@dataclass(frozen=True, slots=True)
class Message:
    """`attempt` is the number of attempts claimed before: a message of an earlier attempt can claim nothing."""

    scheduled_job_id: UUID
    attempt: int
    lane: str
    high_priority: bool = False

    @property
    def queue_name(self) -> str:
        return queue_name(self.lane, self.high_priority)

    def encode(self) -> bytes:
        return json.dumps({"v": VERSION, "id": str(self.scheduled_job_id), "attempt": self.attempt}).encode()

    @classmethod
    def decode(cls, body: bytes, lane: str, high_priority: bool) -> "Message":
        """Raises `UnreadableMessage` for anything that is not a message of this version."""
        try:
            fields = json.loads(body)
            if fields["v"] != VERSION:
                raise UnreadableMessage(f"version {fields['v']!r}")
            return cls(UUID(fields["id"]), int(fields["attempt"]), lane, high_priority)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UnreadableMessage(type(error).__name__) from error


def queue_name(lane: str, high_priority: bool) -> str:
    return f"{lane}.{'high' if high_priority else 'normal'}"
