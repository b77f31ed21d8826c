"""What the checks of one attempt share: its time, and in one session the log-in; and what each has for itself."""

from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from services.runner.browser import run as story
from services.runner.browser.attempt import AttemptReport, BrowserTask, CheckTask, Credentials, Session
from services.runner.browser.failures import AcquireFailed
from services.runner.browser.placing import acquire_well_placed
from services.runner.browser.run import run_browser_task
from services.runner.browser.session import Browser
from services.runner.browser.settings import BrowserSettings
from shared.domain.evidence import Fault
from tests.runner.browser.conftest import GOOD, served, settings_for, task_for
from tests.runner.browser.test_flow import by_flow

Check = Callable[..., Coroutine[Any, Any, AttemptReport]]

WRONG = Credentials("probe", "last-years")


@asynccontextmanager
async def _counting(then: str = "/account") -> AsyncIterator[tuple[str, list[str]]]:
    """A site whose form can be sent again at any time, and the user names that it was sent."""
    sent: list[str] = []

    async def form(request: web.Request) -> web.Response:
        fields = '<input name="user" autocomplete="username"><input type="password" name="password">'
        page = f'<form method="post" action="/enter">{fields}<button>Log in</button></form>'
        return web.Response(text=page, content_type="text/html")

    async def enter(request: web.Request) -> web.StreamResponse:
        sent.append(str((await request.post())["user"]))
        answer = web.HTTPSeeOther(then)
        answer.set_cookie("in", "yes")
        raise answer

    async def account(request: web.Request) -> web.Response:
        if "in" not in request.cookies:
            raise web.HTTPSeeOther("/login")
        page = '<h1>Welcome</h1><a href="/logout">Log out</a>'
        return web.Response(text=page, content_type="text/html")

    app = web.Application()
    app.add_routes([web.get("/login", form), web.post("/enter", enter), web.get("/account", account)])
    async with served(app) as url:
        yield url, sent


def codes(report: AttemptReport) -> list[str]:
    return [check.outcome.code for check in report.checks]


async def test_what_an_earlier_check_found_out_takes_its_time_once(check: Check, shop: str) -> None:
    login = CheckTask("login", f"{shop}/acme/login", WRONG)
    express = CheckTask("express_checkout", f"{shop}/acme/product", WRONG, None, login)
    report = await check("", checks=(login, express))
    assert codes(report) == ["credentials_rejected"] * 2
    assert report.checks[1].duration_seconds < report.checks[0].duration_seconds


async def test_what_no_time_was_left_for_is_not_judged_and_gets_no_session(webdriver_url: str, shop: str) -> None:
    sessions: list[Session] = []

    async def note(session: Session) -> None:
        sessions.append(session)

    waiting = CheckTask("login", f"{shop}/umbrella/login", GOOD)
    product = CheckTask("product_page", f"{shop}/acme/product", None)
    sso = CheckTask("sso", f"{shop}/tyrell/sso", GOOD)
    task = task_for("", checks=(waiting, product, sso), timeout_seconds=4, patience_seconds=60)
    report = await run_browser_task(task, settings_for(webdriver_url), on_session=note)
    assert codes(report) == ["check_timeout", "missed", "missed"]
    message = "Not run: the limit of 4 s was used up before it, most by `login` (2 s)."
    assert [each.outcome.message for each in report.checks[1:]] == [message] * 2
    assert report.outcome == report.checks[0].outcome
    assert len(sessions) == 1


async def test_a_check_that_began_late_says_so_when_its_time_ends(check: Check, shop: str) -> None:
    product = CheckTask("product_page", f"{shop}/acme/product", None)
    waiting = by_flow(f"{shop}/acme/login", {"do": "navigate"}, {"do": "expect", "text_visible": "never"})
    report = await check("", checks=(product, waiting), timeout_seconds=6, patience_seconds=60)
    assert codes(report) == ["success", "check_timeout"], report
    assert "Of the limit of 6 s, " in report.outcome.message


async def test_the_automatic_log_in_is_done_once_by_a_flow(check: Check) -> None:
    async with _counting() as (url, sent):
        steps = [{"do": "log_in"}, {"do": "log_in"}, {"do": "expect", "text_visible": "Welcome"}]
        report = await check("", checks=(by_flow(f"{url}/login", *steps),))
    assert (codes(report), sent) == (["success"], ["probe"]), report


async def test_a_password_is_not_sent_again_after_a_trouble(check: Check, closed_url: str) -> None:
    async with _counting(then=closed_url) as (url, sent):
        login = CheckTask("login", f"{url}/login", GOOD)
        express = CheckTask("express_checkout", f"{url}/login", GOOD, None, login)
        report = await check("", checks=(login, express))
    assert (codes(report), sent) == (["connection_refused"] * 2, ["probe"]), report


async def test_each_check_knows_the_session_that_it_ran_in(
    check: Check, shop: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    had: list[Browser] = []

    async def once(task: BrowserTask, settings: BrowserSettings) -> Browser:
        if had:
            raise AcquireFailed(Fault.SESSION_REFUSED, "the Grid is tired")
        had.append(await acquire_well_placed(task, settings))
        return had[0]

    login = CheckTask("login", f"{shop}/tyrell/login", GOOD)
    both = (login, CheckTask("sso", f"{shop}/tyrell/sso", GOOD))
    report = await check("", checks=both)
    assert None not in (ran := [each.session for each in report.checks])
    assert ran[0] != ran[1]
    assert report.session == ran[0]
    monkeypatch.setattr(story, "acquire_well_placed", once)
    report = await check("", checks=both)
    assert codes(report) == ["success", "session_not_created"]
    assert [each.session for each in report.checks] == [had[0].session, None]
