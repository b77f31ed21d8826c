"""The story of one attempt in a browser."""

import time
import traceback
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from services.runner.browser.attempt import (
    AttemptReport,
    BrowserTask,
    CheckReport,
    CheckTask,
    Evidence,
    LastPage,
    Session,
)
from services.runner.browser.checks import Visit, perform_check
from services.runner.browser.control import control_page_failed
from services.runner.browser.deadline import run_until_deadline
from services.runner.browser.evidence import take_evidence
from services.runner.browser.failures import AcquireFailed, facts_of
from services.runner.browser.page import Clock, Page
from services.runner.browser.placing import acquire_well_placed
from services.runner.browser.session import Browser, finish_undisturbed
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
            if attempt.is_out_of_time():
                attempt.leave_out(checks)
                continue
            attempt.session = None
            browser = await acquire_well_placed(task, settings)
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


def _soft(limit: float) -> float:
    """When to stop the page, so that time is left to see what it shows."""
    return max(limit - _SOFT_MARGIN_SECONDS, limit * 0.6)


class _Attempt:
    """Collects what becomes the report."""

    def __init__(self, task: BrowserTask) -> None:
        self.session: Session | None = None  # the one at hand
        self._task = task
        log_ins = [each for check in task.checks for each in (check, check.log_in_first) if each is not None]
        self._mask = Mask.of(*(each.credentials for each in log_ins if each.credentials is not None))
        self._started_at = datetime.now(UTC)
        self._started = time.monotonic()
        self._checks: list[CheckReport] = []
        self._last_page = LastPage()
        self._evidence: list[Evidence] = []
        self._failed = False
        self._console_errors: tuple[str, ...] = ()
        self._traceback: str | None = None
        self._used = 0.0

    async def perform(self, check: CheckTask, visit: Visit, browser: Browser, settings: BrowserSettings) -> None:
        """One check: run it to its deadline, keep the evidence, ask the control page, judge."""
        if self.is_out_of_time():
            self.leave_out([check])
            return
        limit = self._task.timeout_seconds - self._used
        clock = Clock(limit, _soft(limit))
        page = Page(browser.driver, browser.devtools, clock, self._mask, self._task)
        browser.connection.before_change = page.pictures.before_change
        facts = await run_until_deadline(browser, page, lambda: self._find_out(check, visit, page, browser), settings)
        # The facts may be those of the log-in of an earlier check, with the time that it took.
        took = clock.elapsed()
        facts = self._with_time_before(facts)
        seconds = settings.evidence_seconds
        prefix = f"{check.check}-" if len(self._task.checks) > 1 else ""
        last_page = await browser.start(lambda: take_evidence(page, browser.connection, seconds, prefix))
        facts = replace(facts, control_page_failed=await control_page_failed(facts, page, browser, settings))
        outcome, warnings = classify(facts), tuple(page.warnings)
        final = next((piece.name for piece in last_page.evidence if "screenshot" in piece.name), None)
        ended = page.failed_step or len(page.steps)
        if page.steps and not outcome.success:
            # It may have done all that it was to do, and found out thereby that the site does not work.
            page.steps[ended - 1] = replace(page.steps[ended - 1], ok=False)
        pictures, steps = page.pictures.kept(outcome.success, page.steps, prefix, ended, final)
        self._evidence += [*last_page.evidence, *pictures, *page.asked_for]
        session = browser.session
        self._checks.append(CheckReport(check.check, outcome, took, tuple(steps), warnings, session))
        self._used += took
        if not self._failed:
            # What is told of the last page is told of the one that a check failed on.
            self._failed = not outcome.success
            self._last_page, self._console_errors = last_page, page.console_errors()

    def is_out_of_time(self) -> bool:
        """Whether a check that timed out, or several that took long, left nothing of the attempt's limit."""
        return self._used >= _soft(self._task.timeout_seconds)

    def leave_out(self, checks: Sequence[CheckTask]) -> None:
        """Nothing is known of the partner by what never began, so its state must stay as it is."""
        longest = max(self._checks, key=lambda report: report.duration_seconds)
        used = f"the limit of {self._task.timeout_seconds:g} s was used up before it, most by `{longest.check}`"
        outcome = Outcome("missed", f"Not run: {used} ({longest.duration_seconds:.0f} s).")
        self._checks += [CheckReport(check.check, outcome, 0.0, ()) for check in checks]

    def end_without_session(self, failure: AcquireFailed) -> None:
        detail = self._mask.beginning(failure.detail, 300)
        facts = Facts("", 0.0, self._task.timeout_seconds, fault=failure.fault, detail=detail)
        self._end_remaining(classify(facts))

    def end_unexpectedly(self, error: Exception) -> None:
        self._keep_traceback(error)
        self._end_remaining(Outcome("internal_error", self._mask.beginning(f"{type(error).__name__}: {error}", 300)))

    def report(self) -> AttemptReport:
        outcome = overall(check.outcome for check in self._checks)
        had = [check for check in self._checks if check.session is not None]
        decided = next((check for check in had if check.outcome == outcome), had[-1] if had else None)
        return AttemptReport(
            outcome=outcome,
            checks=tuple(self._checks),
            evidence=tuple(self._evidence),
            session=decided.session if decided else None,
            started_at=self._started_at,
            duration_seconds=time.monotonic() - self._started,
            final_url=self._last_page.final_url,
            title=self._last_page.title,
            console_errors=self._console_errors,
            traceback=self._traceback,
        ).masked(self._mask)

    def _with_time_before(self, facts: Facts) -> Facts:
        """What is given less time than the limit says, by checks before it, must not read as if it had all of it."""
        if facts.timed_out is None or not self._checks:
            return facts
        before = f"Of the limit of {self._task.timeout_seconds:g} s, {self._used:.0f} s were used before."
        return replace(facts, detail=f"{facts.detail} {before}".strip())

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
                self._checks.append(CheckReport(check.check, outcome, 0.0, (), session=self.session))

    def _keep_traceback(self, error: Exception) -> None:
        self._traceback = self._mask.text("".join(traceback.format_exception(error)))
