"""What a log-in is believed by, where the page says little: forms that come late, words that mean something else."""

from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import quote

import pytest

from services.runner.browser.attempt import AttemptReport, Credentials

Check = Callable[..., Coroutine[Any, Any, AttemptReport]]
WRONG = Credentials("probe", "last-years")


async def test_a_form_that_comes_late_is_not_gone(check: Check, site: str) -> None:
    report = await check(f"{site}/very_late?back=very_late", credentials=WRONG, patience_seconds=5)
    assert report.outcome.code == "login_not_confirmed", report
    assert "The form still stands" in report.outcome.message


async def test_behind_a_form_that_comes_late(check: Check, site: str) -> None:
    report = await check(f"{site}/very_late", patience_seconds=5)
    assert report.outcome.code == "success", report


@pytest.mark.parametrize(
    "words",
    [
        "Last failed login attempt: yesterday 12:00.",
        "Scheduled maintenance on Sunday, 2 to 4 am.",
        "Invoice 17: customer details could not be found",
    ],
)
async def test_words_behind_the_log_in_refuse_nobody(check: Check, site: str, words: str) -> None:
    entry = f"{site}/board?words={quote(words)}"
    report = await check(entry)
    assert report.outcome.code == "success", report
    assert (await check(entry, credentials=WRONG)).outcome.code == "credentials_rejected"


async def test_a_new_password_is_asked_for(check: Check, site: str) -> None:
    report = await check(f"{site}/both?next=new_password")
    assert report.outcome.code == "credentials_rejected", report
    assert report.outcome.message == "The password has expired: “Time for a change”"


async def test_what_a_picture_shows_is_asked_for(check: Check, site: str) -> None:
    report = await check(f"{site}/both?next=picture", patience_seconds=2)
    assert report.outcome.code == "captcha_or_bot_wall", report


@pytest.mark.parametrize(("size", "code"), [("normal", "captcha_or_bot_wall"), ("invisible", "login_not_confirmed")])
async def test_a_box_to_be_ticked_is_a_wall_and_a_badge_is_none(check: Check, site: str, size: str, code: str) -> None:
    report = await check(f"{site}/both?next=box&other={size}", patience_seconds=2)
    assert report.outcome.code == code, report


async def test_fields_marked_as_wrong_are_a_refusal(check: Check, site: str) -> None:
    report = await check(f"{site}/marked", credentials=WRONG, patience_seconds=2)
    assert report.outcome.code == "credentials_rejected", report
    assert "marks what was given as wrong" in report.outcome.message


async def test_a_page_that_leads_on_by_itself_is_not_the_last(check: Check, site: str) -> None:
    report = await check(f"{site}/both?back=leads_back", credentials=WRONG, patience_seconds=5)
    assert report.outcome.code == "credentials_rejected", report
    assert report.outcome.message == "The site says: “Sign-in was not successful.”"


async def test_a_site_that_cannot_take_the_log_in(check: Check, site: str) -> None:
    report = await check(f"{site}/api_form?status=503", credentials=WRONG, patience_seconds=2)
    assert report.outcome.code == "http_5xx", report


async def test_a_wall_with_a_status_of_its_own(check: Check, site: str) -> None:
    words = quote("Verifying you are human. This may take a few seconds.")
    report = await check(f"{site}/said?words={words}&status=403", patience_seconds=1)
    assert report.outcome.code == "captcha_or_bot_wall", report


@pytest.mark.parametrize("entry", ["hover", "popup", "masked"])
async def test_ways_to_a_form_that_hides(check: Check, site: str, entry: str) -> None:
    report = await check(f"{site}/{entry}", patience_seconds=5)
    assert report.outcome.code == "success", report
    report = await check(f"{site}/{entry}?page={entry}", credentials=WRONG, patience_seconds=5)
    assert report.outcome.code == "credentials_rejected", report
