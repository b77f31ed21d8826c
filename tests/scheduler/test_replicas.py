"""Every shard has exactly one owner, and little moves when owners come and go."""

from uuid import UUID

from services.scheduler.replicas import owned_shards
from shared.domain.schedule import SHARDS

FOUR = [UUID(int=number) for number in range(1, 5)]
ALL = frozenset(range(SHARDS))


def test_every_shard_has_exactly_one_owner() -> None:
    for count in range(1, 5):
        alive = dict.fromkeys(FOUR[:count], True)
        owned = [shard for me in alive for shard in owned_shards(me, alive)]
        assert sorted(owned) == list(range(SHARDS))


def test_only_the_shards_of_the_one_that_left_move() -> None:
    for me in FOUR[:3]:
        assert owned_shards(me, dict.fromkeys(FOUR, True)) <= owned_shards(me, dict.fromkeys(FOUR[:3], True))


def test_it_counts_itself_among_the_living() -> None:
    assert owned_shards(FOUR[0], {}) == ALL


def test_the_one_that_the_broker_does_not_answer_owns_nothing_while_it_answers_another() -> None:
    alive = {FOUR[0]: True, FOUR[1]: False}
    assert (owned_shards(FOUR[0], alive), owned_shards(FOUR[1], alive)) == (ALL, frozenset())


def test_a_broker_that_answers_nobody_leaves_the_shards_where_they_are() -> None:
    gone, well = dict.fromkeys(FOUR, False), dict.fromkeys(FOUR, True)
    assert [owned_shards(me, gone) for me in FOUR] == [owned_shards(me, well) for me in FOUR]
