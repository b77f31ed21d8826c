"""The second factor: a fresh one-time code, typed where the site asks for it."""

import time

from selenium.common.exceptions import JavascriptException, StaleElementReferenceException

from services.runner.browser.clicking import DRAWN_ANEW, click
from services.runner.browser.log_in.fill import press_enter, type_into
from services.runner.browser.log_in.look import CodeForm, Eyes, Look
from services.runner.browser.page import Page
from shared.domain.evidence import Facts, Fault, LoginFinding
from shared.domain.totp import TotpKey, TotpSecretInvalid, read_totp_secret

_NO_SECRET = "The site asks for a one-time code, but no TOTP secret is stored."
_BY_THE_PAGE = "sent by the page itself"
_ANSWERED_WITHIN_SECONDS = 3.0
_MOST_TRIES = 3


def give_code(eyes: Eyes, form: CodeForm, totp_secret: str | None) -> Facts | tuple[CodeForm, int]:
    """Types and sends a code that was never used; returns the form it was typed into, and how many exchanges there were
    by then. Facts when there is no code."""
    page = eyes.page
    key = key_of(page, totp_secret)
    if isinstance(key, Facts):
        return key
    with page.step("wait for a fresh one-time code"):
        code = fresh_code(page, key)
    if isinstance(code, Facts):
        return code
    with page.step("give the one-time code") as detail:
        before = eyes.look_here()
        form = before.code or form
        mark = page.heard()
        form = type_code(eyes, form, code)
        detail.append(_send_once(eyes, mark, before, code))
    return form, mark


def key_of(page: Page, totp_secret: str | None) -> TotpKey | Facts:
    if totp_secret is None:
        return page.facts(login=LoginFinding.UNCONFIRMED, detail=_NO_SECRET)
    try:
        return read_totp_secret(totp_secret)
    except TotpSecretInvalid as error:
        return page.facts(login=LoginFinding.UNCONFIRMED, detail=f"The stored TOTP secret {error}.")


def fresh_code(page: Page, key: TotpKey) -> str | Facts:
    """A code that is used for the first time and lives some seconds more; waits for one, as long as the check may.
    Facts when none comes in that time."""
    while True:
        now = time.time()
        step = key.fresh_step(now)
        wait = key.seconds_until(step, now)
        if not wait and page.spend_code(key.account, step):
            code = key.code(step)
            page.hide(code)
            return code
        wait = wait or key.seconds_until(step + 1, now)
        if wait > page.clock.left():
            return page.facts(fault=Fault.CODES_SPENT, detail="other checks of the account used them")
        page.clock.over.wait(wait)
        page.check_time()


def type_code(eyes: Eyes, form: CodeForm, code: str) -> CodeForm:
    """Types it, again where the page drew its field anew before it could; returns the form it was typed into."""
    page = eyes.page
    if len(form.fields) > 1:
        for field, digit in zip(form.fields, code, strict=False):
            type_into(page, field, digit, clear=False)
        return form
    for _ in range(_MOST_TRIES):
        if type_into(page, form.fields[0], code):
            break
        form = eyes.look_here().code or form
    return form


def _send_once(eyes: Eyes, mark: int, before: Look, code: str) -> str:
    """Says how it was sent. A page that goes on drawing its form anew may have sent it, which the verdict sees."""
    # Where nobody hears whether it was sent, it may not be sent twice.
    for _ in range(_MOST_TRIES if eyes.page.hears_network() else 1):
        try:
            return _send(eyes, mark, before, code)
        except (StaleElementReferenceException, JavascriptException):
            eyes.page.loading = False  # nothing was pressed
    return DRAWN_ANEW


def _send(eyes: Eyes, mark: int, before: Look, code: str) -> str:
    """Many pages send a code by themselves with its last digit; then nothing more may be sent."""
    page = eyes.page
    seen = eyes.look_here()
    if sent_since(page, mark):
        # Others only let the server look at the field, and the code stands there as it was typed.
        answered = page.poll(lambda: _answered(eyes, mark), _ANSWERED_WITHIN_SECONDS)
        if answered is None or not _untouched(answered, before, code):
            return _BY_THE_PAGE
        seen = answered
    if seen.code is None:
        return _BY_THE_PAGE
    if seen.code.submit is not None:
        return f"by {click(page, seen.code.submit)}"
    press_enter(page, seen.code.fields[-1])
    return "by Enter"


def sent_since(page: Page, mark: int) -> bool:
    """Whether the page sent anything; that it asks for news is nothing."""
    return any(each.main_document or each.method != "GET" for each in page.exchanges_since(mark))


def _answered(eyes: Eyes, mark: int) -> Look | None:
    """The page once the site has answered everything kindly that was sent since; None while it has not."""
    exchanges = [each for each in eyes.page.exchanges_since(mark) if each.main_document or each.background]
    kindly = all(each.ended and not each.main_document and (each.status or 0) < 400 for each in exchanges)
    return eyes.look_here() if kindly else None


def _untouched(look: Look, before: Look, code: str) -> bool:
    if look.code is None or look.code_refusal(before) is not None:
        return False
    return "".join(str(field.get_property("value")) for field in look.code.fields) == code
