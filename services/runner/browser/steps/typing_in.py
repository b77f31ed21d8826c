"""Fills a field so that the page keeps what was typed. What is typed is never told."""

from collections.abc import Sequence
from contextlib import suppress

from selenium.common.exceptions import (
    InvalidElementStateException,
    StaleElementReferenceException,
)
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.select import Select

from services.runner.browser.steps.choosing import choose
from services.runner.browser.steps.locating import find
from services.runner.browser.steps.walk import Walk
from shared.domain.flow_locators import Locator

# The browser shows these in the form of its language, and would take typed keys in that form only.
_SET_AT_ONCE = ("date", "time", "datetime-local", "month", "week", "color", "range")
_SET = """
    const [field, value] = arguments;
    Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value").set.call(field, value);
    for (const kind of ["input", "change"]) field.dispatchEvent(new Event(kind, { bubbles: true }));
"""


def type_in(walk: Walk, locators: Sequence[Locator], value: str, detail: list[str]) -> None:
    """Raises StepFailed when there is no such field. That a script changes what was typed is told, but no failure."""
    for last in (False, True):
        field = find(walk, locators, [] if last else detail)
        try:
            _type(walk, field, value)
            kept = field.get_property("value")
        except StaleElementReferenceException:
            if last:
                raise
            continue  # a script replaced the field while we typed
        if kept is None or kept == value:
            return
        if last:
            detail.append("(the page changed what was typed)")


def _type(walk: Walk, field: WebElement, value: str) -> None:
    if (field.get_attribute("type") or "").lower() in _SET_AT_ONCE:
        walk.page.driver.execute_script(_SET, field, value)
        return
    if field.tag_name.lower() == "select":
        # A recording tells of a list what it tells of any field: its value.
        choose(field, value, Select.select_by_value, Select.select_by_visible_text)
        return
    with suppress(InvalidElementStateException):  # not a field by itself, but editable
        field.clear()
    with walk.page.waiting_for_page():
        field.send_keys(value)
