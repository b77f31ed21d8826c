"""Clicks that may load a page, with the consent dialog in the way answered."""

from pathlib import Path

from selenium.common.exceptions import ElementClickInterceptedException, ElementNotInteractableException
from selenium.webdriver.remote.webelement import WebElement

from services.runner.browser.page import Page

_ACCEPT_CONSENT = Path(__file__).with_name("consent.js").read_text("utf-8")


def click(page: Page, element: WebElement) -> str:
    """Clicks, once more after a consent dialog; returns what the element says, in quotation marks."""
    label = element.text or element.get_attribute("value") or element.tag_name
    with page.waiting_for_page():
        try:
            element.click()
        except (ElementClickInterceptedException, ElementNotInteractableException):
            accept_consent(page)
            element.click()
    return f"“{label.strip()[:40]}”"


def accept_consent(page: Page) -> None:
    """Answers a consent dialog that covers the page, if there is one."""
    page.driver.execute_script(_ACCEPT_CONSENT)
