"""The story of one attempt in a browser."""

import time
import traceback
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime

from services.runner.browser.attempt import AttemptReport, BrowserTask, CheckReport, Session
from services.runner.browser.control import control_page_failed
from services.runner.browser.deadline import run_until_deadline
from services.runner.browser.evidence import LastPage, take_evidence
from services.runner.browser.failures import AcquireFailed, facts_of
from services.runner.browser.login import log_in
from services.runner.browser.page import Clock, Page
from services.runner.browser.session import Browser, acquire, finish_undisturbed
from services.runner.browser.settings import BrowserSettings
from services.runner.masking import Mask
from shared.domain.evidence import Facts, Fault
from shared.domain.outcome import Outcome, classify, overall

_CHECKS: dict[str, Callable[[Page, BrowserTask], Facts]] = {"login": log_in}
_SOFT_MARGIN_SECONDS = 2.0


async def run_browser_task(
    task: BrowserTask, settings: BrowserSettings, *, on_session: Callable[[Session], Awaitable[None]]
) -> AttemptReport:
    """Runs the task's checks in a fresh session. Raises only CancelledError; the session is closed in every case.

    `on_session` is awaited once a session exists. Without a session every check has the same outcome, and no steps.
    """
    attempt = _Attempt(task)
    browser: Browser | None = None
    try:
        browser = await acquire(task, settings)
        attempt.session = browser.session
        await on_session(browser.session)
        for check in task.checks:
            await attempt.perform(check, browser, settings)
    except AcquireFailed as failure:
        attempt.end_without_session(failure)
    except Exception as error:
        attempt.end_unexpectedly(error)
    finally:
        if browser is not None:
            await finish_undisturbed(browser.close(settings))
    return attempt.report()


class _Attempt:
    """Collects what becomes the report."""

    def __init__(self, task: BrowserTask) -> None:
        self.session: Session | None = None
        self._task = task
        self._mask = Mask.of(task.credentials)
        self._started_at = datetime.now(UTC)
        self._started = time.monotonic()
        self._checks: list[CheckReport] = []
        self._last_page = LastPage()
        self._console_errors: tuple[str, ...] = ()
        self._traceback: str | None = None
        self._used = 0.0

    async def perform(self, check: str, browser: Browser, settings: BrowserSettings) -> None:
        """One check: run it to its deadline, keep the evidence, ask the control page, judge."""
        limit = max(self._task.timeout_seconds - self._used, 0.0)
        clock = Clock(limit, max(limit - _SOFT_MARGIN_SECONDS, limit * 0.6))
        page = Page(browser.driver, browser.devtools, clock, self._mask, self._task.slow_after_seconds)
        facts = await run_until_deadline(browser, page, lambda: self._find_out(check, page, browser), settings)
        seconds, credentials = settings.evidence_seconds, self._task.credentials
        last_page = await browser.start(lambda: take_evidence(page, browser.connection, credentials, seconds))
        facts = replace(facts, control_page_failed=await control_page_failed(facts, page, browser, settings))
        self._last_page, self._console_errors = last_page, page.console_errors()
        self._checks.append(CheckReport(check, classify(facts), facts.duration_seconds, tuple(page.steps)))
        self._used += facts.duration_seconds

    def end_without_session(self, failure: AcquireFailed) -> None:
        facts = Facts("", 0.0, self._task.timeout_seconds, fault=failure.fault, detail=self._mask.text(failure.detail))
        self._end_remaining(classify(facts))

    def end_unexpectedly(self, error: Exception) -> None:
        self._keep_traceback(error)
        self._end_remaining(Outcome("internal_error", self._mask.text(f"{type(error).__name__}: {error}")[:300]))

    def report(self) -> AttemptReport:
        return AttemptReport(
            outcome=overall(check.outcome for check in self._checks),
            checks=tuple(self._checks),
            evidence=self._last_page.evidence,
            session=self.session,
            started_at=self._started_at,
            duration_seconds=time.monotonic() - self._started,
            final_url=self._last_page.final_url,
            title=self._last_page.title,
            console_errors=self._console_errors,
            traceback=self._traceback,
        )

    def _find_out(self, check: str, page: Page, browser: Browser) -> Facts:
        try:
            perform = _CHECKS.get(check)
            if perform is None:
                return page.facts(fault=Fault.UNEXPECTED_ERROR, detail=f"there is no check named {check!r}")
            return perform(page, self._task)
        except Exception as error:
            found = facts_of(error, browser.session.node)
            if found.get("fault") is Fault.UNEXPECTED_ERROR:
                self._keep_traceback(error)
            return page.facts(**found)

    def _end_remaining(self, outcome: Outcome) -> None:
        for check in self._task.checks[len(self._checks) :]:
            self._checks.append(CheckReport(check, outcome, 0.0, ()))

    def _keep_traceback(self, error: Exception) -> None:
        self._traceback = self._mask.text("".join(traceback.format_exception(error)))
