"""Every shard has exactly one owner, and little moves when owners come and go."""

from uuid import UUID

from services.scheduler.replicas import owned_shards
from shared.domain.schedule import SHARDS

FOUR = [UUID(int=number) for number in range(1, 5)]


def test_every_shard_has_exactly_one_owner() -> None:
    for count in range(1, 5):
        owned = [shard for me in FOUR[:count] for shard in owned_shards(me, FOUR[:count])]
        assert sorted(owned) == list(range(SHARDS))


def test_only_the_shards_of_the_one_that_left_move() -> None:
    for me in FOUR[:3]:
        assert owned_shards(me, FOUR) <= owned_shards(me, FOUR[:3])


def test_it_counts_itself_among_the_living() -> None:
    assert owned_shards(FOUR[0], []) == frozenset(range(SHARDS))
