from pydantic import Field

from shared.settings import Settings


class SchedulerSettings(Settings):
    """What the scheduler needs besides the database. Without `amqp_url` it must share a process with the runner."""

    amqp_url: str | None = None
    redis_url: str
    keep_tries_seconds: float = Field(3600, ge=60, le=604_800)
