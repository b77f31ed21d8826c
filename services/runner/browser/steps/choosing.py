"""Chooses an option of a list."""

from collections.abc import Callable

from selenium.common.exceptions import NoSuchElementException, UnexpectedTagNameException
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.select import Select

from services.runner.browser.steps.walk import StepFailed
from shared.domain.evidence import PageFinding

Way = Callable[[Select, str], None]


def choose(element: WebElement, option: str, *ways: Way) -> None:
    """By the first way that finds it. Raises StepFailed when there is no such option, or it can't be chosen."""
    try:
        options = Select(element)
    except UnexpectedTagNameException:
        raise StepFailed(PageFinding.ELEMENT_MISSING, "what was found is not a list") from None
    for way in ways:
        try:
            way(options, option)
            return
        except NoSuchElementException:
            continue
        except NotImplementedError:  # so Selenium says it
            raise StepFailed(PageFinding.ELEMENT_MISSING, f"the option “{option}” can't be chosen") from None
    raise StepFailed(PageFinding.ELEMENT_MISSING, f"the list has no option “{option}”")
