"""The `login` check, the automatic way: open the entry point, find the form, fill it, send it, and see what happens.

A password is sent once. A site that refuses it may lock the account at the next try.
"""

import re
from urllib.parse import urlsplit

from selenium.common.exceptions import NoSuchFrameException, NoSuchWindowException, UnexpectedAlertPresentException
from selenium.webdriver.remote.webelement import WebElement

from services.runner.browser.attempt import CheckTask, Credentials
from services.runner.browser.failures import dialog_text
from services.runner.browser.login_form import (
    LoginForm,
    fill,
    find_form,
    form_in_document,
    press_enter,
    submit,
    visible_form,
)
from services.runner.browser.page import Page, PageState
from shared.domain.evidence import Facts, LoginFinding

_QUIET_LOOKS = 3
_ENTER_AFTER_SECONDS = 2.0
_REFUSING_DIALOG = re.compile(
    r"(?i)wrong|incorrect|invalid|unknown|fail|denied|not match|falsch|ungültig|incorrecte?|onjuist"
)
_SAYS_NO = (400, 401, 403, 422)


def log_in(page: Page, task: CheckTask) -> Facts:
    """The story of the check; its facts end with a finding, or PageTrouble says why a page did not come."""
    wait = page.patience
    with page.step("open the entry point") as detail:
        state = page.open(task.url)
        detail.append(f"answered {state.status}" if state.status else "")
    with page.step("find the log-in form") as detail:
        form = find_form(page, wait if state.status < 400 else min(wait, 1.0))
        detail.append({"both": "on one page", "user": "name first"}.get(form.kind, form.kind) if form else "none")
    if form is None:
        captcha = page.state().captcha
        return page.facts(
            login=LoginFinding.CAPTCHA if captcha else LoginFinding.FORM_NOT_FOUND,
            http_status=state.status or None,
            detail=f"Waited {wait:g} s.",
        )
    if task.credentials is None:
        return page.facts(login=LoginFinding.NO_CREDENTIALS)
    try:
        return _submit_and_judge(page, form, task.credentials, task.url, wait)
    except UnexpectedAlertPresentException as dialog:
        said = dialog_text(dialog)
        if _REFUSING_DIALOG.search(said):
            return page.facts(login=LoginFinding.REFUSED, said=said)
        raise


def _submit_and_judge(page: Page, form: LoginForm, credentials: Credentials, entry_point: str, wait: float) -> Facts:
    name_first = form.kind == "user"
    before = page.state()
    if name_first:
        with page.step("give the user name") as detail:
            user = _fill_form(page, form, credentials.username, None)
            detail.append(submit(page, user))
            after_name = page.poll(lambda: _password_or_refusal(page, before), wait)
        if isinstance(after_name, str):
            return page.facts(login=LoginFinding.REFUSED, said=after_name)
        if not isinstance(after_name, LoginForm):
            detail_text = f"After the user name no password field appeared within {wait:g} s."
            return page.facts(login=LoginFinding.UNCONFIRMED, detail=detail_text)
        form, before = after_name, page.state()
    with page.step("fill the log-in form"):
        password = _fill_form(page, form, None if name_first else credentials.username, credentials.password)
    sent = len(page.exchanges())
    with page.step("submit") as detail:
        detail.append(submit(page, password))
    with page.step("see what happens") as detail:
        verdict = _Verdict(page, before, password, sent, name_first, wait)
        found = page.poll(verdict.look, page.clock.left())
        detail.append("the form is gone" if found is LoginFinding.IN else "")
    if found is None or found is LoginFinding.UNCONFIRMED:
        kept_waiting = f"The form still stands after {wait:g} s."
        return page.facts(login=LoginFinding.UNCONFIRMED, said=verdict.new_notice(), detail=kept_waiting)
    if isinstance(found, Facts):
        return found
    return _confirm(page, before, entry_point, wait)


def _fill_form(page: Page, form: LoginForm, username: str | None, password: str | None) -> WebElement:
    """Fills what is given, once more if the page replaced its fields; returns the field that was filled last."""
    field: WebElement | None = None
    for _ in range(3):
        kept = True
        if username is not None and form.user is not None:
            field, kept = form.user, fill(page, form.user, username)
        if password is not None and form.password is not None and kept:
            field, kept = form.password, fill(page, form.password, password)
        if kept:
            break
        form = page.poll(lambda: form_in_document(page), 2.0) or form
    assert field is not None
    return field


def _password_or_refusal(page: Page, before: PageState) -> LoginForm | str | None:
    form = visible_form(page)
    if form is not None and form.password is not None:
        return form
    return next((said for said in page.state().refusals if said not in before.refusals), None)


