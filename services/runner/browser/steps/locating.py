"""Finds the element that a step means: waits for it, tries its locators in order, and tells which one it was."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from selenium.common.exceptions import (
    InvalidSelectorException,
    NoSuchElementException,
    NoSuchFrameException,
    NoSuchShadowRootException,
    NoSuchWindowException,
)
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.shadowroot import ShadowRoot
from selenium.webdriver.remote.webelement import WebElement

from services.runner.browser.failures import Misconfigured
from services.runner.browser.page import Page
from services.runner.browser.steps.walk import StepFailed, Walk
from shared.domain.evidence import PageFinding
from shared.domain.flow_locators import Locator

_LOCATE = Path(__file__).with_name("locate.js").read_text("utf-8")
# What is asked first may come a moment after what is asked next.
_GRACE_SECONDS = 0.5
_UNREADABLE = "can't be read by the browser"


@dataclass(frozen=True, slots=True)
class Found:
    element: WebElement
    position: int


@dataclass(frozen=True, slots=True)
class Look:
    """One look at the page. `states` says of each locator that was tried in vain why."""

    found: Found | None
    states: tuple[str, ...] = ()


def find(walk: Walk, locators: Sequence[Locator], detail: list[str], need: str = "usable") -> WebElement:
    """The element, once it is there as it is needed (`usable`, `visible` or `present`).

    Raises StepFailed, or Misconfigured when no browser could find it, so that its absence tells nothing of the site.
    """
    page, last = walk.page, Look(None)
    fallback: Found | None = None
    fallback_since = 0.0

    def look() -> Found | None:
        nonlocal last, fallback, fallback_since
        last = look_once(page, locators, need)
        if last.found is None:
            fallback = None
            page.state()  # raises when it is the browser's error page
            return None
        now = page.clock.elapsed()
        if fallback is None:
            fallback_since = now
        fallback = last.found
        return fallback if fallback.position == 0 or now - fallback_since >= _GRACE_SECONDS else None

    found = page.poll(look, walk.seconds) or fallback
    if found is None:
        require_readable(walk, locators, last)
        tried = "; ".join(f"{locator} ({state})" for locator, state in zip(locators, last.states, strict=False))
        raise StepFailed(PageFinding.ELEMENT_MISSING, f"nothing to {walk.verb} within {walk.seconds:g} s: {tried}")
    detail.append(f"by {locators[found.position]}")
    if found.position > 0:
        drift = f"its first locator, {locators[0]}, matches no more; {locators[found.position]} was used"
        detail.append(f"– drift: {drift}")
        page.warn(f"{walk.title}: {drift}.")
    return found.element


def require_readable(walk: Walk, locators: Sequence[Locator], look: Look) -> None:
    """Raises Misconfigured, naming the first of the locators tried that is neither CSS nor XPath."""
    for locator, state in zip(locators, look.states, strict=False):
        if state == _UNREADABLE:
            raise Misconfigured(f"Step {walk.title}: {locator} {_UNREADABLE}; mend it in the flow.")


def look_once(page: Page, locators: Sequence[Locator], need: str) -> Look:
    """What is there now. When the frame or window that we were in is gone, it goes on in the page that is left."""
    given = [locator.model_dump(exclude_none=True) for locator in locators]
    try:
        seen = page.driver.execute_script(_LOCATE, given, need, _UNREADABLE)
    except (NoSuchFrameException, NoSuchWindowException):
        _leave_what_is_gone(page)
        return Look(None, ("not there",) * len(locators))
    closed = seen["closed"]
    if closed is not None and (seen["position"] is None or closed[0] < seen["position"]):
        try:
            element = _in_closed_root(closed[1], closed[2], need)
        except InvalidSelectorException:
            element = None
            seen["states"][closed[0]] = _UNREADABLE
        if element is not None:
            return Look(Found(element, closed[0]))
    found = None if seen["position"] is None else Found(seen["element"], seen["position"])
    return Look(found, tuple(seen["states"]))


def _in_closed_root(host: WebElement, selectors: Sequence[str], need: str) -> WebElement | None:
    """Scripts can't see into a closed root; the driver can."""
    try:
        at: WebElement = host
        for selector in selectors:
            root: ShadowRoot = at.shadow_root
            at = root.find_element(By.CSS_SELECTOR, selector)
    except (NoSuchElementException, NoSuchShadowRootException):
        return None
    visible = need == "present" or at.is_displayed()
    return at if visible and (need != "usable" or at.is_enabled()) else None


def _leave_what_is_gone(page: Page) -> None:
    try:
        page.driver.switch_to.default_content()
    except NoSuchWindowException:
        page.driver.switch_to.window(page.driver.window_handles[-1])
