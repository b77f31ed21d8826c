"""The automatic log-in against pages as partners make them."""

from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from examples.shop.app import PASSWORD, REFUSAL
from services.runner.browser.attempt import AttemptReport, CheckTask, Credentials

Check = Callable[..., Coroutine[Any, Any, AttemptReport]]


@pytest.mark.parametrize(
    "partner",
    [
        "acme",
        "globex",  # name first
        "late",  # the form is rendered 0.8 s late
        "wonka",  # beside registration, search and newsletter
        "strict",
        "spa",  # no names, a disabled button, an SSO button above it, no navigation
        "frame",
        "decoy",  # transparent and hidden forms; the real one is two shadow roots deep
        "dialog",  # opens from a button
    ],
)
async def test_logs_in(check: Check, shop: str, partner: str) -> None:
    report = await check(f"{shop}/{partner}/login", patience_seconds=5)
    assert report.outcome.code == "success", report
    assert report.final_url == f"{shop}/{partner}/account"
    assert report.session is not None
    assert report.session.browser_name.startswith("chrome")


@pytest.mark.parametrize("partner", ["initech", "strict"])
async def test_quotes_the_site_that_refuses(check: Check, shop: str, partner: str) -> None:
    report = await check(f"{shop}/{partner}/login", credentials=Credentials("probe", "last-years"))
    assert report.outcome.code == "credentials_rejected"
    assert report.outcome.message == f"The site says: “{REFUSAL}”"
    assert not report.outcome.success


async def test_a_refused_user_name_is_a_refusal(check: Check, shop: str) -> None:
    report = await check(f"{shop}/globex/login", credentials=Credentials("nobody", PASSWORD))
    assert report.outcome.code == "credentials_rejected"
    assert report.outcome.message == "The site says: “Unknown user name.”"


async def test_the_status_of_a_script_s_request_tells_a_refusal_without_words(check: Check, shop: str) -> None:
    report = await check(f"{shop}/spa/login", credentials=Credentials("probe", "last-years"))
    assert report.outcome.code == "credentials_rejected"
    assert "answered 401 to the log-in" in report.outcome.message


@pytest.mark.parametrize(
    ("partner", "code", "message"),
    [
        ("umbrella", "login_form_not_found", "No log-in form appeared"),
        ("mute", "login_not_confirmed", "the entry point asks to log in again"),
        ("standing", "login_not_confirmed", "The form still stands after 2 s."),
        ("forgetful", "session_not_kept", "asked to log in again right after"),
        ("alert", "unexpected_dialog", "Our terms have changed."),
        ("hooli", "http_5xx", "answered 500."),
        ("crashing", "http_5xx", "answered 500."),
        ("forbidden", "http_4xx", "answered 403."),
        ("circle", "sso_loop", "ERR_TOO_MANY_REDIRECTS"),
    ],
)
async def test_says_what_broke(check: Check, shop: str, partner: str, code: str, message: str) -> None:
    report = await check(f"{shop}/{partner}/login")
    assert report.outcome.code == code, report.outcome
    assert message in report.outcome.message
    assert [piece.name for piece in report.evidence][:3] == ["screenshot.jpg", "page.html", "network.json"]


async def test_a_log_in_over_the_warning_limit_is_slow(check: Check, shop: str) -> None:
    report = await check(f"{shop}/acme/login", slow_after_seconds=0.01)
    assert report.outcome.code == "slow"
    assert report.outcome.success


async def test_waits_for_a_slow_answer_longer_than_for_a_quiet_page(check: Check, shop: str) -> None:
    report = await check(f"{shop}/slow/login", slow_after_seconds=5, patience_seconds=1)
    assert report.outcome.code == "slow", report


async def test_without_credentials_nothing_is_submitted(check: Check, shop: str) -> None:
    report = await check(f"{shop}/acme/login", credentials=None)
    assert report.outcome.code == "login_not_confirmed"
    assert "No credentials are stored" in report.outcome.message


async def test_a_check_that_does_not_exist_is_our_error(check: Check, shop: str) -> None:
    report = await check(f"{shop}/acme/login", checks=(CheckTask("dance", shop, None),))
    assert report.outcome.code == "internal_error"


async def test_a_page_that_shows_the_password_everywhere_leaks_it_nowhere(check: Check, shop: str) -> None:
    secret = "p4ss/word&<ü>\"'"
    report = await check(f"{shop}/leaky/login", credentials=Credentials("probe", secret))
    assert report.outcome.code == "credentials_rejected"
    told = [repr(report), report.outcome.message, *report.console_errors, report.final_url or ""]
    told += [piece.content.decode() for piece in report.evidence if piece.name == "page.html"]
    assert not [text for text in told if "p4ss" in text]
    assert report.console_errors