class _Verdict:
    """Looks at the page after the submit until it is clear what the site made of it."""

    def __init__(
        self, page: Page, before: PageState, password: WebElement, sent: int, name_first: bool, wait: float
    ) -> None:
        self._wait = wait
        self._page = page
        self._before = before
        self._password = password
        self._sent = sent
        self._name_first = name_first
        self._quiet_looks = 0
        self._pressed_enter = False
        self._since = self._quiet_since = page.clock.elapsed()
        self._state = before

    def look(self) -> Facts | LoginFinding | None:
        """Facts when the site refused or failed; None while nothing is clear; IN, to be confirmed, when it left;
        UNCONFIRMED when the site has been quiet for `wait` seconds."""
        page, looked_at = self._page, self._page.clock.elapsed()
        try:
            form = form_in_document(page)
        except (NoSuchFrameException, NoSuchWindowException):
            page.driver.switch_to.default_content()
            form = form_in_document(page)
        state = self._state = page.state()
        shown = form is not None and (form.password is not None or self._name_first)
        said = next((words for words in state.refusals if words not in self._before.refusals), None)
        if said is not None:
            return page.facts(login=LoginFinding.REFUSED, said=said, http_status=state.status or None)
        if state.captcha:
            return page.facts(login=LoginFinding.CAPTCHA)
        refused = self._refusing_status(state)
        if refused is not None and self._elapsed() > 1.0 and (shown or state.status in (401, 403)):
            return page.facts(login=LoginFinding.REFUSED, said=self.new_notice(), http_status=refused)
        if state.status >= 400 and not shown:
            return page.facts(http_status=state.status)
        self._quiet_looks = self._quiet_looks + 1 if not shown and state.complete and not self._pending() else 0
        if state.asks_code and self._quiet_looks:
            return page.facts(login=LoginFinding.UNCONFIRMED, detail="The site asks for a second factor.")
        if self._quiet_looks >= _QUIET_LOOKS:
            return LoginFinding.IN
        if shown:
            self._press_enter_if_nothing_happened()
        now = page.clock.elapsed()
        if self._pending() or now - looked_at > 1.0:  # the driver holds our look back while a page loads
            self._quiet_since = now
        return LoginFinding.UNCONFIRMED if now - self._quiet_since >= self._wait else None

    def new_notice(self) -> str | None:
        return next((notice for notice in self._state.notices if notice not in self._before.notices), None)

    def _elapsed(self) -> float:
        return self._page.clock.elapsed() - self._since

    def _pending(self) -> bool:
        since = self._page.exchanges()[self._sent :]
        latest = max((index for index, exchange in enumerate(since) if exchange.main_document), default=0)
        # Of what an earlier document had under way, the end is not always told.
        return any(
            not exchange.ended and (exchange.main_document or exchange.background) for exchange in since[latest:]
        )

    def _refusing_status(self, state: PageState) -> int | None:
        if state.status in _SAYS_NO:
            return state.status
        site = urlsplit(state.url).hostname
        for exchange in self._page.exchanges()[self._sent :]:
            posted = exchange.background and exchange.method != "GET" and urlsplit(exchange.url).hostname == site
            if posted and exchange.status in _SAYS_NO:
                return exchange.status
        return None

    def _press_enter_if_nothing_happened(self) -> None:
        """The button may have been the wrong one. Only where the network is heard: nothing may be sent twice."""
        if self._pressed_enter or not self._page.hears_network() or self._elapsed() < _ENTER_AFTER_SECONDS:
            return
        self._pressed_enter = True
        if len(self._page.exchanges()) == self._sent:
            press_enter(self._page, self._password)


def _confirm(page: Page, before: PageState, entry_point: str, wait: float) -> Facts:
    """The form is gone: proof that we are in is that the site still knows us when the entry point is opened again."""
    page.driver.switch_to.default_content()
    landed = page.state()
    welcomed = landed.welcomes and not before.welcomes
    with page.step("open the entry point again") as detail:
        kept = _known_at(page, before, entry_point, wait)
        detail.append("still logged in" if kept else "asked to log in again")
    if not kept and welcomed:
        # Some sites show their log-in form to everybody, so the page we landed on decides.
        with page.step("open the landing page again") as detail:
            kept = _known_at(page, before, landed.url, wait)
            detail.append("still logged in" if kept else "asked to log in again")
        if not kept:
            return page.facts(login=LoginFinding.SESSION_LOST)
    if kept:
        return page.facts(login=LoginFinding.IN)
    not_kept = "The form is gone, but the entry point asks to log in again."
    return page.facts(login=LoginFinding.UNCONFIRMED, detail=not_kept, said=next(iter(landed.notices), None))


def _known_at(page: Page, before: PageState, url: str, wait: float) -> bool:
    """Whether the page greets us as logged in, or shows no log-in form for a second (late ones are waited for)."""
    state = page.open(url)
    if state.status >= 400:
        return False
    until = page.clock.elapsed() + 1.0

    def look() -> bool | None:
        state = page.state()
        if state.welcomes and not before.welcomes:
            return True
        if form_in_document(page) is not None:
            return False
        return True if page.clock.elapsed() > until and state.complete else None

    return bool(page.poll(look, wait))
