"""The state of one partner x browser x check, folded from outcomes one at a time."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from shared.domain.outcome import Outcome, OutcomeClass


class State(StrEnum):
    WORKING = "working"
    DEGRADED = "degraded"
    FAILING = "failing"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class CheckState:
    """`judged_due_at` is the due moment of the newest result that was folded in; None before the first."""

    state: State = State.UNKNOWN
    since: datetime | None = None
    judged_due_at: datetime | None = None
    failures_in_a_row: int = 0
    passes_in_a_row: int = 0


def fold(
    before: CheckState, outcome: Outcome, *, due_at: datetime, now: datetime, failing_after: int, working_after: int
) -> CheckState:
    """The state after one more outcome. What is ours or did not run changes nothing; nor does a late older one."""
    if outcome.outcome_class in (OutcomeClass.INFRASTRUCTURE_FAILURE, OutcomeClass.NOT_RUN):
        return before
    if before.judged_due_at is not None and due_at <= before.judged_due_at:
        return before
    if outcome.success:
        after = replace(before, failures_in_a_row=0, passes_in_a_row=before.passes_in_a_row + 1)
        reached = State.WORKING if outcome.outcome_class is OutcomeClass.PASSED else State.DEGRADED
        recovering = before.state is State.FAILING and after.passes_in_a_row < working_after
        state = before.state if recovering else reached
    else:
        after = replace(before, failures_in_a_row=before.failures_in_a_row + 1, passes_in_a_row=0)
        state = State.FAILING if after.failures_in_a_row >= failing_after else before.state
    since = before.since if state is before.state else now
    return replace(after, state=state, since=since, judged_due_at=due_at)
