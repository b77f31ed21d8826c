"""Flows on real pages: what passes, what is found out when it does not, and what of it is told."""

from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from services.runner.browser.attempt import AttemptReport, CheckTask, Credentials
from shared.domain.flow import Flow
from tests.runner.browser.conftest import GOOD

Check = Callable[..., Coroutine[Any, Any, AttemptReport]]
Steps = list[dict[str, Any]]

NAME = [{"css": "#username"}]
PASSWORD = [{"label": "Password"}]
LOG_IN = [{"role": "button", "name": "Log in"}]
IN: dict[str, Any] = {"do": "expect", "text_visible": "Good day, probe"}
FILLED: Steps = [
    {"do": "navigate"},
    {"do": "fill", "locators": NAME, "value": "{{username}}"},
    {"do": "fill", "locators": PASSWORD, "value": "{{password}}"},
]


def by_flow(
    url: str, *steps: dict[str, Any], check: str = "login", credentials: Credentials | None = GOOD
) -> CheckTask:
    return CheckTask(check, url, credentials, flow=Flow.model_validate({"steps": list(steps)}))


def told(report: AttemptReport) -> dict[str, str]:
    return {step.name: step.detail for step in report.checks[-1].steps}


async def test_a_log_in_by_its_own_steps(check: Check, shop: str) -> None:
    steps = [*FILLED, {"do": "click", "locators": LOG_IN, "name": "send the form"}, IN]
    report = await check("", checks=(by_flow(f"{shop}/acme/login", *steps),))
    assert report.outcome.code == "success", report
    assert report.outcome.message.startswith("Logged in at ")
    assert [step.name for step in report.checks[0].steps] == [
        "1. navigate",
        "2. fill",
        "3. fill",
        "4. send the form",
        "5. expect",
    ]
    assert told(report)["4. send the form"] == "by role button “Log in”"
    assert report.checks[0].warnings == ()
    assert GOOD.password not in str(report)


@pytest.mark.parametrize("path", ["acme/login", "globex/login", "spa/login"])
async def test_the_automatic_log_in_as_a_step(check: Check, shop: str, path: str) -> None:
    report = await check("", checks=(by_flow(f"{shop}/{path}", {"do": "log_in"}, IN),))
    assert report.outcome.code == "success", report


async def test_what_the_automatic_log_in_finds_out_is_the_flow_s_outcome(check: Check, shop: str) -> None:
    wrong = Credentials("probe", "last-years")
    report = await check("", checks=(by_flow(f"{shop}/acme/login", {"do": "log_in"}, credentials=wrong),))
    assert report.outcome.code == "credentials_rejected", report


async def test_one_log_in_serves_all_flows_of_a_session(check: Check, shop: str) -> None:
    login = by_flow(f"{shop}/acme/login", *FILLED, {"do": "click", "locators": LOG_IN}, IN)
    goods = Flow.model_validate(
        {
            "steps": [
                {"do": "log_in"},
                {"do": "navigate"},
                {"do": "click", "locators": [{"text": "Add to basket"}]},
                {"do": "expect", "url_contains": "/basket"},
            ]
        }
    )
    product = CheckTask("product_page", f"{shop}/acme/product", GOOD, None, login, goods)
    report = await check("", checks=(login, product))
    assert [each.outcome.code for each in report.checks] == ["success"] * 2, report
    assert report.checks[1].steps[0].name == "1. log in"


async def test_an_element_that_is_missing_says_what_was_tried(check: Check, shop: str) -> None:
    locators = [{"css": "#no-such"}, {"text": "Nothing says this"}]
    click = {"do": "click", "locators": locators, "timeout_seconds": 0.5, "name": "Open the menu"}
    report = await check("", checks=(by_flow(f"{shop}/acme/login", {"do": "navigate"}, click, IN),))
    assert report.outcome.code == "element_missing"
    assert report.outcome.message == (
        "Step 2. Open the menu: nothing to click within 0.5 s: css #no-such (not there); "
        "text “Nothing says this” (not there)."
    )
    assert [step.ok for step in report.checks[0].steps] == [True, False]


