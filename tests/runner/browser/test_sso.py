"""From the partner to its identity provider at another host, and back in; and all that may become of it on the way."""

import json
from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import urlsplit

import pytest

from examples.shop.sso import REFUSAL
from services.runner.browser.attempt import AttemptReport, CheckTask, Credentials, Marker
from services.runner.browser.settings import SAFE_CHROMIUM_ARGUMENTS
from tests.runner.browser.conftest import GOOD

Check = Callable[..., Coroutine[Any, Any, AttemptReport]]


def sso(url: str, credentials: Credentials | None = GOOD, marker: Marker | None = None) -> tuple[CheckTask, ...]:
    return (CheckTask("sso", url, credentials, signed_in_marker=marker),)


def provider_of(shop: str) -> str:
    return shop.removeprefix("http://").replace("127.0.0.1", "localhost")


def redirects_of(report: AttemptReport) -> list[dict[str, Any]]:
    text = next(piece.content for piece in report.evidence if piece.name == "redirects.json")
    redirects: list[dict[str, Any]] = json.loads(text)
    return redirects


@pytest.mark.parametrize("kind", ["", "consent", "window", "silent", "choice", "choice_elsewhere"])
async def test_logs_in_through_the_provider(check: Check, shop: str, kind: str) -> None:
    report = await check("", checks=sso(f"{shop}/tyrell/sso?kind={kind}"), patience_seconds=5)
    assert report.outcome.code == "success", report
    assert f"through {provider_of(shop)} in" in report.outcome.message
    assert report.final_url == f"{shop}/tyrell/account"


async def test_the_redirect_chain_is_in_the_evidence(check: Check, shop: str) -> None:
    report = await check("", checks=sso(f"{shop}/tyrell/sso"))
    partner, provider = shop.removeprefix("http://"), provider_of(shop)
    places = [(each["host"], each["path"]) for each in redirects_of(report)]
    assert places[:3] == [
        (partner, "/tyrell/sso"),
        (partner, "/tyrell/start"),
        (provider, "/tyrell/provider/authorize"),
    ]
    assert (partner, "/tyrell/callback") in places
    assert "code=" not in repr(report.evidence)


async def test_starts_at_the_provider_when_the_partner_sends_us_there(check: Check, shop: str) -> None:
    report = await check("", checks=sso(f"{shop}/tyrell/start"))
    assert report.outcome.code == "success", report


async def test_a_page_of_the_partner_s_at_another_host_is_no_provider(check: Check, site: str) -> None:
    port = urlsplit(site).port
    names = ("--host-resolver-rules=MAP *.test 127.0.0.1",)
    report = await check(
        "",
        checks=sso(f"http://shop.test:{port}/moved?to=http://login.shop.test:{port}/late_sso"),
        browser_arguments=SAFE_CHROMIUM_ARGUMENTS + names,
        patience_seconds=5,
    )
    assert report.outcome.code == "success", report
    assert f"through idp.test:{port} in" in report.outcome.message


async def test_a_marker_decides(check: Check, shop: str) -> None:
    entry = f"{shop}/tyrell/sso"
    report = await check("", checks=sso(entry, marker=Marker(text="You have no open orders")))
    assert report.outcome.code == "success", report
    report = await check("", checks=sso(entry, marker=Marker(text="You have three open orders")))
    assert report.outcome.code == "sso_failed", report


async def test_a_password_that_the_provider_refuses(check: Check, shop: str) -> None:
    report = await check("", checks=sso(f"{shop}/tyrell/sso", Credentials("probe", "last-years")))
    assert report.outcome.code == "credentials_rejected", report
    assert report.outcome.message == f"{provider_of(shop)} says: “{REFUSAL}”"


@pytest.mark.parametrize(
    ("kind", "code", "message"),
    [
        ("stays", "sso_failed", "It never left {partner}: clicked “Sign in with your company account (SSO)”"),
        ("broken", "sso_failed", "{provider} answered 500."),
        ("down", "sso_failed", "cannot be reached (ERR_CONNECTION_REFUSED)"),
        ("denied", "sso_failed", "sent us back with an error (access_denied: The account may not use this shop.)"),
        ("lost", "sso_failed", "{provider} did not lead back to {partner} within 3 s."),
        ("unknown", "sso_failed", "{provider} led back to {partner}, which does not know us as logged in."),
        # Whether the browser gives up or the round trips were counted first, the way stands in the message.
        ("circle", "sso_loop", "{partner}/tyrell/start → {provider}/tyrell/provider/authorize"),
        ("round", "sso_loop", "{provider}/tyrell/provider/authorize → {partner}/tyrell/callback"),
    ],
)
async def test_says_what_broke(check: Check, shop: str, kind: str, code: str, message: str) -> None:
    entry = f"{shop}/tyrell/sso?kind={kind}"
    report = await check("", checks=sso(entry), patience_seconds=3, control_url=f"{shop}/control")
    assert report.outcome.code == code, report
    assert message.format(partner=shop.removeprefix("http://"), provider=provider_of(shop)) in report.outcome.message
    assert redirects_of(report)


async def test_a_provider_that_cannot_be_reached_is_our_network_s_fault_when_nothing_can(
    check: Check, shop: str, closed_url: str
) -> None:
    entry = f"{shop}/tyrell/sso?kind=down"
    report = await check("", checks=sso(entry), control_url=f"{closed_url}/control")
    assert report.outcome.code == "network_unreachable", report


async def test_without_anything_to_start_sso_with(check: Check, shop: str) -> None:
    report = await check("", checks=sso(f"{shop}/acme/login"), patience_seconds=3)
    assert report.outcome.code == "sso_failed", report
    assert "nothing to start SSO with" in report.outcome.message


async def test_without_credentials_nothing_is_submitted(check: Check, shop: str) -> None:
    report = await check("", checks=sso(f"{shop}/tyrell/sso", None))
    assert report.outcome.code == "login_not_confirmed"
    assert "No credentials are stored" in report.outcome.message


async def test_a_log_in_before_opens_no_door_for_sso(check: Check, shop: str) -> None:
    login = CheckTask("login", f"{shop}/tyrell/login", GOOD)
    report = await check("", checks=(login, *sso(f"{shop}/tyrell/sso")))
    assert [each.outcome.code for each in report.checks] == ["success", "success"], report
    assert "submit" in [step.name for step in report.checks[1].steps]
