"""The story of a flow: its steps in order, each awaited, recorded, and told apart when it fails."""

from collections.abc import Callable

from selenium.common.exceptions import (
    ElementClickInterceptedException,
    ElementNotInteractableException,
    InvalidElementStateException,
    MoveTargetOutOfBoundsException,
    StaleElementReferenceException,
    UnexpectedAlertPresentException,
    WebDriverException,
)

from services.runner.browser.attempt import CheckTask
from services.runner.browser.evidence import show_page
from services.runner.browser.failures import Misconfigured, PageTrouble, facts_of, first_line
from services.runner.browser.page import Page
from services.runner.browser.steps.kinds import PERFORM
from services.runner.browser.steps.walk import LogInFailed, StepFailed, Walk
from shared.domain.evidence import Facts, LoginFinding, PageFinding
from shared.domain.flow import Flow, Step, WindowStep

# What a site does to a step, or says in a dialog between two. Everything else is trouble of ours, and ends the flow at
# once.
_SITES_DOING = (StepFailed, LogInFailed, PageTrouble, UnexpectedAlertPresentException)
_FOUND_OUT = {"net_error", "timed_out", "dialog"}
_IN_THE_WAY = (
    ElementClickInterceptedException,
    ElementNotInteractableException,
    InvalidElementStateException,
    MoveTargetOutOfBoundsException,
    StaleElementReferenceException,
)
_LOGS_IN = ("login", "sso")
_SHOWN_WITHIN_SECONDS = 2.0


def run_flow(page: Page, task: CheckTask, flow: Flow, log_in: Callable[[], Facts]) -> Facts:
    """The facts of a check by its flow. Raises PageTrouble and what selenium raises, as the automatic ways do, and
    Misconfigured."""
    asked = flow.values()
    if asked and task.credentials is None:
        return page.facts(login=LoginFinding.NO_CREDENTIALS)
    if "totp" in asked and task.credentials is not None and not task.credentials.totp_secret:
        raise Misconfigured("the flow asks for a one-time code, and no TOTP secret is stored.")
    walk = Walk(page, task, log_in)
    if any(isinstance(step, WindowStep) for step in flow.steps):
        walk.first_window = page.driver.current_window_handle
    trouble: Exception | None = None
    final = False
    for number, step in enumerate(flow.steps, 1):
        if step.final and not final:
            final = True
            with page.step(_title(number, step)) as detail:
                detail.append("not performed: it is marked final, and the flow ends before it")
        if (trouble is not None or final) and not step.always_run:
            continue
        try:
            _perform(walk, number, step)
        except _SITES_DOING as error:
            over = page.clock.left() <= 0
            if over or not step.allow_failure:
                if trouble is None:
                    tidied_up = not over and any(later.always_run for later in flow.steps[number:])
                    _keep_failure(walk, tidied_up)
                trouble = trouble or error
            elif trouble is None:
                page.failed_step, page.failed_on = 0, None  # of a flow that was its log-in
            if over:
                break
    return _facts(walk, trouble)


def _keep_failure(walk: Walk, tidied_up: bool) -> None:
    """The page that the step failed on, before the steps that tidy up leave it."""
    page = walk.page
    if page.failed_step:
        return  # inside the flow that was its log-in
    page.failed_step = len(page.steps)
    if tidied_up:
        page.pictures.settle()
        page.failed_on = show_page(page, min(_SHOWN_WITHIN_SECONDS, page.clock.left()))
        walk.back_into_frames()


def _perform(walk: Walk, number: int, step: Step) -> None:
    page = walk.page
    walk.title, walk.verb = _title(number, step), step.do.replace("_", " ")
    walk.seconds = step.timeout_seconds or page.patience
    with page.step(walk.title) as detail:
        try:
            PERFORM[step.do](walk, step, detail)
        except (StepFailed, WebDriverException) as error:
            page.loading = False
            failed = _as_the_site_did(walk, error)
            if isinstance(failed, StepFailed):
                detail.append(failed.detail + (" (it may fail)" if step.allow_failure else ""))
            raise _with_status(walk, failed) from error


def _as_the_site_did(walk: Walk, error: StepFailed | WebDriverException) -> Exception:
    """What the driver says, as the site's doing where it is."""
    if isinstance(error, StepFailed):
        return error
    if isinstance(error, _IN_THE_WAY):
        return StepFailed(PageFinding.ELEMENT_MISSING, f"found, but not to be used: {first_line(error)}")
    facts = facts_of(error, None)
    return PageTrouble(**facts) if facts.keys() & _FOUND_OUT else error


def _with_status(walk: Walk, failed: Exception) -> Exception:
    """What is missing on a page that answered with an error is missing for that reason."""
    if not isinstance(failed, StepFailed):
        return failed
    status = walk.page.state().status
    if status >= 400:
        return PageTrouble(http_status=status)
    return StepFailed(failed.finding, f"Step {walk.title}: {failed.detail}.")


def _facts(walk: Walk, trouble: Exception | None) -> Facts:
    page = walk.page
    if isinstance(trouble, LogInFailed):
        return trouble.facts
    if isinstance(trouble, StepFailed):
        return page.facts(page=trouble.finding, detail=trouble.detail)
    if trouble is not None:
        raise trouble
    if walk.task.check in _LOGS_IN:
        return page.facts(login=LoginFinding.IN)
    return page.facts(page=PageFinding.AS_EXPECTED)


def _title(number: int, step: Step) -> str:
    return f"{number}. {step.name or step.do.replace('_', ' ')}"
