"""How runners share the slots of a Grid, without asking one another."""

from collections.abc import Sequence


def shares(slots: int, limits: Sequence[int]) -> list[int]:
    """One after the other each gets a slot, up to its limit, until there are none left.

    With the same order everywhere, all come to the same answer; together they never take more than there is.
    """
    given = [0] * len(limits)
    left = slots
    while left > 0 and any(got < limit for got, limit in zip(given, limits, strict=True)):
        for place, limit in enumerate(limits):
            if left > 0 and given[place] < limit:
                given[place] += 1
                left -= 1
    return given
