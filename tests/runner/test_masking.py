"""Secrets are taken out in every spelling; words that are no secrets stay."""

import html
import json
from urllib.parse import quote, quote_plus

import pytest

from services.runner.browser.attempt import Credentials
from services.runner.masking import MASK, Mask

SECRET = "pä ss/w<o>rd&\"'+=%"
MASKS = Mask.of(Credentials("monitor@acme.example", SECRET, "JBSWY3DPEHPK3PXP"))


@pytest.mark.parametrize(
    "spelling",
    [
        SECRET,
        quote(SECRET),
        quote(SECRET, safe=""),
        quote_plus(SECRET),
        quote_plus(SECRET).lower(),
        html.escape(SECRET),
        html.escape(SECRET, quote=False),
        html.escape(SECRET).replace("&#x27;", "&#39;"),
        json.dumps(SECRET)[1:-1],
        json.dumps(SECRET, ensure_ascii=False)[1:-1],
        json.dumps(SECRET)[1:-1].replace("/", "\\/"),
        "JBSWY3DPEHPK3PXP",
        "monitor@acme.example",
    ],
)
def test_every_spelling_of_a_secret_is_masked(spelling: str) -> None:
    assert MASKS.text(f"before {spelling} after") == f"before {MASK} after"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("https://a.example/cb?code=4711&state=x", "https://a.example/cb?code=***&state=x"),
        ("https://a.example/#access_token=abc", "https://a.example/#access_token=***"),
        ("https://a.example/?api_key=1&q=keyword", "https://a.example/?api_key=***&q=keyword"),
        ("https://me:secret@a.example/x", "https://***@a.example/x"),
        ("Authorization: Bearer 8f14e45fceea167a", "Authorization: Bearer ***"),
        ("got eyJhbGciOi.eyJzdWIiOi.c2lnbg from it", "got *** from it"),
        ('{"access_token": "8f14e45f", "n": 1}', '{"access_token": "***", "n": 1}'),
        ("{&quot;csrfToken&quot;:&quot;8f14e45f&quot;}", "{&quot;csrfToken&quot;:&quot;***&quot;}"),
        (r'"{\"password\":\"8f14e45f\"}"', r'"{\"password\":\"***\"}"'),
    ],
)
def test_what_is_secret_by_its_place_is_masked(text: str, masked: str) -> None:
    assert Mask(()).text(text) == masked


@pytest.mark.parametrize("text", ["basic information", '{"error_code": "unknown_account"}', "a bearer certificate"])
def test_words_stay(text: str) -> None:
    assert Mask(()).text(text) == text


def test_what_becomes_known_later_is_masked_from_then_on_and_not_to_be_seen() -> None:
    mask = Mask.of(Credentials("monitor@acme.example", "x-y-z"))
    mask.add("918273")
    mask.learn(["0b6848ff", "abc"])
    assert mask.text("the code 918273, the cookie 0b6848ff, abc") == "the code ***, the cookie ***, abc"
    assert {"918273", "0b6848ff", "x-y-z"} == set(mask.unseen)


def test_no_half_of_a_secret_is_left_at_the_end() -> None:
    assert Mask(["p4ssword"]).beginning("123456 p4ssword", 10) == "123456 ***"


def test_a_user_name_that_is_a_word_stays() -> None:
    assert Mask.of(Credentials("user", "x-y-z")).text("Wrong user name.") == "Wrong user name."


def test_fields_that_hold_secrets_lose_their_values() -> None:
    source = '<input type="password" value="abc"><input name=csrf_token value=def><input name="city" value="Rome">'
    assert Mask(()).source(source) == (
        '<input type="password" value="***"><input name=csrf_token value="***"><input name="city" value="Rome">'
    )
