"""What a site says instead of letting us in, what it asks on the way, and HTTP authentication."""

from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

from services.runner.browser.attempt import AttemptReport, Credentials
from services.runner.browser.settings import SAFE_CHROMIUM_ARGUMENTS
from tests.runner.browser.conftest import DESKTOP

Check = Callable[..., Coroutine[Any, Any, AttemptReport]]
WRONG = Credentials("probe", "last-years")


@pytest.mark.parametrize(
    ("says", "code", "message"),
    [
        ("Your password has expired and must be changed.", "credentials_rejected", "The password has expired: “"),
        ("Ihr Kennwort ist abgelaufen.", "credentials_rejected", "The password has expired: “"),
        ("Your account has been locked.", "credentials_rejected", "The account is locked: “"),
        ("Votre compte est bloqué.", "credentials_rejected", "The account is locked: “"),
        ("Too many attempts. Try again later.", "login_not_confirmed", "The site limits the attempts to log in: “"),
        ("Please verify that you are human", "captcha_or_bot_wall", "The site says: “"),
        ("The shop is down for maintenance.", "assertion_failed", "The site is under maintenance: “"),
    ],
)
async def test_refusals_are_told_apart(check: Check, site: str, says: str, code: str, message: str) -> None:
    report = await check(f"{site}/both?says={quote(says)}")
    assert report.outcome.code == code, report
    assert report.outcome.message == f"{message}{says}”"


@pytest.mark.parametrize(
    ("words", "status", "code", "message"),
    [
        ("Wartungsarbeiten bis 12 Uhr", 200, "assertion_failed", "The site is under maintenance: “Wartungsarbeiten"),
        ("Down for maintenance", 503, "http_5xx", "The site is under maintenance (503): “Down for maintenance”"),
        ("Checking your browser", 200, "captcha_or_bot_wall", "The site says: “Checking your browser”"),
    ],
)
async def test_a_wall_before_the_form(
    check: Check, site: str, words: str, status: int, code: str, message: str
) -> None:
    report = await check(f"{site}/said?words={quote(words)}&status={status}", patience_seconds=1)
    assert report.outcome.code == code, report
    assert report.outcome.message.startswith(message)


async def test_words_that_stood_there_before_do_not_count(check: Check, site: str) -> None:
    assert (await check(f"{site}/announcing")).outcome.code == "success"
    report = await check(f"{site}/announcing?page=announcing", credentials=WRONG)
    assert report.outcome.code == "login_not_confirmed", report


@pytest.mark.parametrize(
    "page",
    [
        "api_form?served=401&takes=2",
        "api_form?served=403&takes=2",
        "api_form?telemetry=403&takes=2",
        "static/storage?served=404",  # whatever the address, the same application answers
    ],
)
async def test_a_status_that_is_not_that_of_the_log_in_refuses_nothing(check: Check, site: str, page: str) -> None:
    report = await check(f"{site}/{page}", patience_seconds=4)
    assert report.outcome.code == "success", report


@pytest.mark.parametrize("query", ["", "served=401", "takes=2", "telemetry=204", "telemetry=403"])
async def test_a_status_refuses_without_words(check: Check, site: str, query: str) -> None:
    report = await check(f"{site}/api_form?{query}", credentials=WRONG)
    assert report.outcome.code == "credentials_rejected", report
    assert "answered 401 to the log-in" in report.outcome.message or query == "telemetry=403"


async def test_an_answer_that_a_person_would_be_asked_about_is_a_refusal(check: Check, site: str) -> None:
    """A browser keeps it from the page, and shows a dialog of its own, which nobody answers."""
    report = await check(f"{site}/api_form?asks=Basic", credentials=WRONG, capabilities=DESKTOP)
    assert report.outcome.code == "credentials_rejected", report
    assert "answered 401 to the log-in" in report.outcome.message


async def test_a_form_with_a_captcha_is_a_wall(check: Check, site: str) -> None:
    report = await check(f"{site}/captcha")
    assert report.outcome.code == "captcha_or_bot_wall", report


