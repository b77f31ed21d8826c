"""One look at a page by somebody who wants to log in: what is there to fill, to click, and to read."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from selenium.common.exceptions import (
    JavascriptException,
    NoSuchFrameException,
    NoSuchShadowRootException,
    NoSuchWindowException,
    StaleElementReferenceException,
    UnexpectedAlertPresentException,
    WebDriverException,
)
from selenium.webdriver.remote.webelement import WebElement

from services.runner.browser.attempt import Marker
from services.runner.browser.failures import PageTrouble
from services.runner.browser.page import Page
from shared.domain.site_words import Saying, refuses_code, saying_of

_PARTS = ("words.js", "dom.js", "form.js", "code.js", "ways.js", "look.js")
_LOOK = "".join(Path(__file__).with_name(name).read_text("utf-8") for name in _PARTS)
_MOST_FRAMES_DEEP = 3
_WHILE_REPLACED_SECONDS = 0.05
_MOST_CLOSED_ROOTS_DEEP = 5
_AT_ONCE_SECONDS = 0.3
_LONGER = 1.3


@dataclass(frozen=True, slots=True)
class LoginForm:
    """Kind `both` (on one page), `user` (name first) or `password` (name already given).

    `filled` counts the characters that stand in user and password, which are `called` so; `invalid` says that the page
    marks one as wrong; `says` is what the submit button says; `sign` tells it from another form.
    """

    kind: str
    score: float
    user: WebElement | None
    password: WebElement | None
    submit: WebElement | None
    says: str
    sign: str
    called: tuple[str, ...]
    filled: tuple[int, int]
    invalid: bool


@dataclass(frozen=True, slots=True)
class CodeForm:
    """Where a one-time code goes: one field, or one box per digit. `beside`: the password field of the same form.

    `sure`: the form is for nothing else, so whoever is shown it is not in yet, whatever else the page offers.
    """

    fields: tuple[WebElement, ...]
    submit: WebElement | None
    beside: WebElement | None
    sure: bool


@dataclass(frozen=True, slots=True)
class Way:
    """A control that leads on; `sign` tells it from others after it was clicked. A choice has a `submit` of its own."""

    control: WebElement
    says: str
    sign: str
    submit: WebElement | None


@dataclass(frozen=True, slots=True)
class Look:
    """What one look shows, field by field as `look.js` returns it. `marked` is None without a marker to look for.

    `welcomes`: there is a way to log out, perhaps in a closed menu; `shows_way_out`: it is to be seen.
    `asks_new_password`: it has fields to choose one.
    """

    url: str
    status: int
    complete: bool
    error_page: bool
    error_code: str
    text_length: int
    form: LoginForm | None
    code: CodeForm | None
    ways: dict[str, Way]
    asks: bool
    hosts: tuple[WebElement, ...]
    frames: tuple[WebElement, ...]
    notices: tuple[str, ...]
    lines: tuple[str, ...]
    welcomes: bool
    shows_way_out: bool
    captcha: bool
    asks_new_password: bool
    marker_valid: bool
    marked: bool | None

    @property
    def keeps_out(self) -> bool:
        """Whether it surely asks for a code. Such a page often has a log-out control, to give up by."""
        return self.code is not None and self.code.sure

    def greets_anew(self, before: "Look") -> bool:
        """Whether it treats us as somebody who is in, as `before` did not. Some have a hidden way out all along."""
        return (self.welcomes and not before.welcomes) or (self.shows_way_out and not before.shows_way_out)

    def asks_again(self, before: "Look") -> bool:
        """Whether a form with a password stands; behind a log-in it may be one for something else."""
        if self.form is None or self.form.password is None:
            return False
        same = before.form is None or self.form.sign == before.form.sign
        return same or not self.greets_anew(before)

    def asks_for_code_beside(self, before: "Look") -> bool:
        """Whether the form now wants a one-time code as well."""
        return self.code is not None and self.code.beside is not None and before.code is None

    def new_saying(self, before: "Look | None") -> tuple[str, Saying] | None:
        """The first words about the log-in that were not there before; notices speak first."""
        for text in self.new_texts(before) if before is not None else (*self.notices, *self.lines):
            saying = saying_of(text)
            if saying is not None:
                return text, saying
        return None

    def code_refusal(self, before: "Look") -> str | None:
        """The first words against a one-time code that were not there before."""
        return next((text for text in self.new_texts(before) if refuses_code(text)), None)

    def new_notice(self, before: "Look") -> str | None:
        return next((notice for notice in self.notices if notice not in before.notices), None)

    def new_texts(self, before: "Look") -> list[str]:
        """What it says that was not there before; notices speak first."""
        known = {*before.notices, *before.lines}
        return [text for text in dict.fromkeys((*self.notices, *self.lines)) if text not in known]


class Eyes:
    """Looks at one page. Knows which shadow roots are closed, for scripts do not, and where a marker is to be seen."""

    def __init__(self, page: Page, marker: Marker | None = None) -> None:
        self.page = page
        self.marker = {"text": marker.text, "css": marker.css} if marker is not None else None
        self.tried: list[str] = []
        self.form_took = 0.0
        self._page_came = page.clock.elapsed()
        self._closed: list[list[Any]] = []
        self._asked: set[str] = set()

    def page_came(self) -> None:
        """A page was opened, or something was clicked: from here on its form is waited for."""
        self._page_came = self.page.clock.elapsed()

    def form_came(self) -> None:
        """What stands there for those who are not logged in. Where it is missing again, it gets as long."""
        self.form_took = max(self.form_took, self.page.clock.elapsed() - self._page_came)

    def form_may_come_for(self) -> float:
        """Seconds for which a page without the form proves nothing: somewhat longer than it took the first time."""
        return _LONGER * self.form_took if self.form_took > _AT_ONCE_SECONDS else 0.0

    def look(self, roles: Sequence[str] = ()) -> Look:
        """At the document that the driver is in."""
        for _ in range(_MOST_CLOSED_ROOTS_DEEP):
            look = self._look(roles)
            if look.form is not None or look.code is not None or not self._open_closed_roots(look.hosts):
                break
        return look

    def look_here(self, roles: Sequence[str] = ()) -> Look:
        """As `look`; when the frame that the driver was in is gone, at the top document."""
        try:
            return self.look(roles)
        except (NoSuchFrameException, NoSuchWindowException):
            to_what_is_left(self.page)
            return self.look(roles)

    def look_around(self, roles: Sequence[str] = ()) -> Look:
        """At the top document and, when it has no form with a password, its frames. The driver stays where the
        form is."""
        try:
            self.page.driver.switch_to.default_content()
            top = self.look(roles)
        except NoSuchWindowException:
            to_what_is_left(self.page)
            top = self.look(roles)
        if (top.form is not None and top.form.password is not None) or not top.frames:
            return top
        inside = self._look_into(top.frames, _MOST_FRAMES_DEEP)
        if inside is not None and (top.form is None or (inside.form is not None and inside.form.password is not None)):
            return inside
        self.page.driver.switch_to.default_content()
        return top

    def _look_into(self, frames: Sequence[WebElement], deep: int) -> Look | None:
        for frame in frames:
            try:
                self.page.driver.switch_to.frame(frame)
            except (NoSuchFrameException, StaleElementReferenceException):
                continue
            look: Look | None = None
            try:
                look = self.look()
                if look.form is None and look.code is None:
                    look = self._look_into(look.frames, deep - 1) if deep > 1 else None
            except UnexpectedAlertPresentException:
                raise  # the driver has dismissed the dialog, so what it said stands nowhere else
            except WebDriverException:
                look = None  # it is being replaced; the next look sees what by
            except PageTrouble as trouble:
                if "net_error" not in trouble.facts:
                    raise
                look = None  # an advertisement that is blocked is no trouble of the page around it
            if look is not None:
                return look
            self.page.driver.switch_to.parent_frame()
        return None

    def _look(self, roles: Sequence[str]) -> Look:
        arguments = (list(roles), self.tried, self.marker)
        for last in (False, False, True):
            try:
                read = self.page.read(_LOOK, self._closed, *arguments)
                break
            except (StaleElementReferenceException, JavascriptException):
                if last:
                    raise
                self._closed.clear()
                self._asked.clear()
                self.page.clock.over.wait(_WHILE_REPLACED_SECONDS)
        read["form"] = _form(read["form"])
        read["code"] = _code(read["code"])
        read["ways"] = {role: _way(found) for role, found in read["ways"].items()}
        fields: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in read.items()
        }
        return Look(**fields)

    def _open_closed_roots(self, hosts: Sequence[WebElement]) -> bool:
        opened = False
        for host in hosts:
            if host.id in self._asked:
                continue
            self._asked.add(host.id)
            try:
                self._closed.append([host, host.shadow_root])
                opened = True
            except (NoSuchShadowRootException, StaleElementReferenceException):
                continue
        return opened


def to_what_is_left(page: Page) -> None:
    """When the frame or the window that the driver was in is gone."""
    try:
        page.driver.switch_to.default_content()
    except NoSuchWindowException:
        page.driver.switch_to.window(page.driver.window_handles[0])


def form_in_document(page: Page) -> LoginForm | None:
    """The log-in form of the document that the driver is in."""
    return Eyes(page).look().form


def _form(read: dict[str, Any] | None) -> LoginForm | None:
    if read is None:
        return None
    read.pop("scope", None)
    return LoginForm(**read | {"filled": tuple(read["filled"]), "called": tuple(read["called"])})


def _code(read: dict[str, Any] | None) -> CodeForm | None:
    return CodeForm(**read | {"fields": tuple(read["fields"])}) if read is not None else None


def _way(read: dict[str, Any]) -> Way:
    return Way(read["control"], read["says"], read["sign"], read["submit"])
