"""Whether and when a scheduled job is tried again. Infrastructure and partner failures have budgets of their own."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.domain.outcome import Outcome, OutcomeClass

MAX_BACKOFF = timedelta(minutes=10)
# Trying these again by itself changes nothing at best, and locks an account at worst.
NEVER_REPEATED = frozenset({"credentials_rejected", "mfa_rejected", "captcha_or_bot_wall"})


@dataclass(frozen=True, slots=True)
class RetryBudget:
    """`attempts`: how many attempts may end in this class in all; the wait doubles from `backoff_seconds`."""

    attempts: int
    backoff_seconds: float


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    partner: RetryBudget = RetryBudget(1, 10)
    infrastructure: RetryBudget = RetryBudget(3, 15)

    def waiting_nothing(self) -> "RetryPolicy":
        """The same budgets without their waits: for what was waited out already."""
        return RetryPolicy(RetryBudget(self.partner.attempts, 0), RetryBudget(self.infrastructure.attempts, 0))


# What fails on our side is not counted against the attempts that a callback job allows its target.
OUR_CALLBACK_FAILURES = RetryPolicy(infrastructure=RetryBudget(attempts=5, backoff_seconds=5))


def retry_at(
    outcome: Outcome, failures_before: int, policy: RetryPolicy, *, now: datetime, next_due: datetime
) -> datetime | None:
    """When to try again, or None when this outcome is final.

    `failures_before` counts the earlier attempts of this scheduled job that ended in the same class. A retry never
    comes later than `next_due`, the next due moment of the schedule, since that one will ask the same question.
    """
    if outcome.outcome_class is OutcomeClass.INFRASTRUCTURE_FAILURE:
        budget = policy.infrastructure
    elif outcome.outcome_class is OutcomeClass.PARTNER_FAILURE and outcome.code not in NEVER_REPEATED:
        budget = policy.partner
    else:
        return None
    if failures_before + 1 >= budget.attempts:
        return None
    wait = min(timedelta(seconds=budget.backoff_seconds * 2 ** min(failures_before, 16)), MAX_BACKOFF)
    moment = now + wait
    return moment if moment < next_due else None
