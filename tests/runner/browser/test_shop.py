"""Product pages and checkouts, found the automatic way; nothing is ever ordered."""

from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest

from services.runner.browser.attempt import AttemptReport, CheckTask, Credentials
from tests.runner.browser.conftest import GOOD
from tests.servers.process import answer

Check = Callable[..., Coroutine[Any, Any, AttemptReport]]


def product(url: str, expect_text: str | None = None) -> CheckTask:
    return CheckTask("product_page", url, None, expect_text)


def checkout(shop: str, url: str, expect_text: str | None = None, credentials: Credentials = GOOD) -> CheckTask:
    login = CheckTask("login", f"{shop}/acme/login", credentials)
    return CheckTask("express_checkout", url, credentials, expect_text, login)


@pytest.fixture(autouse=True)
async def nothing_was_ordered(shop: str) -> AsyncIterator[None]:
    yield
    assert await answer(f"{shop}/orders") == {"orders": []}


@pytest.mark.parametrize(
    ("kind", "expect_text", "code", "message"),
    [
        ("", None, "success", "shows what is expected"),
        ("late", None, "success", "shows what is expected"),
        ("", "TEA  KETTLE", "success", "shows what is expected"),
        ("", "Coffee", "assertion_failed", "It does not show “Coffee”."),
        ("sold-out", None, "element_missing", "The product page shows nothing to buy it with."),
        ("priceless", None, "element_missing", "The product page shows no price."),
    ],
)
async def test_a_product_page(
    check: Check, shop: str, kind: str, expect_text: str | None, code: str, message: str
) -> None:
    task = product(f"{shop}/acme/product?kind={kind}", expect_text)
    report = await check("", checks=(task,))
    assert (report.outcome.code, message in report.outcome.message) == (code, True), report


async def test_a_product_page_that_is_not_there(check: Check, shop: str) -> None:
    report = await check("", checks=(product(f"{shop}/hooli/product"),))
    assert report.outcome.code == "http_5xx"


@pytest.mark.parametrize("kind", ["", "express", "redrawn"])
async def test_a_checkout_reaches_its_first_step(check: Check, shop: str, kind: str) -> None:
    report = await check("", checks=(checkout(shop, f"{shop}/acme/product?kind={kind}"),))
    assert report.outcome.code == "success", report
    assert report.final_url == f"{shop}/acme/checkout"


@pytest.mark.parametrize("path", ["product?kind=at-once", "checkout/last"])
async def test_a_label_of_product_pages_may_be_that_of_the_last_button(check: Check, shop: str, path: str) -> None:
    report = await check("", checks=(checkout(shop, f"{shop}/acme/{path}"),))
    assert report.outcome.code == "element_missing", report
    assert report.final_url == f"{shop}/acme/checkout/last"


async def test_one_log_in_serves_all_checks_of_a_session(check: Check, shop: str) -> None:
    goods = f"{shop}/acme/product"
    login = CheckTask("login", f"{shop}/acme/login", GOOD)
    report = await check("", checks=(login, product(goods), checkout(shop, goods)))
    assert [each.outcome.code for each in report.checks] == ["success"] * 3
    assert report.checks[2].steps[0].name == "open the entry point of the checkout"


@pytest.mark.parametrize(
    ("path", "expect_text", "code"),
    [
        ("acme/product?kind=sold-out", None, "element_missing"),
        ("acme/product", "Gift wrapping", "assertion_failed"),
        # Logged in at acme, which globex knows nothing of.
        ("globex/product", None, "session_not_kept"),
    ],
)
async def test_a_checkout_that_can_t_be_reached(
    check: Check, shop: str, path: str, expect_text: str | None, code: str
) -> None:
    report = await check("", checks=(checkout(shop, f"{shop}/{path}", expect_text),))
    assert report.outcome.code == code, report


async def test_a_log_in_that_is_refused_ends_the_checkout(check: Check, shop: str) -> None:
    wrong = Credentials("probe", "last-years")
    report = await check("", checks=(checkout(shop, f"{shop}/acme/product", credentials=wrong),))
    assert report.outcome.code == "credentials_rejected"
