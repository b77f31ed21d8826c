"""Types into a form and sends it."""

from selenium.common.exceptions import (
    ElementNotInteractableException,
    InvalidElementStateException,
    StaleElementReferenceException,
)
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from services.runner.browser.clicking import accept_consent, click
from services.runner.browser.log_in.look import Eyes, LoginForm
from services.runner.browser.page import Page

_MOST_TRIES = 3


def fill_form(eyes: Eyes, form: LoginForm, username: str | None, password: str | None) -> LoginForm:
    """Types what is given, again if the page replaced its fields; returns the form as it stands filled."""
    for _ in range(_MOST_TRIES):
        typed = _type(eyes.page, form, username, password)
        seen = eyes.page.poll(lambda: eyes.look_here().form, 2.0)
        if seen is None:
            break  # a script sent it already, or hides it while it works
        kept = (username is None or seen.user is None or seen.filled[0] == len(username)) and (
            password is None or seen.password is None or seen.filled[1] == len(password)
        )
        form = seen
        if typed and kept:
            break
    return form


def send(page: Page, form: LoginForm) -> str:
    """By its button, or by Enter; says by which."""
    field = form.password or form.user
    assert field is not None
    try:
        if form.submit is not None:
            return f"by {click(page, form.submit, form.says)}"
        press_enter(page, field)
    except StaleElementReferenceException:
        return "by the page itself"
    return "by Enter"


def press_enter(page: Page, field: WebElement) -> None:
    with page.waiting_for_page():
        try:
            field.send_keys(Keys.ENTER)
        except ElementNotInteractableException:
            ActionChains(page.driver).send_keys(Keys.ENTER).perform()


def type_into(page: Page, field: WebElement, value: str, *, clear: bool = True) -> bool:
    """False when the field went away meanwhile."""
    try:
        if clear:
            field.clear()
        field.send_keys(value)
    except StaleElementReferenceException:
        return False
    except (ElementNotInteractableException, InvalidElementStateException):
        accept_consent(page)
        # The driver cannot focus what is in a closed shadow root; a pointer can.
        ActionChains(page.driver).click(field).send_keys(value).perform()
    return True


def _type(page: Page, form: LoginForm, username: str | None, password: str | None) -> bool:
    name_typed = True
    if username is not None and form.user is not None:
        name_typed = type_into(page, form.user, username, clear=form.filled[0] > 0)
    if password is not None and form.password is not None and name_typed:
        return type_into(page, form.password, password, clear=form.filled[1] > 0)
    return name_typed
