"""Sites that cannot be reached, hang, or take the whole page with them; and our own network failing."""

import asyncio
import socket
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from services.embedded.process import LOOPBACK
from services.runner.browser.attempt import AttemptReport
from tests.runner.browser.conftest import Listener

Check = Callable[..., Coroutine[Any, Any, AttemptReport]]


async def test_a_closed_port_refuses_the_connection(check: Check, shop: str, closed_url: str) -> None:
    report = await check(f"{closed_url}/login", control_url=f"{shop}/control")
    assert report.outcome.code == "connection_refused"
    host = closed_url.removeprefix("http://")
    assert report.outcome.message == f"{host} refused the connection (ERR_CONNECTION_REFUSED)."


async def test_our_own_network_is_blamed_when_the_control_page_fails_too(check: Check, closed_url: str) -> None:
    report = await check(f"{closed_url}/login", control_url=f"{closed_url}/control")
    assert report.outcome.code == "network_unreachable"
    assert "ERR_CONNECTION_REFUSED" in report.outcome.message


async def test_an_unknown_host_is_a_dns_error(check: Check, shop: str) -> None:
    report = await check("http://shop.acme.invalid/login", control_url=f"{shop}/control")
    assert report.outcome.code == "dns_error"
    assert report.outcome.message.startswith("shop.acme.invalid could not be resolved")


async def test_a_certificate_nobody_vouches_for_is_a_tls_error(check: Check, shop: str, self_signed_url: str) -> None:
    report = await check(self_signed_url, control_url=f"{shop}/control")
    assert report.outcome.code == "tls_error"
    assert "ERR_CERT_AUTHORITY_INVALID" in report.outcome.message


async def test_a_page_that_never_answers_times_out(check: Check, silent: Listener, shop: str) -> None:
    report = await check(f"{silent.url}/login", timeout_seconds=4, control_url=f"{shop}/control")
    assert report.outcome.code == "page_timeout"
    assert "screenshot.jpg" in [piece.name for piece in report.evidence]


async def test_a_host_that_accepts_no_connection_times_out_as_that(check: Check, shop: str) -> None:
    with socket.socket() as full, socket.socket() as first, socket.socket() as second:
        full.bind((LOOPBACK, 0))
        full.listen(0)
        for client in (first, second):  # they fill the backlog; who comes later is not answered
            client.setblocking(False)
            client.connect_ex(full.getsockname())
        url = f"http://{LOOPBACK}:{full.getsockname()[1]}/login"
        report = await check(url, timeout_seconds=4, control_url=f"{shop}/control")
    assert report.outcome.code == "connection_timeout", report.outcome


async def test_a_page_in_an_endless_loop_times_out_and_is_closed(check: Check, shop: str) -> None:
    report = await check(f"{shop}/loop/login", timeout_seconds=4, control_url=f"{shop}/control")
    assert report.outcome.code == "page_timeout", report.outcome
    assert report.session is not None


async def test_a_check_that_waits_too_long_times_out(check: Check, shop: str) -> None:
    report = await check(f"{shop}/umbrella/login", timeout_seconds=4, patience_seconds=60)
    assert report.outcome.code == "check_timeout"
    assert report.outcome.message == "The check did not finish within its 4 s."


@pytest.mark.long
async def test_many_hostile_checks_at_once_all_end(check: Check, shop: str, silent: Listener) -> None:
    urls = [f"{silent.url}/login", f"{shop}/loop/login", f"{shop}/acme/login"]
    reports = await asyncio.gather(*(check(url, timeout_seconds=8) for url in urls))
    assert [report.outcome.code for report in reports[:2]] == ["page_timeout", "page_timeout"]
    assert reports[2].session is not None
