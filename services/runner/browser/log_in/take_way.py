"""Goes a way that a look found."""

from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver import ActionChains

from services.runner.browser.clicking import click_if_there
from services.runner.browser.log_in.look import Eyes, Way


def take_way(eyes: Eyes, way: Way) -> str | None:
    """Clicks the control, and where it is a choice, what sends that; goes with it when a window of its own opens.
    Returns what it says. None when the page replaced the control, which is left for the next look then."""
    driver = eyes.page.driver
    windows = set(driver.window_handles)
    said = click_if_there(eyes.page, way.control, way.says)
    if said is not None and way.submit is not None:
        click_if_there(eyes.page, way.submit)
    if said is not None:
        eyes.tried.append(way.sign)
    opened = [handle for handle in driver.window_handles if handle not in windows]
    if opened:
        driver.switch_to.window(opened[0])
    return said


def hover(eyes: Eyes, way: Way) -> str | None:
    """Brings the mouse over the control; what that shows is for the next look. Returns as `take_way` does."""
    eyes.tried.append(way.sign)
    try:
        ActionChains(eyes.page.driver, duration=0).move_to_element(way.control).perform()
    except StaleElementReferenceException:
        return None
    return f"over “{way.says}”"
