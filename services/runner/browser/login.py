"""The `login` check, the automatic way: open the entry point, find the form, fill it, send it, and see what happens.

A password is sent once. A site that refuses it may lock the account at the next try.
"""

import re
from urllib.parse import urlsplit

from selenium.common.exceptions import UnexpectedAlertPresentException

from services.runner.browser.attempt import CheckTask, Credentials
from services.runner.browser.devtools.authentication import origin_to_answer
from services.runner.browser.devtools.network_log import Exchange
from services.runner.browser.failures import dialog_text
from services.runner.browser.log_in.confirm import confirm
from services.runner.browser.log_in.enter import enter
from services.runner.browser.log_in.find import find_form
from services.runner.browser.log_in.look import Eyes, Look
from services.runner.browser.log_in.verdict import Sent, Then, judged
from services.runner.browser.page import Page, PageState
from shared.domain.evidence import Facts, LoginFinding
from shared.domain.site_words import Saying, saying_of

_REFUSING_DIALOG = re.compile(
    r"(?i)wrong|incorrect|invalid|unknown|fail|denied|not match|falsch|ungültig|incorrecte?|onjuist"
)
_MOST_CHARACTERS_OF_A_WALL = 3000


def log_in(page: Page, task: CheckTask) -> Facts:
    """The story of the check; its facts end with a finding, or PageTrouble says why a page did not come."""
    eyes = Eyes(page, task.signed_in_marker)
    mark = page.heard()
    with page.step("open the entry point") as detail:
        state = page.open(task.url)
        detail.append(f"answered {state.status}" if state.status else "")
    if _asks_for_password(page, state, mark):
        state_or_facts = _authenticate(eyes, task, mark, task.url)
        if isinstance(state_or_facts, Facts):
            return state_or_facts
        state = state_or_facts
    with page.step("find the log-in form") as detail:
        seconds = page.patience if state.status < 400 else min(page.patience, 1.0)
        look = find_form(eyes, seconds, stop=lambda look: _asks_for_password(page, look, mark))
        detail.append({"both": "on one page", "user": "name first"}.get(look.form.kind, "") if look.form else "none")
    protected = _asked_behind_a_link(page, look, mark)
    if protected is not None:
        state_or_facts = _authenticate(eyes, task, mark, protected)
        if isinstance(state_or_facts, Facts):
            return state_or_facts
        look = eyes.look_around()
    if look.form is None:
        return nothing_to_log_in_by(eyes, look, state.status)
    if task.credentials is None:
        return page.facts(login=LoginFinding.NO_CREDENTIALS)
    try:
        return _enter_and_confirm(eyes, look, task.credentials, task.url)
    except UnexpectedAlertPresentException as dialog:
        facts = refused_by_dialog(page, dialog)
        if facts is None:
            raise
        return facts


def _enter_and_confirm(eyes: Eyes, look: Look, credentials: Credentials, entry_point: str) -> Facts:
    page = eyes.page
    seen = enter(eyes, look, credentials)
    if isinstance(seen, Facts):
        return seen
    if seen.then is Then.IN:
        return confirm(eyes, look, seen.look, entry_point, code_sent=seen.sent is Sent.CODE)
    return page.facts(
        login=LoginFinding.UNCONFIRMED, said=seen.look.new_notice(look), detail=_nothing_came(eyes, seen.look)
    )


def nothing_to_log_in_by(eyes: Eyes, look: Look, status_of_entry: int = 0) -> Facts:
    """Why there is no form, as far as the page says; not every browser tells the status at each look."""
    page, status = eyes.page, look.status or status_of_entry or None
    if look.captcha:
        return page.facts(login=LoginFinding.CAPTCHA)
    heard = look.new_saying(None) if look.text_length < _MOST_CHARACTERS_OF_A_WALL else None
    if heard is not None and heard[1] in (Saying.HUMAN_ASKED_FOR, Saying.MAINTENANCE):
        return judged(page.facts, heard, status)
    others = eyes.look(("sso",)).ways.get("sso")
    only = f" Only another way to log in is offered: “{others.says}”." if others is not None else ""
    waited = f"Waited {page.patience:g} s.{only}{_script_that_did_not_come(page)}"
    return page.facts(login=LoginFinding.FORM_NOT_FOUND, http_status=status, detail=waited)


def _script_that_did_not_come(page: Page) -> str:
    """Without it a page may draw nothing."""
    for exchange in page.exchanges():
        host = urlsplit(exchange.url).netloc.rpartition("@")[2]
        if exchange.kind == "Script" and exchange.error and host:
            return f" A script of {host} could not be loaded ({exchange.error})."
    return ""


def refused_by_dialog(page: Page, dialog: UnexpectedAlertPresentException) -> Facts | None:
    """The site's answer in a dialog of the browser; None when it says something else."""
    said = dialog_text(dialog)
    saying = saying_of(said)
    if saying is not None:
        return judged(page.facts, (said, saying), None)
    return page.facts(login=LoginFinding.REFUSED, said=said) if _REFUSING_DIALOG.search(said) else None


def _nothing_came(eyes: Eyes, look: Look) -> str:
    page = eyes.page
    if not look.marker_valid:
        return "The marker of somebody who is logged in is no CSS selector."
    if eyes.marker is not None and look.form is None:
        return f"The marker of somebody who is logged in did not appear within {page.patience:g} s."
    if look.form is None and look.asks:
        return "The site asks something that we do not answer."
    if look.form is not None and look.form.kind == "user":
        return f"After the user name no password field appeared within {page.patience:g} s."
    return f"The form still stands after {page.patience:g} s."


def _asks_for_password(page: Page, state: PageState | Look, mark: int) -> bool:
    """By HTTP authentication, which only the network tells of."""
    documents = _documents_since(page, mark)
    return state.status == 401 and bool(documents) and documents[-1].asks_for_password


def _documents_since(page: Page, mark: int) -> list[Exchange]:
    return [exchange for exchange in page.exchanges_since(mark) if exchange.main_document]


def _asked_behind_a_link(page: Page, look: Look, mark: int) -> str | None:
    """Where a public page led to when that asks for HTTP authentication. Other origins are not given the log-in so."""
    if look.form is not None or not _asks_for_password(page, look, mark):
        return None
    # A browser may show a page of its own there.
    documents = _documents_since(page, mark)
    asked_at = documents[-1].url
    return asked_at if origin_to_answer(documents[0].url, asked_at) is not None else None


def _authenticate(eyes: Eyes, task: CheckTask, mark: int, protected: str) -> Facts | PageState:
    """HTTP authentication at the address `protected`. The page behind it, when that has a form of its own; or facts."""
    page, documents = eyes.page, _documents_since(eyes.page, mark)
    if eyes.look_around().form is not None:
        return page.state()
    if task.credentials is None:
        return page.facts(login=LoginFinding.NO_CREDENTIALS)
    origin = origin_to_answer(documents[0].url, documents[-1].url)
    if origin is None:
        return page.facts(http_status=401)
    with page.step("answer the HTTP authentication") as detail:
        with page.answer_authentication(origin, task.credentials.username, task.credentials.password) as answers:
            state = page.open(protected)
        detail.append(f"answered {state.status}")
    if state.status in (401, 403) and answers.given:
        return page.facts(login=LoginFinding.REFUSED, http_status=state.status)
    if state.status >= 400:
        return page.facts(http_status=state.status)
    if eyes.look_around().form is not None:
        return state
    with page.step("open the page again") as detail:
        again = page.open(protected)
        detail.append(f"answered {again.status}")
    return page.facts(login=LoginFinding.IN if again.status < 400 else LoginFinding.SESSION_LOST)