@pytest.mark.parametrize(
    ("expected", "message"),
    [
        ({"url_contains": "/account"}, "expected a URL with “/account” within 0.5 s, but saw http"),
        ({"url_matches": "/account$"}, "expected a URL like /account$"),
        ({"title_contains": "Globex"}, "expected a title with “Globex” within 0.5 s, but saw “Acme”"),
        ({"text_visible": "Good day"}, "but saw “Acme Log in to Acme User name Password Log in"),
        ({"text_absent": "LOG in"}, "expected no text “LOG in” within 0.5 s, but saw it is still there"),
        ({"element_visible": [{"css": "nav"}]}, "nothing to expect within 0.5 s: css nav (not there)"),
        ({"element_absent": [{"css": "nav"}, {"css": "form"}]}, "css form is still there after 0.5 s"),
    ],
)
async def test_an_expectation_that_fails_says_what_was_seen(
    check: Check, shop: str, expected: dict[str, Any], message: str
) -> None:
    step = {"do": "expect", "timeout_seconds": 0.5, **expected}
    report = await check("", checks=(by_flow(f"{shop}/acme/login", {"do": "navigate"}, step, IN),))
    assert report.outcome.code == "assertion_failed"
    assert message in report.outcome.message, report.outcome.message


@pytest.mark.parametrize(
    "expected",
    [
        {"url_contains": "/acme/"},
        {"url_matches": "^http://[0-9.:]+/acme/login$"},
        {"title_contains": "acme"},
        {"text_visible": "log in  to ACME"},
        {"element_visible": [{"label": "User name"}]},
    ],
)
async def test_an_expectation_that_holds(check: Check, shop: str, expected: dict[str, Any]) -> None:
    absent: Steps = [{"do": "expect", "text_absent": "Wrong"}, {"do": "expect", "element_absent": [{"css": ".error"}]}]
    flow = by_flow(
        f"{shop}/acme/login", {"do": "navigate"}, {"do": "expect", **expected}, *absent, check="product_page"
    )
    report = await check("", checks=(flow,))
    assert report.outcome.code == "success", report


@pytest.mark.parametrize(("path", "code"), [("down", "http_5xx"), ("forbidden/login", "http_4xx")])
async def test_a_status_of_an_error_fails_the_navigation(check: Check, shop: str, path: str, code: str) -> None:
    report = await check("", checks=(by_flow(f"{shop}/{path}", {"do": "navigate"}, IN),))
    assert report.outcome.code == code


async def test_what_is_missing_on_an_error_page_is_missing_for_that_reason(check: Check, shop: str) -> None:
    steps = [*FILLED, {"do": "click", "locators": LOG_IN}, {**IN, "timeout_seconds": 0.5}]
    report = await check("", checks=(by_flow(f"{shop}/crashing/login", *steps),))
    assert report.outcome.code == "http_5xx", report


async def test_network_errors_and_dialogs_are_told_as_elsewhere(check: Check, shop: str, closed_url: str) -> None:
    report = await check("", checks=(by_flow(closed_url, {"do": "navigate"}, IN),))
    assert report.outcome.code == "connection_refused"
    steps = [*FILLED, {"do": "click", "locators": LOG_IN}, IN]
    report = await check("", checks=(by_flow(f"{shop}/alert/login", *steps),))
    assert report.outcome.code == "unexpected_dialog"
    assert "Our terms have changed." in report.outcome.message


