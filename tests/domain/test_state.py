"""The state of a check, folded from one outcome after the other, by tables."""

from datetime import UTC, datetime, timedelta

import pytest

from shared.domain.outcome import CATALOGUE, Outcome, OutcomeClass
from shared.domain.state import CheckState, State, fold

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
WORDS = {"+": "success", "~": "slow", "-": "http_5xx", "!": "grid_unreachable", "o": "skipped_overlap"}
OURS = [
    code
    for code, entry in CATALOGUE.items()
    if entry.outcome_class in (OutcomeClass.INFRASTRUCTURE_FAILURE, OutcomeClass.NOT_RUN)
]


def after(story: str, failing_after: int = 2, working_after: int = 2, state: CheckState | None = None) -> CheckState:
    """The state after a story, one outcome a minute."""
    state = state or CheckState()
    begin = 0 if state.judged_due_at is None else int((state.judged_due_at - NOON).total_seconds()) // 60 + 1
    for minute, sign in enumerate(story, begin):
        state = told(state, WORDS[sign], minute, failing_after, working_after)
    return state


def told(state: CheckState, code: str, minute: int, failing_after: int = 2, working_after: int = 2) -> CheckState:
    due_at = NOON + timedelta(minutes=minute)
    now = due_at + timedelta(seconds=5)
    return fold(state, Outcome(code), due_at=due_at, now=now, failing_after=failing_after, working_after=working_after)


@pytest.mark.parametrize(
    ("story", "state"),
    [
        ("", "unknown"),
        ("+", "working"),
        ("~", "degraded"),
        ("+~", "degraded"),
        ("~+", "working"),
        ("-", "unknown"),
        ("+-", "working"),
        ("+--", "failing"),
        ("--", "failing"),
        ("+-+-+-", "working"),
        ("+--+", "failing"),
        ("+--++", "working"),
        ("+--+~", "degraded"),
        ("+--+-+", "failing"),
        ("+-!-", "failing"),
        ("!!!", "unknown"),
        ("+!!o!", "working"),
        ("--!+o+", "working"),
    ],
)
def test_stories(story: str, state: str) -> None:
    assert after(story).state == state


def test_the_limits_are_those_of_the_job_configuration() -> None:
    assert after("-", failing_after=1).state is State.FAILING
    assert after("----", failing_after=5).state is State.UNKNOWN
    assert after("-+", failing_after=1, working_after=1).state is State.WORKING


@pytest.mark.parametrize("code", OURS)
def test_what_is_ours_or_did_not_run_changes_nothing(code: str) -> None:
    for before in (CheckState(), after("+"), after("+-"), after("--+")):
        assert told(before, code, 99) is before


@pytest.mark.parametrize("code", ["success", "slow", "http_5xx"])
def test_a_late_older_result_never_overwrites_a_newer_one(code: str) -> None:
    before = after("++-")
    assert told(before, code, 1) is before
    assert told(before, code, 2) is before


def test_since_is_when_the_state_began_and_stays() -> None:
    working = after("+")
    assert working.since == NOON + timedelta(seconds=5)
    assert after("++-", state=working).since == working.since
    assert after("--", state=working).since == NOON + timedelta(minutes=2, seconds=5)
