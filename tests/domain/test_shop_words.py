"""Which clicks make an order binding, by what their controls say."""

import pytest

from shared.domain.shop_words import binding


@pytest.mark.parametrize(
    ("clicks", "found"),
    [
        (["Place order"], [True]),
        (["Buy now with 1-click"], [True]),
        (["Order history"], [False]),
        (["Afrekenen en betalen"], [True]),
        # A short cut of the product page, and then the same words on the last button.
        (["Jetzt kaufen", "Weiter", "Jetzt kaufen"], [False, False, True]),
        (["Add to basket", "Buy now"], [False, True]),
        (["Zur Kasse", "COMPRAR AHORA"], [False, True]),
        (["Log in", "Buy now"], [False, False]),
        (["Add to basket", "Express checkout"], [False, False]),
    ],
)
def test_binding(clicks: list[str], found: list[bool]) -> None:
    assert binding([[text] for text in clicks]) == found


def test_a_click_without_words_is_none() -> None:
    assert binding([[], ["Add to basket"], ["the button", "Buy now"]]) == [False, False, True]
