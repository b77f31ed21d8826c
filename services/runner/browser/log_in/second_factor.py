"""The second factor: a fresh one-time code, typed where the site asks for it."""

import time

from services.runner.browser.clicking import click
from services.runner.browser.log_in.fill import press_enter, type_into
from services.runner.browser.log_in.look import CodeForm, Eyes
from services.runner.browser.page import Page
from shared.domain.evidence import Facts, Fault, LoginFinding
from shared.domain.totp import TotpKey, TotpSecretInvalid, read_totp_secret

_NO_SECRET = "The site asks for a one-time code, but no TOTP secret is stored."


def give_code(eyes: Eyes, form: CodeForm, totp_secret: str | None) -> Facts | CodeForm:
    """Types and sends a code that was never used; returns the form it was typed into, or facts when there is none."""
    page = eyes.page
    key = key_of(page, totp_secret)
    if isinstance(key, Facts):
        return key
    with page.step("wait for a fresh one-time code"):
        code = fresh_code(page, key)
    if code is None:
        return page.facts(fault=Fault.CODES_SPENT, detail="other checks of the account used them")
    with page.step("give the one-time code") as detail:
        form = eyes.look_here().code or form
        mark = page.heard()
        type_code(page, form, code)
        detail.append(_send(eyes, form, mark))
    return form


def key_of(page: Page, totp_secret: str | None) -> TotpKey | Facts:
    if totp_secret is None:
        return page.facts(login=LoginFinding.UNCONFIRMED, detail=_NO_SECRET)
    try:
        return read_totp_secret(totp_secret)
    except TotpSecretInvalid as error:
        return page.facts(login=LoginFinding.UNCONFIRMED, detail=f"The stored TOTP secret {error}.")


def fresh_code(page: Page, key: TotpKey) -> str | None:
    """A code that is used for the first time and lives some seconds more; waits for one, as long as the check may."""
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
            return None
        page.clock.over.wait(wait)
        page.check_time()


def type_code(page: Page, form: CodeForm, code: str) -> None:
    if len(form.fields) == 1:
        type_into(page, form.fields[0], code)
        return
    for field, digit in zip(form.fields, code, strict=False):
        type_into(page, field, digit, clear=False)


def _send(eyes: Eyes, form: CodeForm, mark: int) -> str:
    """Many pages send a code by themselves with its last digit; then nothing more may be sent."""
    page = eyes.page
    seen = eyes.look_here()
    if seen.code is None or any(each.main_document or each.method != "GET" for each in page.exchanges_since(mark)):
        return "sent by the page itself"
    if seen.code.submit is not None:
        return f"by {click(page, seen.code.submit)}"
    press_enter(page, seen.code.fields[-1])
    return "by Enter"
