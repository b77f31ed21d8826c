"""Whose question for a name and a password (HTTP authentication) is answered."""

import pytest

from services.runner.browser.devtools.authentication import origin_to_answer


@pytest.mark.parametrize(
    ("asked", "origin"),
    [
        ("http://shop.example/staff", "http://shop.example"),
        ("https://shop.example/", "https://shop.example"),
        ("https://www.shop.example/", "https://www.shop.example"),
        ("http://www.shop.example/", "http://www.shop.example"),
        ("http://shop.example:8080/", None),
        ("https://login.shop.example/", None),
        ("https://shop.example.evil.example/", None),
    ],
)
def test_from_an_entry_point_without_tls(asked: str, origin: str | None) -> None:
    assert origin_to_answer("http://shop.example/", asked) == origin


def test_never_back_from_tls() -> None:
    assert origin_to_answer("https://shop.example/", "http://shop.example/") is None
