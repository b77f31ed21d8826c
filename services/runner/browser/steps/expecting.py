"""The steps that look: what must be so is awaited, and what is seen instead is told."""

from collections.abc import Callable
from pathlib import Path

from services.runner.browser.page import Page
from services.runner.browser.steps.locating import Look, find, look_once, require_readable
from services.runner.browser.steps.walk import StepFailed, Walk
from shared.domain.evidence import PageFinding
from shared.domain.flow import ExpectStep, WaitForStep
from shared.domain.flow_locators import Locator

_SHOWN_TEXT = Path(__file__).with_name("shown_text.js").read_text("utf-8")
# By the browser's own engine: a pattern that takes for ever holds up the page then, and not the runner.
_MATCHES = "try { return new RegExp(arguments[0]).test(location.href) } catch { return null }"


def expect(walk: Walk, step: ExpectStep, detail: list[str]) -> None:
    """Awaits what one step expects. Raises StepFailed with what is seen instead."""
    page = walk.page
    match step.expected:
        case "url_contains":
            wanted = step.url_contains or ""
            _await(walk, f"a URL with “{wanted}”", lambda: wanted in page.state().url, lambda: page.state().url)
        case "url_matches":
            pattern = step.url_matches or ""
            _await(walk, f"a URL like {pattern}", lambda: _url_matches(page, pattern), lambda: page.state().url)
        case "title_contains":
            title = (step.title_contains or "").lower()
            what = f"a title with “{step.title_contains}”"
            _await(walk, what, lambda: title in page.driver.title.lower(), lambda: f"“{page.driver.title}”")
        case "text_visible":
            text = step.text_visible or ""
            _await(walk, f"the text “{text}”", lambda: _shows(page, text), lambda: _beginning(page))
        case "text_absent":
            text = step.text_absent or ""
            _await(walk, f"no text “{text}”", lambda: not _shows(page, text), lambda: "it is still there")
        case "element_visible":
            _expect_element(walk, step.element_visible or [], detail)
        case "element_absent":
            wait_until_absent(walk, step.element_absent or [], PageFinding.NOT_AS_EXPECTED)
    detail.append("as expected")


def wait_for(walk: Walk, step: WaitForStep, detail: list[str]) -> None:
    if step.until == "absent":
        wait_until_absent(walk, step.locators, PageFinding.NOT_AS_EXPECTED)
    else:
        find(walk, step.locators, detail, "visible")


def wait_until_absent(walk: Walk, locators: list[Locator], finding: PageFinding) -> None:
    """Until none of the locators has a visible element; one that can't be read is never there, which proves nothing."""
    page, left = walk.page, Look(None)

    def gone() -> bool | None:
        nonlocal left
        left = look_once(page, locators, "visible")
        require_readable(walk, locators, left)
        return True if left.found is None and page.state().complete else None

    if not page.poll(gone, walk.seconds):
        named = locators[left.found.position if left.found else 0]
        raise StepFailed(finding, f"{named} is still there after {walk.seconds:g} s")


def _expect_element(walk: Walk, locators: list[Locator], detail: list[str]) -> None:
    try:
        find(walk, locators, detail, "visible")
    except StepFailed as failed:
        raise StepFailed(PageFinding.NOT_AS_EXPECTED, failed.detail) from failed


def _await(walk: Walk, what: str, holds: Callable[[], bool | None], seen: Callable[[], str]) -> None:
    page = walk.page
    if page.poll(lambda: True if page.state().complete and holds() else None, walk.seconds):
        return
    raise StepFailed(PageFinding.NOT_AS_EXPECTED, f"expected {what} within {walk.seconds:g} s, but saw {seen()}")


def _url_matches(page: Page, pattern: str) -> bool | None:
    matches: bool | None = page.driver.execute_script(_MATCHES, pattern)
    return matches


def _shows(page: Page, text: str) -> bool:
    wanted = " ".join(text.split()).lower()
    return wanted in str(page.driver.execute_script(_SHOWN_TEXT)).lower()


def _beginning(page: Page) -> str:
    shown = str(page.driver.execute_script(_SHOWN_TEXT))
    return f"“{page.mask.beginning(shown, 120)}{'…' if len(shown) > 120 else ''}”" if shown else "an empty page"
