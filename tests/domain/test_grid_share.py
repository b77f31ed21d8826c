"""Fair, and never more than there is."""

import pytest

from shared.domain.grid_share import shares


@pytest.mark.parametrize(
    ("slots", "limits", "expected"),
    [
        (4, [2, 2], [2, 2]),
        (3, [2, 2], [2, 1]),
        (1, [2, 2], [1, 0]),
        (0, [2, 2], [0, 0]),
        (-1, [2], [0]),
        (10, [2, 3], [2, 3]),
        (5, [1, 10], [1, 4]),
        (7, [3, 0, 4], [3, 0, 4]),
        (5, [], []),
    ],
)
def test_slots_go_round(slots: int, limits: list[int], expected: list[int]) -> None:
    assert shares(slots, limits) == expected
