"""Clicks that may load a page, with the consent dialog in the way answered."""

from pathlib import Path

from selenium.common.exceptions import (
    ElementClickInterceptedException,
    ElementNotInteractableException,
    NoSuchFrameException,
    StaleElementReferenceException,
)
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

from services.runner.browser.page import Page

_HERE = Path(__file__).parent
_ANSWER_CONSENT = (_HERE / "log_in/dom.js").read_text("utf-8") + (_HERE / "consent.js").read_text("utf-8")
_MOST_FRAMES = 4


def click(page: Page, element: WebElement, says: str | None = None) -> str:
    """Clicks, once more after a consent dialog; returns what the element says, in quotation marks.

    `says` is that, where it is known already.
    """
    label = says if says is not None else element.text or element.get_attribute("value") or element.tag_name
    with page.waiting_for_page():
        try:
            element.click()
        except (ElementClickInterceptedException, ElementNotInteractableException):
            if not accept_consent(page):
                # A banner in a frame covers it, or a label covers its own control.
                page.driver.execute_script("arguments[0].click()", element)
            else:
                element.click()
    return f"“{page.mask.beginning(label.strip(), 40)}”"


def accept_consent(page: Page) -> bool:
    """Answers a consent dialog that covers the page, if there is one; returns whether there was."""
    return bool(page.driver.execute_script(_ANSWER_CONSENT))


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
