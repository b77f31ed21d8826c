"""The order of the protocol, proved by looking at every state; and each known wrong order, found by the same look."""

import pytest

from tests.faults.protocol_model import Broken, Mutation, Protocol
from tests.faults.protocol_search import explore


@pytest.mark.parametrize(
    ("moments", "faults", "at_least"),
    [
        (1, 2, 50_000),
        (2, 0, 4_000),
        pytest.param(2, 1, 100_000, marks=pytest.mark.long),
        pytest.param(1, 3, 500_000, marks=[pytest.mark.long, pytest.mark.timeout(600)]),
    ],
)
def test_every_due_moment_is_recorded_once(moments: int, faults: int, at_least: int) -> None:
    verdict = explore(Protocol(moments=moments, faults=faults))
    print(verdict)
    assert not verdict.broken
    # A model in which little can happen proves little.
    assert verdict.states > at_least


@pytest.mark.parametrize(
    ("mutation", "breaks", "needs"),
    [
        # The sweep of what is unclaimed saves it after two minutes; without that sweep it is lost, see below.
        (Mutation.MARK_BEFORE_PUBLISH, Broken.STRANDED, "scheduler crashes"),
        (Mutation.REDIS_BEFORE_PUBLISH, Broken.LOST, "scheduler crashes"),
        (Mutation.NEVER_REPUBLISH, Broken.LOST, "broker wiped"),
        (Mutation.NO_LEASE_SWEEP, Broken.LOST, "runner crashes"),
        (Mutation.RESCUE_ON_STALE_READ, Broken.ROBBED, "rescuer writes"),
        (Mutation.RESCUE_WRITES_ROW_BACK, Broken.RECORDED_TWICE, "rescuer writes"),
        (Mutation.FINISH_BY_STATE, Broken.WRONG_HOLDER, "runner paused"),
        (Mutation.PLAN_WITHOUT_COMPARE, Broken.RECORDED_TWICE, "plan 0"),
    ],
    ids=str,
)
def test_each_wrong_order_is_found(mutation: Mutation, breaks: Broken, needs: str) -> None:
    verdict = explore(Protocol(mutation))
    print(verdict)
    assert verdict.broken == breaks
    assert any(name.startswith(needs) for name in verdict.trace)


def test_without_the_slow_sweep_only_the_right_order_survives_a_crash() -> None:
    """With a broker that keeps its data, nothing but the wrong order needs that sweep."""
    right = explore(Protocol(Mutation.NEVER_REPUBLISH, wipes=False))
    wrong = explore(Protocol(Mutation.NEVER_REPUBLISH, Mutation.MARK_BEFORE_PUBLISH, wipes=False))
    print(right, wrong, sep="\n")
    assert not right.broken
    assert wrong.broken == Broken.LOST
