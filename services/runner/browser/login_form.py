"""Finds a log-in form on the page, fills it, and sends it."""

from dataclasses import dataclass
from pathlib import Path

from selenium.common.exceptions import (
    ElementNotInteractableException,
    InvalidElementStateException,
    NoSuchFrameException,
    StaleElementReferenceException,
)
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from services.runner.browser.clicking import accept_consent, click
from services.runner.browser.page import Page

_FIND = Path(__file__).with_name("login_form.js").read_text("utf-8")
_MOST_FRAMES = 6
_MOST_OPENERS = 2
_BEFORE_OPENING_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class LoginForm:
    """What `login_form.js` found: kind `both`, `user` (name first), `password` (name already given) or `opener`."""

    kind: str
    score: float
    user: WebElement | None
    password: WebElement | None
    submit: WebElement | None
    opener: WebElement | None


def find_form(page: Page, seconds: float) -> LoginForm | None:
    """Waits for a form to log in with, opening the dialog or page a "Log in" control leads to when none comes.

    The driver is left in the frame that holds the form.
    """
    until = page.clock.elapsed() + seconds
    for _ in range(_MOST_OPENERS):
        form = page.poll(lambda: visible_form(page), min(seconds / 2, _BEFORE_OPENING_SECONDS))
        if form is not None:
            return form
        openers = [candidate for candidate in _candidates(page) if candidate.opener is not None]
        if not openers or openers[0].opener is None:
            continue
        with page.step("open the log-in") as detail:
            detail.append(click(page, openers[0].opener))
    return page.poll(lambda: visible_form(page), max(until - page.clock.elapsed(), 0.0))


def visible_form(page: Page) -> LoginForm | None:
    """The best form of the page as it is now, in the top document or in one of its frames."""
    page.driver.switch_to.default_content()
    form = form_in_document(page)
    if form is not None:
        return form
    for frame in page.driver.find_elements(By.CSS_SELECTOR, "iframe, frame")[:_MOST_FRAMES]:
        try:
            page.driver.switch_to.frame(frame)
            form = form_in_document(page)
        except (NoSuchFrameException, StaleElementReferenceException):
            form = None
        if form is not None:
            return form
        page.driver.switch_to.default_content()
    return None


def form_in_document(page: Page) -> LoginForm | None:
    return next(
        (candidate for candidate in _candidates(page) if candidate.opener is None and candidate.score >= 5), None
    )


def fill(page: Page, field: WebElement, value: str) -> bool:
    """Types the value; False when the page did not keep it, which some scripts do by replacing the field."""
    try:
        field.clear()
        field.send_keys(value)
    except (ElementNotInteractableException, InvalidElementStateException):
        accept_consent(page)
        field.send_keys(value)
    except StaleElementReferenceException:
        return False
    try:
        return bool(field.get_property("value") == value)
    except StaleElementReferenceException:
        return False


def submit(page: Page, field: WebElement) -> str:
    """Sends the form that holds this field, by its button or by Enter; says by which."""
    button = None
    for candidate in _candidates(page):
        if field in (candidate.password, candidate.user):
            button = candidate.submit
            break
    if button is None:
        press_enter(page, field)
        return "by Enter"
    return f"by {click(page, button)}"


def press_enter(page: Page, field: WebElement) -> None:
    with page.waiting_for_page():
        field.send_keys(Keys.ENTER)


def _candidates(page: Page) -> list[LoginForm]:
    return [LoginForm(**candidate) for candidate in page.driver.execute_script(_FIND) or ()]
