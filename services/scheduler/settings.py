from pydantic import Field

from shared.settings import EvidenceSettings, Settings


class SchedulerSettings(Settings, EvidenceSettings):
    """What the scheduler needs besides the database. Without `amqp_url` it must share a process with the runner.

    Evidence is kept so many days of a result that failed, and of so many passed results of each pairing.
    """

    amqp_url: str | None = None
    redis_url: str
    keep_tries_seconds: float = Field(3600, ge=60, le=604_800)
    evidence_failed_days: int = Field(30, ge=1, le=3650)
    evidence_passed_kept: int = Field(20, ge=1, le=10_000)
