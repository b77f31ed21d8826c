"""One-time codes, typed once each, wherever and however a site asks for them."""

import time
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from services.runner.browser.attempt import AttemptReport, CheckTask, Credentials
from shared.domain.totp import read_totp_secret
from tests.runner.browser.conftest import GOOD
from tests.runner.browser.sites import SECRET

Check = Callable[..., Coroutine[Any, Any, AttemptReport]]
QUICK = f"otpauth://totp/Site:probe?secret={SECRET}&period=15&digits=8"


def with_secret(secret: str | None) -> Credentials:
    return Credentials(GOOD.username, GOOD.password, secret)


class Spent:
    """Codes of one test: other tests use the same secret."""

    def __init__(self, taken: int = 0) -> None:
        self.steps: list[int] = []
        self._taken = taken

    def __call__(self, account: bytes, step: int) -> bool:
        if self._taken or step in self.steps:
            self._taken = max(self._taken - 1, 0)
            return False
        self.steps.append(step)
        return True


@pytest.mark.parametrize(
    "page", ["code", "boxes", "boxes&drawn=redrawn", "methods", "code_or_leave", "checked_code", "prefilled_code"]
)
async def test_types_the_code(check: Check, site: str, page: str) -> None:
    report = await check(f"{site}/both?next={page}", credentials=with_secret(SECRET), spend_code=Spent())
    assert report.outcome.code == "success", report
    assert report.final_url == f"{site}/account"
    told = repr(report)
    key = read_totp_secret(SECRET)
    near = range(key.step_at(time.time()) - 3, key.step_at(time.time()) + 1)
    assert not [step for step in near if key.code(step) in told]


async def test_an_address_says_digits_and_period(check: Check, site: str) -> None:
    entry = f"{site}/both?next=code&digits=8&period=15"
    report = await check(entry, credentials=with_secret(QUICK), spend_code=Spent())
    assert report.outcome.code == "success", report


async def test_a_used_code_is_never_typed_again(check: Check, site: str) -> None:
    entry, spent = f"{site}/both?next=code&digits=8&period=15", Spent()
    for _ in range(2):  # the site refuses a code that it has seen
        report = await check(entry, credentials=with_secret(QUICK), spend_code=spent, timeout_seconds=60)
        assert report.outcome.code == "success", report
    assert len(set(spent.steps)) == 2


@pytest.mark.parametrize(("query", "message"), [("", "That code is invalid."), ("&silent=1", "asks for a code again")])
async def test_a_refused_code(check: Check, site: str, query: str, message: str) -> None:
    entry = f"{site}/both?next=code&broken=1{query}"
    report = await check(entry, credentials=with_secret(SECRET), spend_code=Spent())
    assert report.outcome.code == "mfa_rejected", report
    assert message in report.outcome.message


@pytest.mark.parametrize("page", ["code", "code_or_leave"])
async def test_without_a_secret_it_says_what_is_missing(check: Check, site: str, page: str) -> None:
    report = await check(f"{site}/both?next={page}")
    assert report.outcome.code == "login_not_confirmed"
    assert "asks for a one-time code, but no TOTP secret is stored" in report.outcome.message


async def test_a_code_that_others_used_up_is_our_trouble(check: Check, site: str) -> None:
    spent = Spent(taken=100)
    report = await check(
        f"{site}/both?next=code", credentials=with_secret(SECRET), spend_code=spent, timeout_seconds=10
    )
    assert report.outcome.code == "internal_error", report
    assert "No unused one-time code was left" in report.outcome.message


@pytest.mark.parametrize("taken", [0, 100])
async def test_a_form_that_takes_the_code_as_well(check: Check, site: str, taken: int) -> None:
    spent = Spent(taken=taken)
    report = await check(f"{site}/with_code", credentials=with_secret(SECRET), spend_code=spent, timeout_seconds=10)
    assert report.outcome.code == ("internal_error" if taken else "success"), report
    assert taken == 0 or "No unused one-time code was left" in report.outcome.message


@pytest.mark.parametrize("entry", ["both?next=with_code", "late_code", "late_code?takes=1.3"])
async def test_a_code_that_is_asked_for_beside_the_form_that_still_stands(check: Check, site: str, entry: str) -> None:
    report = await check(f"{site}/{entry}", credentials=with_secret(SECRET), spend_code=Spent())
    assert report.outcome.code == "success", report
    report = await check(f"{site}/{entry}")
    assert report.outcome.code == "login_not_confirmed"
    assert "asks for a one-time code, but no TOTP secret is stored" in report.outcome.message
    wrong = Credentials(GOOD.username, "last-years", SECRET)
    report = await check(f"{site}/{entry}", credentials=wrong, spend_code=Spent())
    assert report.outcome.code == ("mfa_rejected" if "late_code" in entry else "credentials_rejected"), report


async def test_a_refused_code_without_a_form_to_try_again(check: Check, site: str) -> None:
    entry = f"{site}/both?next=code&broken=1&formless=1"
    report = await check(entry, credentials=with_secret(SECRET), spend_code=Spent())
    assert report.outcome.code == "mfa_rejected", report
    assert "Invalid verification code" in report.outcome.message


async def test_a_page_that_sends_no_code_has_refused_none(check: Check, site: str) -> None:
    entry = f"{site}/both?next=idle_code"
    report = await check(entry, credentials=with_secret(SECRET), spend_code=Spent())
    assert report.outcome.code == "login_not_confirmed", report


async def test_a_code_that_is_missing_on_the_way_back_from_the_provider_is_our_trouble(check: Check, shop: str) -> None:
    task = CheckTask("sso", f"{shop}/tyrell/sso?kind=code", with_secret(SECRET))
    report = await check("", checks=(task,), spend_code=Spent(taken=100), timeout_seconds=10)
    assert report.outcome.code == "internal_error", report
    assert "No unused one-time code was left" in report.outcome.message
