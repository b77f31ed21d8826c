"""What each kind of step does: one map, one short function each."""

from collections.abc import Callable, Mapping
from typing import Any

from selenium.common.exceptions import NoSuchFrameException, StaleElementReferenceException
from selenium.webdriver import ActionChains
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.select import Select

from services.runner.browser.clicking import click
from services.runner.browser.failures import PageTrouble
from services.runner.browser.steps.choosing import choose
from services.runner.browser.steps.expecting import expect, wait_for
from services.runner.browser.steps.locating import find
from services.runner.browser.steps.one_time_code import code_for
from services.runner.browser.steps.picturing import take_picture
from services.runner.browser.steps.typing_in import type_in
from services.runner.browser.steps.walk import LogInFailed, StepFailed, Walk
from shared.domain.evidence import LoginFinding, PageFinding
from shared.domain.flow import (
    ClickStep,
    FillStep,
    FrameStep,
    HoverStep,
    LogInStep,
    NavigateStep,
    PressStep,
    SelectStep,
    TotpStep,
    WindowStep,
)
from shared.domain.flow_locators import values_in, with_values

Detail = list[str]

_KEYS = {
    "Enter": Keys.ENTER,
    "Tab": Keys.TAB,
    "Escape": Keys.ESCAPE,
    "Backspace": Keys.BACKSPACE,
    "Delete": Keys.DELETE,
    "Space": Keys.SPACE,
    "ArrowUp": Keys.ARROW_UP,
    "ArrowDown": Keys.ARROW_DOWN,
    "ArrowLeft": Keys.ARROW_LEFT,
    "ArrowRight": Keys.ARROW_RIGHT,
    "Home": Keys.HOME,
    "End": Keys.END,
    "PageUp": Keys.PAGE_UP,
    "PageDown": Keys.PAGE_DOWN,
}


def _navigate(walk: Walk, step: NavigateStep, detail: Detail) -> None:
    walk.frames.clear()
    state = walk.page.open(step.url or walk.task.url, step.timeout_seconds)
    detail.append(f"answered {state.status}" if state.status else "")
    if state.status >= 400:
        raise PageTrouble(http_status=state.status)


def _click(walk: Walk, step: ClickStep, detail: Detail) -> None:
    element = find(walk, step.locators, detail)
    if step.double:
        with walk.page.waiting_for_page():
            ActionChains(walk.page.driver).double_click(element).perform()
        return
    try:
        click(walk.page, element)
    except StaleElementReferenceException:
        click(walk.page, find(walk, step.locators, []))  # the page replaced it between our look and our click


def _fill(walk: Walk, step: FillStep, detail: Detail) -> None:
    credentials, values = walk.task.credentials, dict[str, str]()
    if credentials is not None:
        values = {"username": credentials.username, "password": credentials.password}
        if "totp" in values_in(step.value) and credentials.totp_secret:
            values["totp"] = code_for(walk.page, credentials.totp_secret)
    type_in(walk, step.locators, with_values(step.value, values), detail)


def _totp(walk: Walk, step: TotpStep, detail: Detail) -> None:
    assert walk.task.credentials is not None
    assert walk.task.credentials.totp_secret is not None
    find(walk, step.locators, [])  # a code is only made once somebody asks for it
    type_in(walk, step.locators, code_for(walk.page, walk.task.credentials.totp_secret), detail)


def _press(walk: Walk, step: PressStep, detail: Detail) -> None:
    element = find(walk, step.locators, detail) if step.locators else None
    detail.append(step.key)
    with walk.page.waiting_for_page():
        if element is not None:
            element.send_keys(_KEYS[step.key])
        else:
            ActionChains(walk.page.driver).send_keys(_KEYS[step.key]).perform()


def _select(walk: Walk, step: SelectStep, detail: Detail) -> None:
    element = find(walk, step.locators, detail)
    with walk.page.waiting_for_page():
        if step.option_text is not None:
            choose(element, step.option_text, Select.select_by_visible_text)
        elif step.option_value is not None:
            choose(element, step.option_value, Select.select_by_value)


def _hover(walk: Walk, step: HoverStep, detail: Detail) -> None:
    element = find(walk, step.locators, detail, "visible")
    ActionChains(walk.page.driver).move_to_element(element).perform()


def _frame(walk: Walk, step: FrameStep, detail: Detail) -> None:
    if step.locators is None:
        walk.page.driver.switch_to.default_content()
        walk.frames.clear()
        detail.append("the page as a whole")
        return
    try:
        frame = find(walk, step.locators, detail, "present")
        walk.page.driver.switch_to.frame(frame)
        walk.frames.append(frame)
    except NoSuchFrameException:
        raise StepFailed(PageFinding.ELEMENT_MISSING, "what was found is not a frame") from None


def _window(walk: Walk, step: WindowStep, detail: Detail) -> None:
    driver = walk.page.driver
    walk.frames.clear()
    if step.to == "first":
        driver.switch_to.window(walk.first_window or driver.window_handles[0])
        return
    here = driver.current_window_handle
    handles = walk.page.poll(lambda: [each for each in driver.window_handles if each != here] or None, walk.seconds)
    if not handles:
        raise StepFailed(PageFinding.ELEMENT_MISSING, f"no other window opened within {walk.seconds:g} s")
    driver.switch_to.window(handles[-1])
    walk.page.poll(lambda: walk.page.state().complete or None, walk.seconds)
    detail.append("the newest window")


def _screenshot(walk: Walk, step: object, detail: Detail) -> None:
    take_picture(walk, detail)


def _log_in(walk: Walk, step: LogInStep, detail: Detail) -> None:
    page, patience = walk.page, walk.page.patience
    walk.frames.clear()
    page.patience = step.timeout_seconds or patience
    try:
        facts = walk.log_in()
    finally:
        page.patience = patience
    if facts.login is not LoginFinding.IN:
        raise LogInFailed(facts)
    detail.append("logged in")


PERFORM: Mapping[str, Callable[[Walk, Any, Detail], None]] = {
    "navigate": _navigate,
    "click": _click,
    "fill": _fill,
    "press": _press,
    "select": _select,
    "hover": _hover,
    "wait_for": wait_for,
    "expect": expect,
    "frame": _frame,
    "window": _window,
    "totp": _totp,
    "screenshot": _screenshot,
    "log_in": _log_in,
}
