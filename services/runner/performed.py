"""What performing one attempt came to: the record that is kept, the verdict on each check, hints for a retry."""

from dataclasses import dataclass, field
from uuid import UUID

from services.runner.definition import Hints
from shared.domain.account import LogIns
from shared.domain.outcome import Outcome
from shared.ledger import AttemptRecord


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is folded into a state. `check` is None for a callback, which is one thing as a whole."""

    check: str | None
    outcome: Outcome
    duration_seconds: float


@dataclass(frozen=True, slots=True)
class AccountNews:
    """What an attempt did at an account that it took under `token`, and the rules that count it."""

    fingerprint: str
    token: UUID
    log_ins: LogIns
    gap_seconds: float
    stop_after: int


@dataclass(frozen=True, slots=True)
class Performed:
    record: AttemptRecord
    verdicts: tuple[Verdict, ...] = ()
    hints: Hints = field(default=Hints())
    accounts: tuple[AccountNews, ...] = ()
