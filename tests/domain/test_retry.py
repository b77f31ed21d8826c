"""Whether and when a scheduled job is tried again, by tables."""

from datetime import UTC, datetime, timedelta

import pytest

from shared.domain.outcome import CATALOGUE, Outcome, OutcomeClass
from shared.domain.retry import MAX_BACKOFF, NEVER_REPEATED, RetryBudget, RetryPolicy, retry_at
from shared.domain.schedule import NEVER

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
POLICY = RetryPolicy(partner=RetryBudget(2, 10), infrastructure=RetryBudget(4, 15))


def wait(code: str, failures: int, policy: RetryPolicy = POLICY, next_due: datetime = NEVER) -> float | None:
    moment = retry_at(Outcome(code), failures, policy, now=NOW, next_due=next_due)
    return None if moment is None else (moment - NOW).total_seconds()


@pytest.mark.parametrize(
    ("code", "failures", "seconds"),
    [
        ("grid_unreachable", 0, 15),
        ("grid_unreachable", 1, 30),
        ("grid_unreachable", 2, 60),
        ("grid_unreachable", 3, None),
        ("http_5xx", 0, 10),
        ("http_5xx", 1, None),
        ("success", 0, None),
        ("slow", 0, None),
    ],
)
def test_each_class_has_a_budget_of_its_own_and_waits_double(code: str, failures: int, seconds: float | None) -> None:
    assert wait(code, failures) == seconds


def test_by_default_a_partner_failure_is_final_and_an_infrastructure_failure_is_not() -> None:
    assert wait("http_5xx", 0, RetryPolicy()) is None
    assert wait("runner_lost", 0, RetryPolicy()) == 15


@pytest.mark.parametrize("code", sorted(NEVER_REPEATED))
def test_what_could_lock_an_account_is_never_tried_again(code: str) -> None:
    assert wait(code, 0, RetryPolicy(partner=RetryBudget(10, 1))) is None


@pytest.mark.parametrize("code", sorted(code for code, entry in CATALOGUE.items() if entry.outcome_class == "not_run"))
def test_what_did_not_run_is_not_tried_again(code: str) -> None:
    assert Outcome(code).outcome_class is OutcomeClass.NOT_RUN
    assert wait(code, 0) is None


def test_a_wait_has_an_upper_bound() -> None:
    generous = RetryPolicy(infrastructure=RetryBudget(1_000, 60))
    assert wait("node_lost", 900, generous) == MAX_BACKOFF.total_seconds()


@pytest.mark.parametrize(("seconds_to_next", "seconds"), [(14, None), (15, None), (16, 15)])
def test_no_retry_comes_after_the_next_due_moment(seconds_to_next: int, seconds: float | None) -> None:
    assert wait("node_lost", 0, next_due=NOW + timedelta(seconds=seconds_to_next)) == seconds
