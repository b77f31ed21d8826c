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


@pytest.mark.parametrize(
    ("source", "masked"),
    [
        ("<input type=hidden name=csrf value=CSRFSECRET987654>", '<input type=hidden name=csrf value="***">'),
        ('<input value="a1b2>c3d4" name="_csrf" type="hidden">', '<input value="***" name="_csrf" type="hidden">'),
        ('<input type="hidden" id="__VIEWSTATE" value="x">', '<input type="hidden" id="__VIEWSTATE" value="***">'),
        (
            "<input type='hidden' name='wp_nonce_field' value='x'>",
            "<input type='hidden' name='wp_nonce_field' value=\"***\">",
        ),
        ('<meta name="csrf-token" content="x">', '<meta name="csrf-token" content="***">'),
        ('<meta content="x" name="_csrf">', '<meta content="***" name="_csrf">'),
    ],
)
def test_hidden_fields_and_metas_lose_their_values_by_what_they_are_called(source: str, masked: str) -> None:
    assert Mask(()).source(source) == masked


@pytest.mark.parametrize(
    "source",
    [
        '<input type="hidden" name="next" value="/account">',
        '<input type="text" name="session_title" value="Opening">',
        '<meta name="description" content="A secret garden">',
        '<input data-type="hidden" data-name="csrf" value="x">',
        '<input type="hidden" data-hint="name=csrf" value="x">',
    ],
)
def test_other_fields_and_metas_keep_their_values(source: str) -> None:
    assert Mask(()).source(source) == source


def test_what_such_a_field_holds_is_masked_everywhere_unless_it_is_a_word() -> None:
    mask = Mask(())
    mask.source(
        '<input type=hidden name=nonce value="a1b2c3&amp;4e"><input type=hidden name=csrf_param value="username">'
    )
    assert mask.text("the nonce a1b2c3&4e of the username") == "the nonce *** of the username"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("failed with token=abc.SECRET.xyz, sorry", "failed with token=***, sorry"),
        ("key=a secret=b password=c session=d code=e", "key=*** secret=*** password=*** session=*** code=***"),
        ("api_key='a b'; next", "api_key=***; next"),
        ('{"code": "481516", "key":"k-2342"}', '{"code": "***", "key":"***"}'),
        ("{session: s-481516}", "{session: ***}"),
        ("csrf = 8f14e45f", "csrf = ***"),
    ],
)
def test_pairs_that_are_logged_are_masked_by_their_names(text: str, masked: str) -> None:
    assert Mask(()).logged(text) == masked
    assert Mask(()).logged(masked) == masked


@pytest.mark.parametrize(
    "text",
    [
        "SyntaxError: Unexpected token: identifier",
        "Invalid password: required field",
        "WebSocket closed with code: 1006",
        '{"error_code": "unknown_account"}',
        "the key is in the lock, keyboard=qwerty",
    ],
)
def test_words_that_are_logged_stay(text: str) -> None:
    assert Mask(()).logged(text) == text