@pytest.mark.parametrize(
    ("refusal", "code"),
    [
        ("Those credentials belong to another site.", "credentials_rejected"),
        ("Your session has timed out, enter your password again.", "login_not_confirmed"),
    ],
)
async def test_a_notice_about_the_log_in_refuses_whatever_its_words(
    check: Check, site: str, refusal: str, code: str
) -> None:
    report = await check(f"{site}/both?refusal={quote(refusal)}", credentials=WRONG)
    assert report.outcome.code == code, report
    assert f"The site says: “{refusal}”" in report.outcome.message


async def test_a_refusal_in_the_page_s_own_word_for_the_password(check: Check, site: str) -> None:
    refusal = "Zauberwort: das war es leider ganz und gar"
    report = await check(f"{site}/both?word=Zauberwort&refusal={quote(refusal)}", credentials=WRONG)
    assert (report.outcome.code, report.outcome.message) == ("credentials_rejected", f"The site says: “{refusal}”")


async def test_of_a_region_that_holds_the_whole_page_only_the_notice_is_quoted(check: Check, site: str) -> None:
    report = await check(f"{site}/live_region?page=live_region", credentials=WRONG)
    assert report.outcome.message == "The site says: “Wrong user name or password.”"


async def test_what_is_offered_on_the_way_is_declined(check: Check, site: str) -> None:
    report = await check(f"{site}/both?next=stay", patience_seconds=4)
    assert report.outcome.code == "success", report
    declined = [step.detail for step in report.checks[0].steps if step.name == "decline what is offered"]
    assert declined == ["“Nein”", "“Remind me later”"]


async def test_nothing_is_agreed_to(check: Check, site: str) -> None:
    report = await check(f"{site}/both?next=terms")
    assert report.outcome.code == "login_not_confirmed", report


async def test_http_authentication(check: Check, site: str) -> None:
    report = await check(f"{site}/basic/")
    assert report.outcome.code == "success", report
    assert report.final_url == f"{site}/basic/"


@pytest.mark.parametrize(
    ("entry", "code"),
    [
        ("http://SHOP.test:{port}/basic/", "success"),
        ("http://shop.test:{port}/moved?to=http://www.shop.test:{port}/basic/", "success"),
        # Nobody stored a log-in for that host, so none is given, and none is refused.
        ("http://shop.test:{port}/moved?to=http://other.test:{port}/basic/", "http_4xx"),
    ],
)
async def test_http_authentication_where_the_entry_point_leads_to(
    check: Check, site: str, entry: str, code: str
) -> None:
    names = ("--host-resolver-rules=MAP *.test 127.0.0.1",)
    address = entry.format(port=urlsplit(site).port)
    report = await check(address, browser_arguments=SAFE_CHROMIUM_ARGUMENTS + names)
    assert report.outcome.code == code, report


async def test_http_authentication_that_is_refused(check: Check, site: str) -> None:
    report = await check(f"{site}/basic/", credentials=WRONG)
    assert report.outcome.code == "credentials_rejected", report
    assert "answered 401 to the log-in" in report.outcome.message
    told = [repr(report), *(piece.content.decode("utf-8", "replace") for piece in report.evidence)]
    assert not [text for text in told if "last-years" in text or "Basic " in text]


async def test_http_authentication_behind_a_log_in_link(check: Check, site: str) -> None:
    report = await check(f"{site}/basic_link", patience_seconds=4)
    assert report.outcome.code == "success", report
    assert report.final_url == f"{site}/basic/staff"
    report = await check(f"{site}/basic_link", credentials=WRONG, patience_seconds=4)
    assert report.outcome.code == "credentials_rejected", report


async def test_http_authentication_without_credentials(check: Check, site: str) -> None:
    report = await check(f"{site}/basic/", credentials=None)
    assert report.outcome.code == "login_not_confirmed"
    assert "No credentials are stored" in report.outcome.message