async def test_a_page_that_hangs_is_cut_off_by_the_step_s_time_or_the_check_s(check: Check, shop: str) -> None:
    bounded = by_flow(f"{shop}/hang/login", {"do": "navigate", "timeout_seconds": 1}, IN)
    report = await check("", checks=(bounded,))
    assert (report.outcome.code, report.duration_seconds < 15) == ("page_timeout", True)
    report = await check("", checks=(by_flow(f"{shop}/hang/login", {"do": "navigate"}, IN),), timeout_seconds=6)
    assert report.outcome.code == "page_timeout"
    waits = by_flow(f"{shop}/acme/login", {"do": "navigate"}, {**IN, "timeout_seconds": 100})
    report = await check("", checks=(waits,), timeout_seconds=6)
    assert report.outcome.code == "check_timeout"


async def test_a_step_that_may_fail_and_one_that_always_runs(check: Check, shop: str) -> None:
    missing = {"do": "click", "locators": [{"css": "#no-such"}], "timeout_seconds": 0.3}
    steps: Steps = [
        {"do": "log_in"},
        {**missing, "allow_failure": True, "name": "close the banner"},
        {**IN, "name": "we are in"},
        missing,
        {"do": "expect", "text_visible": "never looked at"},
        {"do": "click", "locators": [{"text": "Log out"}], "always_run": True, "name": "log out"},
    ]
    report = await check("", checks=(by_flow(f"{shop}/acme/login", *steps),))
    assert report.outcome.code == "element_missing"
    assert report.outcome.message.startswith("Step 4. click: nothing to click")
    assert list(told(report))[-4:] == ["2. close the banner", "3. we are in", "4. click", "6. log out"]
    assert told(report)["2. close the banner"].endswith("(it may fail)")
    failed = next(step for step in report.checks[0].steps if step.name == "4. click")
    assert (failed.ok, failed.evidence) == (False, "screenshot.jpg")
    # What is shown is the page that it failed on, and not the one that tidying up left.
    evidence = {piece.name: piece for piece in report.evidence}
    assert "Good day, probe" in evidence["page.html"].content.decode()
    assert report.final_url == f"{shop}/acme/account"


async def test_tidying_up_goes_on_in_the_frame_that_a_step_failed_in(check: Check, shop: str) -> None:
    steps: Steps = [
        {"do": "navigate"},
        {"do": "frame", "locators": [{"css": "iframe"}]},
        {"do": "expect", "text_visible": "Nothing says this", "timeout_seconds": 0.3},
        {"do": "fill", "locators": NAME, "value": "{{username}}", "always_run": True},
    ]
    report = await check("", checks=(by_flow(f"{shop}/frame/login", *steps),))
    assert report.outcome.code == "assertion_failed"
    assert report.checks[0].steps[-1].ok, report.checks[0].steps


async def test_nothing_is_ordered_by_a_final_step(check: Check, shop: str) -> None:
    steps: Steps = [
        {"do": "log_in"},
        {"do": "navigate", "url": f"{shop}/acme/checkout"},
        {"do": "expect", "text_visible": "Delivery address"},
        {"do": "click", "locators": [{"text": "Place order"}], "final": True},
        {"do": "expect", "text_visible": "Thank you for your order."},
        {"do": "navigate", "url": f"{shop}/acme/logout", "always_run": True},
    ]
    report = await check("", checks=(by_flow(f"{shop}/acme/login", *steps, check="express_checkout"),))
    assert report.outcome.code == "success", report
    assert "not performed: it is marked final" in told(report)["4. click"]
    assert list(told(report))[-2:] == ["4. click", "6. navigate"]


@pytest.mark.parametrize(
    ("credentials", "code", "told"),
    [
        (None, "login_not_confirmed", "No credentials are stored"),
        (Credentials("probe", "x"), "internal_error", "asks for a one-time code, and no TOTP secret is stored"),
    ],
)
async def test_nothing_is_opened_when_credentials_are_missing(
    check: Check, closed_url: str, credentials: Credentials | None, code: str, told: str
) -> None:
    totp = {"do": "totp", "locators": NAME}
    report = await check("", checks=(by_flow(closed_url, *FILLED, totp, IN, credentials=credentials),))
    assert (report.outcome.code, told in report.outcome.message) == (code, True), report.outcome
    assert report.checks[0].steps == ()
