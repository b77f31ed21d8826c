"""The story of one attempt in a browser."""

import time
import traceback
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from services.runner.browser.attempt import AttemptReport, BrowserTask, CheckReport, CheckTask, Evidence, Session
from services.runner.browser.checks import Visit, perform_check
from services.runner.browser.control import control_page_failed
from services.runner.browser.deadline import run_until_deadline
from services.runner.browser.evidence import LastPage, take_evidence
from services.runner.browser.failures import AcquireFailed, facts_of
from services.runner.browser.page import Clock, Page
from services.runner.browser.session import Browser, acquire, finish_undisturbed
from services.runner.browser.settings import BrowserSettings
from services.runner.masking import Mask
from shared.domain.evidence import Facts, Fault
from shared.domain.outcome import Outcome, classify, overall

_SOFT_MARGIN_SECONDS = 2.0


async def run_browser_task(
    task: BrowserTask, settings: BrowserSettings, *, on_session: Callable[[Session], Awaitable[None]]
) -> AttemptReport:
    """Runs the task's checks in fresh sessions. Raises only CancelledError; each session is closed in every case.

    `on_session` is awaited once a session exists. Checks that get no session end alike, without steps.
    """
    attempt = _Attempt(task)
    try:
        for checks in sessions_of(task.checks):
            browser = await acquire(task, settings)
            try:
                attempt.session = browser.session
                await on_session(browser.session)
                visit = Visit()
                for check in checks:
                    await attempt.perform(check, visit, browser, settings)
            finally:
                await finish_undisturbed(browser.close(settings))
    except AcquireFailed as failure:
        attempt.end_without_session(failure)
    except Exception as error:
        attempt.end_unexpectedly(error)
    return attempt.report()


def sessions_of(checks: Sequence[CheckTask]) -> list[list[CheckTask]]:
    """Which checks share a session: all but `sso`, which must not find a door that is open already."""
    own = [[check] for check in checks if check.check == "sso"]
    shared = [check for check in checks if check.check != "sso"]
    return [shared, *own] if shared else own


class _Attempt:
    """Collects what becomes the report."""

    def __init__(self, task: BrowserTask) -> None:
        self.session: Session | None = None
        self._task = task
        self._credentials = [check.credentials for check in task.checks if check.credentials is not None]
        self._mask = Mask.of(*self._credentials)
        self._started_at = datetime.now(UTC)
        self._started = time.monotonic()
        self._checks: list[CheckReport] = []
        self._last_page = LastPage()
        self._pictures: list[Evidence] = []
        self._console_errors: tuple[str, ...] = ()
        self._traceback: str | None = None
        self._used = 0.0

    async def perform(self, check: CheckTask, visit: Visit, browser: Browser, settings: BrowserSettings) -> None:
        """One check: run it to its deadline, keep the evidence, ask the control page, judge."""
        limit = max(self._task.timeout_seconds - self._used, 0.0)
        clock = Clock(limit, max(limit - _SOFT_MARGIN_SECONDS, limit * 0.6))
        page = Page(browser.driver, browser.devtools, clock, self._mask, self._task)
        facts = await run_until_deadline(browser, page, lambda: self._find_out(check, visit, page, browser), settings)
        seconds, credentials = settings.evidence_seconds, self._credentials
        last_page = await browser.start(lambda: take_evidence(page, browser.connection, credentials, seconds))
        facts = replace(facts, control_page_failed=await control_page_failed(facts, page, browser, settings))
        self._last_page, self._console_errors = last_page, page.console_errors()
        steps, warnings = tuple(page.steps), tuple(page.warnings)
        self._checks.append(CheckReport(check.check, classify(facts), facts.duration_seconds, steps, warnings))
        self._pictures += page.pictures
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
            evidence=(*self._last_page.evidence, *self._pictures),
            session=self.session,
            started_at=self._started_at,
            duration_seconds=time.monotonic() - self._started,
            final_url=self._last_page.final_url,
            title=self._last_page.title,
            console_errors=self._console_errors,
            traceback=self._traceback,
        )

    def _find_out(self, check: CheckTask, visit: Visit, page: Page, browser: Browser) -> Facts:
        try:
            return perform_check(page, check, visit)
        except Exception as error:
            found = facts_of(error, browser.session.node)
            if found.get("fault") is Fault.UNEXPECTED_ERROR:
                self._keep_traceback(error)
            return page.facts(**found)

    def _end_remaining(self, outcome: Outcome) -> None:
        ended = {report.check for report in self._checks}
        for check in self._task.checks:
            if check.check not in ended:
                self._checks.append(CheckReport(check.check, outcome, 0.0, ()))

    def _keep_traceback(self, error: Exception) -> None:
        self._traceback = self._mask.text("".join(traceback.format_exception(error)))
