"""Clicks that may load a page, with the consent dialog in the way answered."""

from pathlib import Path

from selenium.common.exceptions import (
    ElementClickInterceptedException,
    ElementNotInteractableException,
    JavascriptException,
    NoSuchFrameException,
    StaleElementReferenceException,
)
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

from services.runner.browser.page import Page

_HERE = Path(__file__).parent
_ANSWER_CONSENT = (_HERE / "log_in/dom.js").read_text("utf-8") + (_HERE / "consent.js").read_text("utf-8")
_MOST_FRAMES = 4
# For the reader of a step whose control was replaced before it was clicked.
DRAWN_ANEW = "drawn anew meanwhile"


def click(page: Page, element: WebElement, says: str | None = None) -> str:
    """Clicks, once more after a consent dialog; returns what the element says, in quotation marks.

    `says` is that, where it is known already. Raises StaleElementReferenceException when the page replaced it.
    """
    with page.replaced_is_stale():
        label = says if says is not None else element.text or element.get_attribute("value") or element.tag_name
        with page.waiting_for_page():
            if not _clicked(element) and not (accept_consent(page) and _clicked(element)):
                # A banner in a frame covers it, or one that is fading out, or a label covers its own control.
                page.driver.execute_script("arguments[0].click()", element)
    return f"“{page.mask.beginning(label.strip(), 40)}”"


def click_if_there(page: Page, element: WebElement, says: str | None = None) -> str | None:
    """As `click`; None, and nothing is clicked, when the page replaced it between our look and our click."""
    try:
        return click(page, element, says)
    except StaleElementReferenceException:
        page.loading = False
        return None


def accept_consent(page: Page) -> bool:
    """Answers a consent dialog that covers the page, if there is one; returns whether there was."""
    try:
        return bool(page.run(_ANSWER_CONSENT))
    except (JavascriptException, StaleElementReferenceException):
        return False  # the page is being replaced


def _clicked(element: WebElement) -> bool:
    try:
        element.click()
    except (ElementClickInterceptedException, ElementNotInteractableException):
        return False
    return True


def accept_consent_anywhere(page: Page) -> bool:
    """As `accept_consent`, in the top document and in its frames; leaves the driver in the top document."""
    page.driver.switch_to.default_content()
    if accept_consent(page):
        return True
    for frame in page.driver.find_elements(By.CSS_SELECTOR, "iframe")[:_MOST_FRAMES]:
        try:
            page.driver.switch_to.frame(frame)
            answered = accept_consent(page)
        except (NoSuchFrameException, StaleElementReferenceException):
            answered = False
        page.driver.switch_to.default_content()
        if answered:
            return True
    return False
